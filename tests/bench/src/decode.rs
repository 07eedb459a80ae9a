//! JSON to columns, and to a Native block, on one core, beside reading the same JSON into a struct and copying its bytes.

use std::{hint::black_box, time::Instant};

use chrono::{DateTime, Utc};
use moose_runtime::record::{Batch, ErasedBatch as _, Provenance};
use serde::Deserialize;

use crate::{
    records::{Event, event},
    report::{Figure, Report, Wanted},
    stage::float,
};

/// Events of a range.
const EVENTS: u64 = 100_000;
/// How often each of them is done in a round.
const REPEATS: u32 = 10;

/// The event without columns.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Plain {
    id: String,
    user_id: String,
    timestamp: DateTime<Utc>,
    event_type: String,
}

impl Plain {
    /// Something that depends on all of it.
    fn size(&self) -> usize {
        let zero = usize::from(self.timestamp == DateTime::UNIX_EPOCH);
        self.id.len() + self.user_id.len() + self.event_type.len() + zero
    }
}

pub(crate) fn measure(rounds: usize, report: &mut Report) {
    let texts: Vec<String> = (0..EVENTS).map(event).collect();
    let records: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
    let offsets: Vec<u64> = (0..EVENTS).collect();
    let columns = || {
        let mut batch = Batch::<Event>::default();
        let mut rejected = Vec::new();
        batch.decode(&records, usize::MAX, &mut rejected);
        assert!(rejected.is_empty(), "good records");
        batch
    };
    let mut values = [(); 5].map(|()| Vec::new());
    for _ in 0..rounds {
        let measured = [
            rate(|| columns().rows()),
            rate(|| {
                let mut block = Vec::new();
                let provenance = Provenance { epoch: 1, partition: 0, offsets: &offsets };
                columns().write_native(Some(provenance), &mut block);
                block.len()
            }),
            rate(|| {
                let read = records.iter().map(|record| serde_json::from_slice::<Plain>(record));
                read.map(|plain| plain.expect("a good record").size()).sum()
            }),
            rate(|| {
                let read = records.iter().map(|record| sonic_rs::from_slice::<Plain>(record));
                read.map(|plain| plain.expect("a good record").size()).sum()
            }),
            rate(|| {
                let mut copy = Vec::with_capacity(records.len() * 128);
                for record in &records {
                    copy.extend_from_slice(record);
                }
                black_box(copy).len()
            }),
        ];
        values.iter_mut().zip(measured).for_each(|(values, value)| values.push(value));
    }
    let [to_columns, to_native, serde, sonic, memcpy] = values;
    let figure = |name: &str, ours: &[f64]| Figure::new(name, "rows/s", ours.to_vec());
    report.add(
        figure("decode to columns", &to_columns).beside("serde_json into a struct", &serde).wanted(Wanted::Ratio(1.5)),
    );
    report.add(figure("decode to columns", &to_columns).beside("sonic-rs into a struct", &sonic));
    report.add(figure("decode to columns", &to_columns).beside("copying the bytes", &memcpy));
    report.add(figure("decode to a Native block", &to_native).beside("serde_json into a struct", &serde));
}

/// Events a second.
fn rate(work: impl Fn() -> usize) -> f64 {
    let started = Instant::now();
    for _ in 0..REPEATS {
        black_box(work());
    }
    float(EVENTS * u64::from(REPEATS)) / started.elapsed().as_secs_f64()
}
