//! `kill -9` at any moment: everything acknowledged is there afterwards.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use super::*;

const DIRECTORY: &str = "MOOSE_TEST_CRASH_DIRECTORY";
const TASKS: u32 = 4;

/// The process that is killed: appends and commits as fast as it can, and prints what was acknowledged.
#[test]
fn child_appends() {
    let Ok(directory) = std::env::var(DIRECTORY) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let options = LogOptions { segment_bytes: 20_000, ..LogOptions::new(directory) };
        let log = Arc::new(Log::open(options).unwrap());
        let epoch = log.open_topic(&topic("t", 2)).await.unwrap().epoch;
        let tasks: Vec<_> = (0..TASKS)
            .map(|task| {
                let log = Arc::clone(&log);
                tokio::spawn(async move {
                    let partition = u16::from(task % 2 == 1);
                    for round in 0_u32.. {
                        let texts: Vec<String> = (0..=round % 7)
                            .map(|index| format!("{}/{task}/{round}/{index}", std::process::id()))
                            .collect();
                        let count = texts.len() as u64;
                        // Some appends are large enough to be compressed.
                        let size = if round % 9 == 8 { 4_000 } else { 0 };
                        let payloads: Vec<String> = texts.iter().map(|text| format!("{text:.<size$}")).collect();
                        let first =
                            log.append("t", partition, records(payloads.iter().map(String::as_str))).await.unwrap();
                        for (offset, text) in (first..).zip(&texts) {
                            println!("\nrecord {partition} {offset} {text}");
                        }
                        if task < 2 {
                            log.commit("g", "t", partition, &cursor(epoch, first + count)).await.unwrap();
                            println!("\ncursor {partition} {}", first + count);
                        }
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
}

/// What the child printed before it died.
#[derive(Default)]
struct Acknowledged {
    records: BTreeMap<(u16, u64), String>,
    cursors: BTreeMap<u16, u64>,
}

impl Acknowledged {
    fn note(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["record", partition, offset, text] => {
                let place = (partition.parse().unwrap(), offset.parse().unwrap());
                let before = self.records.insert(place, text.to_owned());
                assert_eq!(before, None, "offset {place:?} was given twice");
            }
            ["cursor", partition, next] => {
                let next = next.parse().unwrap();
                let partition = partition.parse().unwrap();
                assert!(self.cursors.insert(partition, next).is_none_or(|before| before < next));
            }
            _ => {}
        }
    }
}

/// What the child printed for a record.
fn text_of(record: &Record) -> String {
    std::str::from_utf8(&record.payload).unwrap().trim_end_matches('.').to_owned()
}

#[tokio::test]
async fn what_was_acknowledged_survives_kill_9_at_any_moment() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("stream");
    let mut acknowledged = Acknowledged::default();
    for round in 0..8_usize {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "stream::log::tests::crash::child_appends", "--nocapture"])
            .env(DIRECTORY, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // A different number of acknowledgements each round is a different moment each round.
        let wanted = 50 + round * 137;
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for line in lines.by_ref().take(wanted) {
            acknowledged.note(&line.unwrap());
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What was in the pipe when it died was acknowledged too; its last line may be torn.
        let rest: Vec<String> = lines.map_while(std::result::Result::ok).collect();
        for line in rest.iter().take(rest.len().saturating_sub(1)) {
            acknowledged.note(line);
        }

        let log = Log::open(LogOptions { segment_bytes: 20_000, ..options(&directory) }).unwrap();
        log.open_topic(&topic("t", 2)).await.unwrap();
        for partition in 0..2 {
            let Bounds { start, end } = log.bounds("t", partition).await.unwrap();
            assert_eq!(start, 0);
            let stored = read_all(&log, "t", partition, 0, end).await;
            for ((_, offset), text) in acknowledged.records.range((partition, 0)..=(partition, u64::MAX)) {
                let found = stored.get(*offset as usize).map(text_of);
                assert_eq!(found.as_ref(), Some(text), "partition {partition} offset {offset} round {round}");
            }
            // Offsets of records that were stored but not acknowledged are used all the same.
            for record in &stored {
                acknowledged.records.insert((partition, record.offset), text_of(record));
            }
            if let Some(next) = acknowledged.cursors.get(&partition) {
                let stored = log.cursor("g", "t", partition).await.unwrap().unwrap();
                assert!(stored.next >= *next);
                acknowledged.cursors.insert(partition, stored.next);
            }
        }
        log.close().await.unwrap();
    }
    assert!(acknowledged.records.len() > 500);
}
