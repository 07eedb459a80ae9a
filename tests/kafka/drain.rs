//! A table is rebuilt while copies of the pipeline fill it from Kafka: each of them waits, and each goes on.

use std::time::Duration;

use moose_tests::{
    http,
    load::{Batches, Load, each_is_a_row_once},
    migrations::{Package, rebuild},
    process::signal,
    wait::eventually,
};

use crate::stage::{LATE, Stage};

const STEADY: Batches = Batches { records: 20, pause: Duration::from_millis(20), record };

fn record(id: u64) -> String {
    format!("{{\"id\":{id},\"small\":{}}}", id % 200)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_while_two_copies_fill_the_table_keeps_every_record_once() {
    let Some(stage) = Stage::new().await else { return };
    stage.make_topic("numbers", 4).await;
    let mut copies = Vec::new();
    for name in ["one", "two"] {
        let mut process = stage.copy(name).start();
        let addresses = process.addresses(LATE).await;
        copies.push((process, addresses));
    }
    let load = Load::start(format!("http://{}/ingest/numbers", copies[0].1.http), 0, STEADY);
    let sees = "SELECT uniqExact(_stream_partition) FROM numbers";
    stage.shows(sees, "4").await;
    for (process, _) in &copies {
        process.printed("flushed", LATE).await;
    }

    let package = Package::new(stage.directory.path().join("package"));
    for number in 1..=3_u32 {
        let key: &[&str] = if number.is_multiple_of(2) { &["id", "small"] } else { &["small", "id"] };
        package.save(&format!("{number:04}_rebuild.sql"), &rebuild("numbers", number, key), &[]);
        let frozen = (number == 3).then(|| copies[1].0.id());
        if let Some(process) = frozen {
            // It answers nothing, and whatever it was about to send it sends later.
            signal("-STOP", process);
        }
        let apply = package.on(stage.copy("runner").argument("migrate").argument("apply"));
        let (status, output) = apply.run();
        assert!(status.success(), "{output}");
        if let Some(process) = frozen {
            signal("-CONT", process);
        }
        let before = load.kept();
        eventually(LATE, || async { if load.kept() > before + 200 { Ok(()) } else { Err("no more are kept") } }).await;
    }
    for (process, _) in &copies {
        process.printed("goes on in the table that took the other's place", LATE).await;
    }
    let sent = load.stop().await;
    each_is_a_row_once(&stage.url(), "numbers", &sent.kept, LATE).await;
    let key = "SELECT sorting_key FROM system.tables WHERE database = currentDatabase() AND name = 'numbers'";
    assert_eq!(http::sql(&stage.url(), key).await, "small, id");
    for (mut process, _) in copies {
        process.interrupt();
        assert!(process.wait(LATE).success(), "{}", process.output());
    }
}
