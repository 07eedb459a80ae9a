//! A cluster of three nodes, whose leaders are killed under load.

use std::{collections::BTreeSet, time::Duration};

use moose_tests::{
    http, is_full,
    kafka::Broker,
    load::{Load, nothing_is_lost_or_twice},
    wait::eventually,
};
use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer as _},
    metadata::MetadataTopic,
};
use tokio::time::Instant;

use crate::{
    pipeline::STEADY,
    stage::{LATE, Stage},
    topics::number,
};

/// What the copies of the tests wait for a produce.
const PRODUCE: Duration = Duration::from_secs(10);

impl Stage {
    fn asker(&self) -> BaseConsumer {
        ClientConfig::new().set("bootstrap.servers", self.address()).create().expect("a client")
    }

    /// Which node leads the topic's first partition, and how many have all of it.
    fn leader(asker: &BaseConsumer) -> Result<(i32, usize), String> {
        let metadata = asker.fetch_metadata(Some("numbers"), LATE).map_err(|error| error.to_string())?;
        let partitions = metadata.topics().first().map(MetadataTopic::partitions).unwrap_or_default();
        let first = partitions.iter().find(|partition| partition.id() == 0).ok_or("no partition")?;
        if first.leader() < 0 { Err("no leader".to_owned()) } else { Ok((first.leader(), first.isr().len())) }
    }

    fn node(&mut self, id: i32) -> &mut Broker {
        self.brokers.iter_mut().find(|broker| broker.id() == id).expect("a node of the cluster")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leaders_killed_under_load_lose_nothing_and_without_brokers_the_door_says_no_in_time() {
    let kills = if is_full() { 8 } else { 2 };
    let start = |directory: &std::path::Path| Broker::start_cluster::<3>(directory, &[]);
    let Some(mut stage) = Stage::on_all(start).await else { return };
    stage.make_topic_with("numbers", 3, 3, &[("min.insync.replicas", "2")]).await;
    let mut process = stage.copy("one").environment("MOOSE_KAFKA__REPLICATION_FACTOR", "3").start();
    let addresses = process.addresses(LATE).await;
    let url = format!("http://{}/ingest/numbers", addresses.http);
    let load = Load::start(url.clone(), 0, STEADY);
    process.printed("flushed", LATE).await;
    let asker = stage.asker();
    for kill in 0..kills {
        let (leader, _) = eventually(LATE, || async {
            let found = Stage::leader(&asker)?;
            if found.1 == 3 { Ok(found) } else { Err(format!("{} nodes have everything", found.1)) }
        })
        .await;
        stage.node(leader).kill();
        let before = load.kept();
        eventually(LATE, || async {
            let kept = load.kept();
            if kept > before + 500 { Ok(()) } else { Err(format!("{before}, then {kept}: kill {kill} of {leader}")) }
        })
        .await;
        stage.node(leader).restart();
    }
    // Two of three gone: nobody takes what two must have.
    let mut answers = Vec::new();
    for id in [1, 2] {
        stage.node(id).kill();
    }
    let mut unsure = BTreeSet::new();
    for id in [1_000_000_000, 1_000_000_001] {
        let started = Instant::now();
        let answer = http::post(&url, "application/x-ndjson", number(id)).await;
        answers.push((answer.status, started.elapsed()));
        unsure.insert(id);
        if id == 1_000_000_000 {
            stage.node(3).kill();
        }
    }
    for (status, took) in &answers {
        assert_eq!(*status, 503, "{answers:?}");
        assert!(*took < PRODUCE + Duration::from_secs(10), "{answers:?}");
    }
    Broker::restart_all(&mut stage.brokers);
    let before = load.kept();
    eventually(LATE, || async {
        let kept = load.kept();
        if kept > before + 500 { Ok(()) } else { Err(format!("{before}, then {kept}")) }
    })
    .await;
    let sent = load.stop().await;
    unsure.extend(&sent.unsure);
    nothing_is_lost_or_twice(&stage.url(), "numbers", &sent.kept, &unsure, LATE).await;
    println!("{kills} leaders killed: {} records, {} requests refused, {answers:?}", sent.kept.len(), sent.refused);
    process.interrupt();
    assert!(process.wait(LATE).success(), "{}", process.output());
}
