//! A pipeline killed in front of a server that lives on: its INSERT may still be there when the next start has settled
//! the range, and run after that. Nobody who asks the table beforehand can know; the token knows.

use std::{fs, path::PathBuf};

use moose_tests::{
    process::{Launch, Process},
    wait::eventually,
};
use tempfile::TempDir;

use crate::{
    BARE, PIPELINE,
    cells::{Cell, Nets},
    ledger::Wrong,
    scene::{LATE, Scene, Victim, host},
};

/// An engine without a pipeline.
struct Server {
    directory: TempDir,
    address: String,
    process: Process,
}

impl Server {
    /// Starts one that halts once it has read the body of an INSERT.
    async fn start() -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let fault = directory.path().join("fault");
        let launch = Self::launch(&directory, &format!("{}:0", host()))
            .environment("FAULT_WITHOUT", "mending")
            .environment("FAULT_POINT", "engine.insert.received:1")
            .environment("FAULT_POINT_DIR", &fault.to_string_lossy());
        let process = launch.start();
        let address = address_of(&process).await;
        Self { directory, address, process }
    }

    fn launch(directory: &TempDir, address: &str) -> Launch {
        let launch = Launch::new(PIPELINE, directory.path().join("data")).argument("engine");
        launch.argument("--listen").argument(address)
    }

    fn fault(&self) -> PathBuf {
        self.directory.path().join("fault")
    }

    /// Ends it in order, with whatever it still has to do, and starts it again where it was.
    async fn start_again(&mut self) {
        self.process.interrupt();
        assert!(self.process.wait(LATE).success(), "{}", self.process.output());
        self.process = Self::launch(&self.directory, &self.address).start();
        address_of(&self.process).await;
    }
}

/// Where an engine listens, once it does.
async fn address_of(process: &Process) -> String {
    eventually(LATE, || async {
        let output = process.output();
        let found = output.split("http://").nth(1).and_then(|rest| rest.split_once(','));
        found.map(|(address, _)| address.to_owned()).ok_or(output)
    })
    .await
}

/// The one cell that there is of this kind.
pub(crate) async fn run(cells: &[Cell], nets: Nets) -> Vec<(Cell, Wrong)> {
    let mut server = Server::start().await;
    let program = if nets == Nets::Token { BARE } else { PIPELINE };
    let mut scene = Scene::new(program, &host(), &[("MOOSE_SYNC__MAX_DELAY", "50ms")]);
    scene.write_into(&format!("http://{}", server.address));
    scene.start(None).await;
    if nets == Nets::Provenance {
        scene.sql("ALTER TABLE moose.numbers MODIFY SETTING non_replicated_deduplication_window = 0").await;
    }
    fs::create_dir(server.fault()).expect("a directory in the test's directory");
    let records: Vec<_> = scene.ledger.ids(30).map(|id| (id, 1)).collect();
    assert!(scene.ledger.send(scene.addresses(), &records, 0).await, "nobody is killed yet");
    let halted = server.fault().join("reached");
    eventually(LATE, || async { if halted.exists() { Ok(()) } else { Err("no INSERT has come") } }).await;
    scene.kill(Victim::Pipeline).await;

    scene.start(None).await;
    assert_eq!(scene.recovered().await, Wrong::default(), "settled as if there were no other INSERT");
    fs::write(server.fault().join("go"), "").expect("a file in the test's directory");
    server.start_again().await;
    let wrong = scene.recovered().await;
    scene.stop();
    cells.iter().map(|cell| (*cell, wrong.clone())).collect()
}
