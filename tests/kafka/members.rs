//! Members of a group: copies that share the partitions, are killed, sleep, and are given what others had.

use std::{collections::BTreeSet, time::Duration};

use moose_runtime::internal::stream::{AssignmentEvent, Assignments, Backend as _, contract};
use moose_tests::{
    http, is_full,
    load::{Load, each_is_a_row_once},
    process::signal,
};
use tokio::time::{Instant, timeout};

use crate::{
    broker,
    pipeline::STEADY,
    stage::{LATE, Stage},
    stream::connect,
};

/// Copies share the partitions; one after another is killed and comes back.
#[tokio::test]
async fn copies_that_are_killed_lose_nothing_and_store_nothing_twice() {
    const COPIES: usize = 4;
    let seconds = if is_full() { 180 } else { 30 };
    let Some(stage) = Stage::new().await else { return };
    stage.make_topic("numbers", 8).await;
    let launches: Vec<_> = (0..COPIES).map(|copy| stage.copy(&format!("copy-{copy}"))).collect();
    let mut copies = Vec::new();
    for launch in &launches {
        let mut process = launch.start();
        let addresses = process.addresses(LATE).await;
        copies.push((process, addresses));
    }
    let end = std::time::Instant::now() + Duration::from_secs(seconds);
    let (mut first, mut kept, mut kills) = (0, BTreeSet::new(), 0);
    while std::time::Instant::now() < end {
        // Each round loads one copy that lives and kills the next.
        let (loaded, killed) = (kills % COPIES, (kills + 1) % COPIES);
        let load = Load::start(format!("http://{}/ingest/numbers", copies[loaded].1.http), first, STEADY);
        tokio::time::sleep(Duration::from_secs(2)).await;
        let (process, _) = copies.remove(killed);
        process.kill();
        let mut process = launches[killed].start();
        let addresses = process.addresses(LATE).await;
        copies.insert(killed, (process, addresses));
        let sent = load.stop().await;
        first += 10_000_000;
        kept.extend(sent.kept);
        kills += 1;
    }
    assert!(kills >= 3 && kept.len() > 1_000, "{kills} kills, {} records", kept.len());
    each_is_a_row_once(&stage.url(), "numbers", &kept, LATE).await;
    println!("{kills} kills: {} records, each a row once", kept.len());
    let used = http::sql(&stage.url(), "SELECT uniqExact(_stream_partition) FROM numbers").await;
    assert_eq!(used, "8", "a stream has the partitions that its topic has");
}

/// Copies that sleep through the end of their session wake up as if nothing had been, and find that it is not so: what
/// they were about to commit is another's.
#[tokio::test]
async fn copies_that_sleep_longer_than_their_session_store_nothing_twice() {
    const COPIES: usize = 4;
    let seconds = if is_full() { 180 } else { 20 };
    let Some(stage) = Stage::new().await else { return };
    stage.make_topic("numbers", 8).await;
    let mut copies: Vec<_> = (0..COPIES).map(|copy| stage.copy(&format!("copy-{copy}")).start()).collect();
    let addresses = copies[0].addresses(LATE).await;
    for copy in &mut copies {
        copy.addresses(LATE).await;
    }
    let load = Load::start(format!("http://{}/ingest/numbers", addresses.http), 0, STEADY);
    let (end, mut sleeps, mut taken_over) = (Instant::now() + Duration::from_secs(seconds), 0, 0);
    let assigned = || copies.iter().map(|copy| copy.output().matches("assigned").count()).sum::<usize>();
    while Instant::now() < end {
        // Never the one that takes the records.
        let sleeper = &copies[1 + sleeps % (COPIES - 1)];
        sleeper.printed("flushed", LATE).await;
        signal("-STOP", sleeper.id());
        let before = assigned();
        // Longer than the session of 6 seconds.
        tokio::time::sleep(Duration::from_secs(9)).await;
        taken_over += assigned() - before;
        signal("-CONT", sleeper.id());
        tokio::time::sleep(Duration::from_secs(1)).await;
        sleeps += 1;
    }
    let sent = load.stop().await;
    assert_eq!(sent.refused, 0);
    each_is_a_row_once(&stage.url(), "numbers", &sent.kept, LATE).await;
    println!("{sleeps} times asleep: {} records, each a row once", sent.kept.len());
    assert!(taken_over >= sleeps, "{taken_over} partitions were taken over of {sleeps} that slept");
}

/// The next event, which must come.
async fn next(assignments: &mut Assignments) -> AssignmentEvent {
    timeout(LATE, assignments.next()).await.expect("the group goes on").expect("the client lives")
}

/// A member is asked for a partition and does not answer: nobody else gets it, and what it commits meanwhile stands.
#[tokio::test]
async fn a_partition_is_another_s_only_once_its_revocation_is_answered() {
    let Some(broker) = broker() else { return };
    let properties = [("session.timeout.ms", "6000"), ("heartbeat.interval.ms", "300")];
    let (one, two) = (connect(broker, &properties).await, connect(broker, &properties).await);
    let topics = ["shared".to_owned()];
    for member in [&one, &two] {
        member.open_topic(&contract::topic("shared", 2)).await.unwrap();
    }
    let mut of_one = one.assignments("share", &topics).await.unwrap();
    for _ in 0..2 {
        assert!(matches!(next(&mut of_one).await, AssignmentEvent::Assigned { .. }));
    }
    let mut of_two = two.assignments("share", &topics).await.unwrap();
    let AssignmentEvent::Revoked { partition, done, .. } = next(&mut of_one).await else { panic!("one is enough") };
    let epoch = one.epoch("share", "shared", partition).await.unwrap();
    let too_early = timeout(Duration::from_secs(8), of_two.next()).await;
    assert!(too_early.is_err(), "given on before it was let go: {too_early:?}");
    one.commit("share", "shared", partition, &contract::cursor(epoch, 0)).await.expect("it is still a member's");
    done.send(()).unwrap();
    match next(&mut of_two).await {
        AssignmentEvent::Assigned { partition: given, .. } => assert_eq!(given, partition),
        other @ AssignmentEvent::Revoked { .. } => panic!("{other:?}"),
    }
    let known = two.cursor("share", "shared", partition).await.unwrap();
    assert_eq!(known, Some(contract::cursor(epoch, 0)), "the new owner goes on from there");
    drop((of_one, of_two));
    let (left, left_too) = tokio::join!(one.close(), two.close());
    left.and(left_too).unwrap();
}

/// Nobody answers any more when the process ends: the group is left all the same, and soon.
#[tokio::test]
async fn leaving_waits_for_nobody_who_will_not_answer() {
    let Some(broker) = broker() else { return };
    let kafka = connect(broker, &[]).await;
    kafka.open_topic(&contract::topic("left", 1)).await.unwrap();
    let mut assignments = kafka.assignments("leavers", &["left".to_owned()]).await.unwrap();
    assert!(matches!(next(&mut assignments).await, AssignmentEvent::Assigned { .. }));
    let started = Instant::now();
    kafka.close().await.unwrap();
    // Before the time after which the process goes without having left.
    assert!(started.elapsed() < Duration::from_secs(12), "{:?}", started.elapsed());
    drop(assignments);
}
