//! Kills at random moments under load, of the pipeline, of its engine, and of both.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use moose_tests::{is_full, process::Addresses, random::Random};

use crate::{
    PIPELINE,
    ledger::{Ledger, Wrong},
    scene::{Scene, Victim, host},
};

/// How often somebody is killed: in short, and in full.
const KILLS: [u32; 2] = [20, 100];

/// Clients that send at once.
const CLIENTS: u32 = 4;

/// One of the three.
fn victim(random: &mut Random) -> Victim {
    match random.below(3) {
        0 => Victim::Pipeline,
        1 => Victim::Engine,
        _ => Victim::Both,
    }
}

/// Sends batches until told to stop or until a request fails, as it does when the process is killed.
async fn send(ledger: Arc<Ledger>, addresses: Addresses, mut random: Random, stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::Relaxed) {
        let ids = ledger.ids(1 + random.below(50));
        let records: Vec<_> = ids.map(|id| (id, u8::try_from(id % 50).expect("below 50"))).collect();
        if !ledger.send(addresses, &records, 0).await {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_was_acknowledged_before_kill_9_is_a_row_once() {
    let mut random = Random::seeded();
    // With ranges so short that an INSERT is always under way: a kill then finds one that is stored and not yet passed.
    let mut scene = Scene::new(PIPELINE, &host(), &[("MOOSE_SYNC__MAX_DELAY", "5ms")]);
    let mut clients = Vec::new();
    let stop = Arc::new(AtomicBool::new(false));
    let mut killed = [0_u32; 3];
    let mut starts = 0_u32;
    for _ in 0..KILLS[usize::from(is_full())] {
        if !scene.is_running() {
            scene.start(None).await;
            for _ in 0..CLIENTS {
                let (ledger, addresses) = (Arc::clone(&scene.ledger), scene.addresses());
                let client = send(ledger, addresses, random.branch(), Arc::clone(&stop));
                clients.push(tokio::spawn(client));
            }
            starts += 1;
            // What was on its way in three starts that ended badly rests for a minute: every other one is let come past it.
            if starts.is_multiple_of(2) {
                scene.goes_on().await;
            }
        }
        // Not a wait for anything: the moment of the kill is what is random here.
        tokio::time::sleep(Duration::from_millis(random.below(2000))).await;
        let victim = victim(&mut random);
        scene.kill(victim).await;
        killed[victim as usize] += 1;
        if !scene.is_running() {
            for client in clients.drain(..) {
                client.await.expect("a client that ends with the process");
            }
        }
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.expect("a client that was told to stop");
    }
    if !scene.is_running() {
        scene.start(None).await;
    }
    assert_eq!(scene.recovered().await, Wrong::default());
    let offsets = "SELECT count(), uniqExact(id), uniqExact(_stream_offset) FROM numbers";
    let counts = scene.sql(offsets).await;
    let acknowledged = scene.ledger.acknowledged();
    eprintln!("{killed:?} kills of {:?}: {acknowledged} acknowledged; {offsets}: {counts}", Victim::ALL);
    let rows = counts.split('\t').next().unwrap_or_default();
    assert_eq!(counts, format!("{rows}\t{rows}\t{rows}"));
    assert!(acknowledged > 1000, "too little was sent for the test to mean something");
    scene.stop();
}
