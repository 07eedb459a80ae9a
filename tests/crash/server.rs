//! A pipeline killed in front of a server that lives on: its INSERT may still be there when the next start has settled
//! the range, and run after that. Nobody who asks the table beforehand can know; the token knows.

use std::path::Path;

use moose_tests::{
    engine::{self, Plain},
    proxy::{Fault, Proxy, insert_into},
    wait::eventually,
};
use tempfile::TempDir;

use crate::{
    BARE, PIPELINE,
    cells::{Cell, Nets},
    ledger::Wrong,
    scene::{LATE, Scene, Victim, host},
};

/// The one cell that there is of this kind.
pub(crate) async fn run(cells: &[Cell], nets: Nets) -> Vec<(Cell, Wrong)> {
    let directory = TempDir::new().expect("a temporary directory");
    // It waits for the end of an INSERT for as long as all of this takes.
    let patient = Plain::default().setting("http_receive_timeout", "600");
    let server = engine::start_as(Path::new(PIPELINE), &directory.path().join("server"), &patient).await;
    let proxy = Proxy::start(server.address()).await;
    let program = if nets == Nets::Token { BARE } else { PIPELINE };
    let mut scene = Scene::new(program, &host(), &[("MOOSE_SYNC__MAX_DELAY", "50ms")]);
    scene.write_into(&proxy.url(), &format!("{}/?database=moose", server.url()));
    scene.start(None).await;
    if nets == Nets::Provenance {
        scene.sql("ALTER TABLE moose.numbers MODIFY SETTING non_replicated_deduplication_window = 0").await;
    }
    let late = proxy.when(insert_into("numbers")).times(1).make(Fault::HoldEnd);
    let records: Vec<_> = scene.ledger.ids(30).map(|id| (id, 1)).collect();
    assert!(scene.ledger.send(scene.addresses(), &records, 0).await, "nobody is killed yet");
    eventually(LATE, || async { if late.held() == 1 { Ok(()) } else { Err("no INSERT has come") } }).await;
    scene.kill(Victim::Pipeline).await;

    scene.start(None).await;
    assert_eq!(scene.recovered().await, Wrong::default(), "settled as if there were no other INSERT");
    late.release();
    eventually(LATE, || async { if late.finished() == 1 { Ok(()) } else { Err("the INSERT has not run") } }).await;
    let wrong = scene.recovered().await;
    scene.stop();
    assert!(server.stop(LATE).await, "the server ends in order");
    cells.iter().map(|cell| (*cell, wrong.clone())).collect()
}
