//! What was sent, what of it was answered with a 2xx, and what must have become of it.
//!
//! A record is an id with a number. In a table that keeps the newest of each id, the number is its version.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use hyper::Method;
use moose_tests::{http, process::Addresses, random::Random};

/// A number that the tables of some tests refuse.
pub(crate) const REFUSED: u8 = 77;

/// A record: its id and its number.
pub(crate) type Numbered = (u64, u8);

/// What the clients have sent, and what of it they were told is kept.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    next: AtomicU64,
    /// The last number of each id that was sent.
    sent: Mutex<BTreeMap<u64, u8>>,
    /// The last number of each id that was acknowledged.
    acknowledged: Mutex<BTreeMap<u64, u8>>,
}

/// What the table and the dead letters have of one id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Rows with this id.
    pub(crate) rows: u64,
    /// Their greatest number.
    pub(crate) number: u8,
    /// Dead letters with this id.
    pub(crate) letters: u64,
}

/// Ids of which something is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// Acknowledged, and neither a row nor a dead letter.
    pub(crate) lost: Vec<u64>,
    /// There more than once.
    pub(crate) twice: Vec<u64>,
    /// The stream's account, where it says otherwise than the table.
    pub(crate) miscounted: Option<String>,
}

impl Wrong {
    /// Where to begin to look: the first id, or the account.
    pub(crate) fn first(&self) -> String {
        let first = self.lost.first().or(self.twice.first()).map(|id| format!(", the first is id {id}"));
        first.or(self.miscounted.clone().map(|account| format!(": {account}"))).unwrap_or_default()
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids = |ids: &Vec<u64>, what| (!ids.is_empty()).then(|| format!("{} {what}", ids.len()));
        let miscounted = self.miscounted.as_ref().map(|_| "miscounted".to_owned());
        let told = [ids(&self.lost, "lost"), ids(&self.twice, "twice"), miscounted];
        let told: Vec<_> = told.into_iter().flatten().collect();
        formatter.write_str(if told.is_empty() { "exact" } else { "" })?;
        formatter.write_str(&told.join(", "))
    }
}

impl Ledger {
    /// Ids that were never given before.
    pub(crate) fn ids(&self, count: u64) -> std::ops::Range<u64> {
        let first = self.next.fetch_add(count, Ordering::AcqRel);
        first..first + count
    }

    /// How many ids are acknowledged.
    pub(crate) fn acknowledged(&self) -> usize {
        locked(&self.acknowledged).len()
    }

    /// Sends records in one request, each with `padding` bytes that no packing makes fewer. False if it was not answered
    /// with a 2xx: what of it is kept, nobody knows then.
    pub(crate) async fn send(&self, addresses: Addresses, records: &[Numbered], padding: usize) -> bool {
        let mut body = String::new();
        for (id, number) in records {
            // A field that the type does not have.
            let padding = Random::with_seed(*id).letters(padding);
            writeln!(body, r#"{{"id":{id},"small":{number},"padding":"{padding}"}}"#)
                .expect("a String takes everything");
        }
        locked(&self.sent).extend(records.iter().copied());
        let url = format!("http://{}/ingest/numbers", addresses.http);
        let answered = http::send(Method::POST, &url, &[("content-type", "application/x-ndjson")], body).await;
        let Ok(answer) = answered else { return false };
        assert_eq!(answer.status, 200, "{}", answer.text());
        locked(&self.acknowledged).extend(records.iter().copied());
        true
    }

    /// Compares what was found with what must be there.
    ///
    /// # Panics
    /// When something is there that was never sent so.
    pub(crate) fn compare(&self, found: &BTreeMap<u64, Found>) -> Wrong {
        let (sent, acknowledged) = (locked(&self.sent), locked(&self.acknowledged));
        let mut wrong = Wrong::default();
        for (id, here) in found {
            let last = sent.get(id).copied();
            let possible = last.is_some_and(|last| here.rows == 0 || here.number <= last);
            let rightly_refused = here.letters == 0 || last == Some(REFUSED);
            assert!(possible && rightly_refused, "id {id} was never sent so: {here:?}, sent {last:?}");
            if here.rows + here.letters > 1 {
                wrong.twice.push(*id);
            }
        }
        for (id, number) in acknowledged.iter() {
            let here = found.get(id).copied().unwrap_or_default();
            if here.letters == 0 && (here.rows == 0 || here.number < *number) {
                wrong.lost.push(*id);
            }
        }
        wrong
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
