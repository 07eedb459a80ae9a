//! Compares the log with a model of it: a vector per partition and the last cursor of each group, under random
//! operations, failed writes and reopenings, with segments and tails of all sizes.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

const PARTITIONS: u16 = 2;

#[derive(Clone, Debug)]
enum Step {
    Append {
        partition: u16,
        sizes: Vec<usize>,
    },
    AppendTogether {
        sizes: Vec<(u16, usize)>,
    },
    Read {
        partition: u16,
        from: prop::sample::Index,
        max_bytes: usize,
    },
    Commit {
        group: u8,
        partition: u16,
        next: prop::sample::Index,
    },
    Retain {
        bytes: u64,
    },
    Reopen,
    /// Writes fail, before or after the database has them; then the log reopens itself, or the process ends first.
    Fail {
        partition: u16,
        sizes: Vec<usize>,
        after_writing: bool,
        ends: bool,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let partition = 0..PARTITIONS;
    // Of the last size, one alone or a few together are large enough to be compressed.
    let size = prop_oneof![18 => 0_usize..50, 2 => 0_usize..5_000, 1 => 0_usize..40_000];
    let step = prop_oneof![
        6 => (partition.clone(), prop::collection::vec(size.clone(), 0..20))
            .prop_map(|(partition, sizes)| Step::Append { partition, sizes }),
        1 => (partition.clone(), prop::collection::vec(size.clone(), 1..20), any::<bool>(), any::<bool>()).prop_map(
            |(partition, sizes, after_writing, ends)| Step::Fail { partition, sizes, after_writing, ends }
        ),
        2 => prop::collection::vec((partition.clone(), size), 1..10).prop_map(|sizes| Step::AppendTogether { sizes }),
        6 => (partition.clone(), any::<prop::sample::Index>(), 0_usize..3_000)
            .prop_map(|(partition, from, max_bytes)| Step::Read { partition, from, max_bytes }),
        3 => (0_u8..2, partition, any::<prop::sample::Index>())
            .prop_map(|(group, partition, next)| Step::Commit { group, partition, next }),
        2 => (0_u64..2_000).prop_map(|bytes| Step::Retain { bytes }),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..40)
}

#[derive(Default)]
struct Model {
    records: [Vec<Bytes>; PARTITIONS as usize],
    cursors: HashMap<(u8, u16), u64>,
}

fn payload(counter: &mut u32, size: usize) -> Bytes {
    *counter += 1;
    let mut text = counter.to_string().into_bytes();
    text.resize(size, b'.');
    text.into()
}

async fn open(directory: &tempfile::TempDir, segment_bytes: u64, tail_bytes: usize, disk: &Failing) -> (Log, u64) {
    let options = LogOptions { segment_bytes, tail_bytes, ..options(directory) };
    let log = Log::open_on(options, Box::new(disk.clone())).unwrap();
    let retention = Retention { age: None, bytes: None };
    let epoch = log.open_topic(&TopicSpec { retention, ..topic("t", PARTITIONS) }).await.unwrap().epoch;
    (log, epoch)
}

async fn run(steps: Vec<Step>, segment_bytes: u64, tail_bytes: usize) {
    let directory = tempfile::tempdir().unwrap();
    let disk = Failing::default();
    let (mut log, epoch) = open(&directory, segment_bytes, tail_bytes, &disk).await;
    let mut model = Model::default();
    let mut counter = 0;
    for step in steps {
        match step {
            Step::Append { partition, sizes } => {
                let new: Vec<_> = sizes.into_iter().map(|size| payload(&mut counter, size)).collect();
                let known = &mut model.records[usize::from(partition)];
                assert_eq!(
                    log.append("t", partition, new.iter().cloned().map(Into::into).collect()).await.unwrap(),
                    known.len() as u64
                );
                known.extend(new);
            }
            Step::AppendTogether { sizes } => {
                let new: Vec<_> =
                    sizes.into_iter().map(|(partition, size)| (partition, payload(&mut counter, size))).collect();
                let appends: Vec<_> =
                    new.iter().map(|(p, record)| log.append("t", *p, vec![record.clone().into()])).collect();
                // Polled once each, so that all are under way before the first is awaited.
                let mut appends: Vec<_> = appends.into_iter().map(started).collect();
                for ((partition, record), append) in new.into_iter().zip(&mut appends) {
                    let offset = append.await.unwrap();
                    let known = &mut model.records[usize::from(partition)];
                    assert_eq!(offset, known.len() as u64, "appends of one caller keep their order");
                    known.push(record);
                }
            }
            Step::Read { partition, from, max_bytes } => {
                let known = &model.records[usize::from(partition)];
                let Bounds { start, end } = log.bounds("t", partition).await.unwrap();
                assert_eq!(end, known.len() as u64);
                if start == end {
                    continue;
                }
                let from = start + from.index((end - start) as usize) as u64;
                let read = log.read("t", partition, from, max_bytes).await.unwrap();
                assert!(!read.is_empty());
                for (index, record) in (from..).zip(&read) {
                    assert_eq!((record.offset, &record.payload), (index, &known[index as usize]));
                }
                let size: usize = read.iter().map(|record| record.payload.len()).sum();
                assert!(read.len() == 1 || size <= max_bytes);
            }
            Step::Commit { group, partition, next } => {
                let next = next.index(model.records[usize::from(partition)].len() + 1) as u64;
                log.commit(&group.to_string(), "t", partition, &cursor(epoch, next)).await.unwrap();
                model.cursors.insert((group, partition), next);
            }
            Step::Retain { bytes } => {
                log.open_topic(&TopicSpec { retention: Retention { age: None, bytes: Some(bytes) }, ..topic("t", 2) })
                    .await
                    .unwrap();
                let starts = [log.bounds("t", 0).await.unwrap().start, log.bounds("t", 1).await.unwrap().start];
                log.enforce_retention().unwrap();
                for partition in 0..PARTITIONS {
                    let Bounds { start, .. } = log.bounds("t", partition).await.unwrap();
                    let passed =
                        model.cursors.iter().filter(|((_, p), _)| *p == partition).map(|(_, next)| *next).min();
                    assert!(start <= passed.unwrap_or(0).max(starts[usize::from(partition)]));
                }
            }
            Step::Fail { partition, sizes, after_writing, ends } => {
                disk.after_writing.store(after_writing, Ordering::SeqCst);
                disk.fail.store(true, Ordering::SeqCst);
                let new: Vec<_> = sizes.into_iter().map(|size| payload(&mut counter, size).into()).collect();
                for _ in 0..2 {
                    let error = log.append("t", partition, new.clone()).await.unwrap_err();
                    assert!(matches!(error, StreamError::Paused { maybe_stored: false, .. }), "{error}");
                }
                log.enforce_retention()
                    .unwrap_or_else(|error| assert!(error.to_string().contains("on fire"), "{error}"));
                if ends {
                    drop(log);
                    disk.fail.store(false, Ordering::SeqCst);
                    (log, _) = open(&directory, segment_bytes, tail_bytes, &disk).await;
                } else {
                    disk.fail.store(false, Ordering::SeqCst);
                    while log.trouble().is_some() {
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                }
                for partition in 0..PARTITIONS {
                    let end = log.bounds("t", partition).await.unwrap().end;
                    assert_eq!(end, model.records[usize::from(partition)].len() as u64, "nothing of what was refused");
                }
            }
            Step::Reopen => {
                let before = [log.bounds("t", 0).await.unwrap(), log.bounds("t", 1).await.unwrap()];
                let size = log.size("t").await.unwrap().unwrap();
                drop(log);
                (log, _) = open(&directory, segment_bytes, tail_bytes, &disk).await;
                assert_eq!([log.bounds("t", 0).await.unwrap(), log.bounds("t", 1).await.unwrap()], before);
                assert_eq!(log.size("t").await.unwrap().unwrap(), size);
                for (&(group, partition), &next) in &model.cursors {
                    let stored = log.cursor(&group.to_string(), "t", partition).await.unwrap();
                    assert_eq!(stored, Some(cursor(epoch, next)));
                }
            }
        }
    }
    for partition in 0..PARTITIONS {
        let Bounds { start, end } = log.bounds("t", partition).await.unwrap();
        let read = read_all(&log, "t", partition, start, end).await;
        let known = &model.records[usize::from(partition)][start as usize..];
        assert!(read.iter().map(|record| &record.payload).eq(known));
    }
}

/// Starts a future now and gives it back to be awaited.
fn started<'a, T: Send + 'a>(mut future: BoxFuture<'a, T>) -> BoxFuture<'a, T> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(value) => Box::pin(std::future::ready(value)),
        std::task::Poll::Pending => future,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_log_is_a_vector_per_partition_whatever_happens(
        steps in steps(),
        segment_bytes in prop_oneof![Just(1_u64), 100_u64..3_000, Just(64 << 20)],
        tail_bytes in prop_oneof![Just(0_usize), 100_usize..3_000, Just(16 << 20)],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(steps, segment_bytes, tail_bytes));
    }
}
