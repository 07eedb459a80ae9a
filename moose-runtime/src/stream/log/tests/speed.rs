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
        for _ in 0..rounds {
            log.append("t", 0, vec![record.clone(); count]).await.unwrap();
        }
        report(&format!("{count} records an append"), count * rounds, begun);
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

fn report(what: &str, records: usize, begun: Instant) {
    let seconds = begun.elapsed().as_secs_f64();
    println!("{what}: {records} records in {seconds:.3} s, {:.0} records/s", records as f64 / seconds);
}
