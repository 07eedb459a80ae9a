//! Clients that send records all the time, and the count of what they were told is kept.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use hyper::Method;
use tokio::task::JoinHandle;

use crate::{http, wait::eventually};

/// What a client sends.
#[derive(Clone, Copy, Debug)]
pub struct Batches {
    /// Records of a request.
    pub records: u64,
    /// Pause between two requests.
    pub pause: Duration,
    /// The record of an id, as JSON.
    pub record: fn(u64) -> String,
}

/// A client that sends batches to an ingest API until it is stopped.
pub struct Load {
    stop: Arc<AtomicBool>,
    kept: Arc<AtomicU64>,
    task: JoinHandle<Sent>,
}

/// What became of the records of a client.
#[derive(Debug, Default)]
pub struct Sent {
    /// Ids of all records that were answered with "accepted".
    pub kept: BTreeSet<u64>,
    /// Requests that were answered with something else, or not at all.
    pub refused: u64,
    /// Ids of their records: nobody knows what became of them.
    pub unsure: BTreeSet<u64>,
}

impl Load {
    /// Begins to send to `url`, with ids from `first` on.
    pub fn start(url: String, first: u64, batches: Batches) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let kept = Arc::new(AtomicU64::new(0));
        let task = tokio::spawn(send(url, first, batches, Arc::clone(&stop), Arc::clone(&kept)));
        Self { stop, kept, task }
    }

    /// How many records are kept so far.
    pub fn kept(&self) -> u64 {
        self.kept.load(Ordering::Acquire)
    }

    /// Stops, and answers what became of the records.
    ///
    /// # Panics
    /// When the client has panicked.
    pub async fn stop(self) -> Sent {
        self.stop.store(true, Ordering::Release);
        self.task.await.expect("a client that ends when told")
    }
}

async fn send(url: String, mut first: u64, batches: Batches, stop: Arc<AtomicBool>, kept: Arc<AtomicU64>) -> Sent {
    let mut sent = Sent::default();
    while !stop.load(Ordering::Acquire) {
        let ids = first..first + batches.records;
        first = ids.end;
        let body = ids.clone().map(batches.record).collect::<Vec<_>>().join("\n");
        let answer = http::send(Method::POST, &url, &[("content-type", "application/x-ndjson")], body).await;
        if answer.is_ok_and(|answer| answer.status == 200) {
            sent.kept.extend(ids);
            kept.fetch_add(batches.records, Ordering::AcqRel);
        } else {
            sent.refused += 1;
            sent.unsure.extend(ids);
        }
        tokio::time::sleep(batches.pause).await;
    }
    sent
}

/// Waits until the table has every id of `kept`; then there must be exactly those in it, each once. `clickhouse` is an
/// address with the database.
///
/// # Panics
/// When one is missing by the deadline, or there twice, or not one of them.
pub async fn each_is_a_row_once(clickhouse: &str, table: &str, kept: &BTreeSet<u64>, deadline: Duration) {
    let counted = format!("SELECT count(), uniqExact(id) FROM {table}");
    let wanted = format!("{0}\t{0}", kept.len());
    eventually(deadline, || async {
        let found = http::sql(clickhouse, &counted).await;
        let rows = found.split('\t').next().and_then(|rows| rows.parse::<usize>().ok());
        if rows.is_some_and(|rows| rows >= kept.len()) { Ok(()) } else { Err(format!("{found}, wanted {wanted}")) }
    })
    .await;
    let (rows, found) = ids_in(clickhouse, table).await;
    let missing: Vec<_> = kept.difference(&found).take(5).collect();
    let strange: Vec<_> = found.difference(kept).take(5).collect();
    assert!(missing.is_empty() && strange.is_empty(), "missing: {missing:?} …, nobody's: {strange:?} …");
    assert_eq!(rows, found.len(), "rows are there twice");
}

/// Waits until the table has every id of `kept`; then none may be there twice, and none that is neither among them nor among
/// those of which nobody knows.
///
/// # Panics
/// When one is missing by the deadline, or there twice, or nobody's.
pub async fn nothing_is_lost_or_twice(
    clickhouse: &str,
    table: &str,
    kept: &BTreeSet<u64>,
    unsure: &BTreeSet<u64>,
    deadline: Duration,
) {
    let (rows, found) = eventually(deadline, || async {
        let (rows, found) = ids_in(clickhouse, table).await;
        match kept.difference(&found).next() {
            None => Ok((rows, found)),
            Some(first) => Err(format!("{first} of {} ids is missing, {} rows are there", kept.len(), rows)),
        }
    })
    .await;
    assert_eq!(rows, found.len(), "rows are there twice");
    let strange: Vec<_> = found.iter().filter(|id| !kept.contains(id) && !unsure.contains(id)).take(5).collect();
    assert!(strange.is_empty(), "nobody's: {strange:?} …");
}

/// How many rows a table has, and their different ids.
async fn ids_in(clickhouse: &str, table: &str) -> (usize, BTreeSet<u64>) {
    let ids = http::sql(clickhouse, &format!("SELECT id FROM {table} FORMAT TSV")).await;
    let rows: Vec<u64> = ids.lines().map(|id| id.parse().expect("an id is a number")).collect();
    (rows.len(), rows.into_iter().collect())
}
