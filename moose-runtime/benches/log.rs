//! How fast the embedded log is, and what it takes of memory and disk: `cargo bench -p moose-runtime --bench log`.
//!
//! Every append is durable when it is counted. Records are 150 bytes long.
#![expect(clippy::print_stdout, reason = "a measurement is read from standard output")]

use std::{error::Error, path::Path, sync::Arc, time::Instant};

use bytes::Bytes;
use moose_runtime::internal::stream::{
    Backend as _, Cursor, NewRecord, Retention, TopicSpec,
    log::{Log, LogOptions},
};

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

const TOPIC: &str = "t";

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Outcome {
    for count in [1, 100, 1_000, 10_000] {
        one_caller(count, 300).await?;
    }
    for (callers, count) in [(64, 1), (2, 2_500)] {
        many_callers(callers, count, 200).await?;
    }
    memory_and_disk().await
}

async fn open(directory: &Path, retention: Retention) -> Outcome<(Arc<Log>, u64)> {
    let log = Log::open(LogOptions::new(directory))?;
    let spec = TopicSpec { name: TOPIC.to_owned(), partitions: 1, retention };
    let epoch = log.open_topic(&spec).await?.epoch;
    Ok((Arc::new(log), epoch))
}

const FOR_EVER: Retention = Retention { age: None, bytes: None };

/// Appends one after another, then reading all of it, then opening the directory again.
async fn one_caller(count: usize, rounds: usize) -> Outcome {
    let record = NewRecord::from(Bytes::from(vec![b'x'; 150]));
    let directory = tempfile::tempdir()?;
    let (log, _) = open(directory.path(), FOR_EVER).await?;
    let begun = Instant::now();
    let mut times = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let records = vec![record.clone(); count];
        let begun = Instant::now();
        log.append(TOPIC, 0, records).await?;
        times.push(begun.elapsed());
    }
    report(&format!("{count} records an append"), count * rounds, begun);
    times.sort_unstable();
    println!("  median {:?}, longest {:?}", times.get(rounds / 2), times.last());
    let begun = Instant::now();
    let (mut next, end) = (0, (count * rounds) as u64);
    while next < end {
        next += log.read(TOPIC, 0, next, 4 << 20).await?.len() as u64;
    }
    report("  read back", count * rounds, begun);
    log.close().await?;
    drop(log);
    let begun = Instant::now();
    open(directory.path(), FOR_EVER).await?;
    println!("  reopened in {:?}", begun.elapsed());
    Ok(())
}

/// Appends of several callers at once, which share their syncs.
async fn many_callers(callers: usize, count: usize, rounds: usize) -> Outcome {
    let record = NewRecord::from(Bytes::from(vec![b'x'; 150]));
    let directory = tempfile::tempdir()?;
    let (log, _) = open(directory.path(), FOR_EVER).await?;
    let begun = Instant::now();
    let mut tasks = Vec::with_capacity(callers);
    for _ in 0..callers {
        let (log, record) = (Arc::clone(&log), record.clone());
        tasks.push(tokio::spawn(async move {
            for _ in 0..rounds {
                log.append(TOPIC, 0, vec![record.clone(); count]).await?;
            }
            Ok::<(), moose_runtime::internal::stream::StreamError>(())
        }));
    }
    for task in tasks {
        task.await??;
    }
    report(&format!("{callers} callers, {count} records an append"), callers * count * rounds, begun);
    Ok(())
}

/// A gigabyte that can't be compressed, of which the newest 64 MiB are kept.
async fn memory_and_disk() -> Outcome {
    let directory = tempfile::tempdir()?;
    let retention = Retention { age: None, bytes: Some(64 << 20) };
    let (log, epoch) = open(directory.path(), retention).await?;
    let noise: Vec<u8> = (0..1 << 17).flat_map(|_| rand::random::<u64>().to_le_bytes()).collect();
    let record = NewRecord::from(Bytes::from(noise));
    for round in 1..=1_024_u64 {
        let next = log.append(TOPIC, 0, vec![record.clone()]).await? + 1;
        let cursor = Cursor::new(epoch, next);
        log.commit("g", TOPIC, 0, &cursor).await?;
        if round.is_multiple_of(128) {
            log.enforce_retention()?;
            let disk = bytes_on_disk(directory.path()) >> 20;
            println!("{round} MiB through: {}, {disk} MiB on disk", resident());
        }
    }
    log.close().await?;
    Ok(())
}

fn bytes_on_disk(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => bytes_on_disk(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

fn resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().filter(|line| line.starts_with("VmRSS") || line.starts_with("VmHWM")).collect::<Vec<_>>().join(" ")
}

fn report(what: &str, records: usize, begun: Instant) {
    let elapsed = begun.elapsed();
    let rate = records as u128 * 1_000 / elapsed.as_millis().max(1);
    println!("{what}: {records} records in {elapsed:?}, {rate} records/s");
}
