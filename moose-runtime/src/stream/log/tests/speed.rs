//! How fast the log is. Ignored by default: `cargo test --release -- --ignored --nocapture log::tests::speed`.

use std::time::Instant;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn appends_and_reads() {
    let record = Bytes::from(vec![b'x'; 150]);
    for (count, rounds) in [(1, 300), (100, 300), (1_000, 300), (10_000, 300)] {
        let directory = tempfile::tempdir().unwrap();
        let log = Log::open(options(&directory)).unwrap();
        log.open_topic(&topic("t", 1)).await.unwrap();
        let begun = Instant::now();
        let mut times = Vec::with_capacity(rounds);
        for _ in 0..rounds {
            let records = vec![record.clone(); count];
            let begun = Instant::now();
            log.append("t", 0, records).await.unwrap();
            times.push(begun.elapsed());
        }
        report(&format!("{count} records an append"), count * rounds, begun);
        times.sort_unstable();
        println!("  median {:?}, longest {:?}", times[rounds / 2], times[rounds - 1]);
        let begun = Instant::now();
        let (mut next, end) = (0, (count * rounds) as u64);
        while next < end {
            next += log.read("t", 0, next, 4 << 20).await.unwrap().len() as u64;
        }
        report("  read back", count * rounds, begun);
        log.close().await.unwrap();
        let begun = Instant::now();
        let log = Log::open(options(&directory)).unwrap();
        log.open_topic(&topic("t", 1)).await.unwrap();
        println!("  reopened in {:?}", begun.elapsed());
    }
    for callers in [2, 64] {
        for count in [1, 10_000_usize.div_ceil(callers * callers)] {
            let directory = tempfile::tempdir().unwrap();
            let log = Arc::new(Log::open(options(&directory)).unwrap());
            log.open_topic(&topic("t", 1)).await.unwrap();
            let begun = Instant::now();
            let tasks: Vec<_> = (0..callers)
                .map(|_| {
                    let (log, record) = (Arc::clone(&log), record.clone());
                    tokio::spawn(async move {
                        for _ in 0..200 {
                            log.append("t", 0, vec![record.clone(); count]).await.unwrap();
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
            report(&format!("{callers} callers, {count} records an append"), callers * count * 200, begun);
        }
    }
}

/// What the log takes of memory and disk when a gigabyte goes through it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn memory_and_disk() {
    let directory = tempfile::tempdir().unwrap();
    let log = Log::open(options(&directory)).unwrap();
    let retention = Retention { age: None, bytes: Some(64 << 20) };
    let epoch = log.open_topic(&TopicSpec { retention, ..topic("t", 1) }).await.unwrap().epoch;
    let noise: Vec<u8> = (0..1 << 17).flat_map(|_| rand::random::<u64>().to_le_bytes()).collect();
    let record = Bytes::from(noise);
    for round in 0..1_024_u64 {
        let end = log.append("t", 0, vec![record.clone()]).await.unwrap() + 1;
        log.commit("g", "t", 0, &cursor(epoch, end)).await.unwrap();
        if round % 128 == 127 {
            log.enforce_retention().unwrap();
            let disk = bytes_on_disk(directory.path()) >> 20;
            println!("{} MiB through: {}, {disk} MiB on disk", round + 1, resident());
        }
    }
    log.close().await.unwrap();
    let begun = Instant::now();
    let log = Log::open(options(&directory)).unwrap();
    log.open_topic(&topic("t", 1)).await.unwrap();
    println!("reopened in {:?}, {}", begun.elapsed(), resident());
}

fn bytes_on_disk(directory: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => bytes_on_disk(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}

fn resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().filter(|line| line.starts_with("VmRSS") || line.starts_with("VmHWM")).collect::<Vec<_>>().join(" ")
}

fn report(what: &str, records: usize, begun: Instant) {
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "{what}: {records} records in {seconds:.3} s, {} records/s",
        records as u128 * 1_000 / begun.elapsed().as_millis().max(1)
    );
}
