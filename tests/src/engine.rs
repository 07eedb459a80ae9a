//! Embedded engines for tests: one that all tests of a binary share, each with a database of its own, and others for
//! tests that kill.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{OnceLock, mpsc},
};

use moose_runtime::engine::{Engine, SupervisorOptions, Users};

/// An engine that runs as long as the test binary.
#[derive(Clone, Copy, Debug)]
pub struct SharedEngine {
    /// Where its HTTP interface listens.
    pub address: SocketAddr,
}

impl SharedEngine {
    /// Its HTTP interface as `http://address:port`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// The engine that all tests of this binary share; started by whoever asks first. `program` is the pipeline that it is
/// started out of, `directory` where its data may lie.
///
/// # Panics
/// When it does not start; the message says why.
pub fn shared(program: &str, directory: &str) -> SharedEngine {
    static SHARED: OnceLock<SharedEngine> = OnceLock::new();
    *SHARED.get_or_init(|| {
        let data = own_directory(Path::new(directory));
        let program = PathBuf::from(program);
        let (sender, receiver) = mpsc::channel();
        // A thread with a runtime of its own: those of the tests end with the test, and the engine's process ends with
        // the thread that started it.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let started = start(&program, &data).await;
                let _ = sender.send(started.address());
                std::future::pending::<()>().await;
            });
        });
        let address = receiver.recv().expect("the shared engine starts; its thread has said why it did not");
        SharedEngine { address }
    })
}

/// An engine of the test's own.
///
/// # Panics
/// When it does not start; the message says why.
pub async fn start(program: &Path, data: &Path) -> Engine {
    // Not where the proxies listen: while an engine is down, its port must stay free for it.
    let listen = SocketAddr::from(([127, 0, 0, 2], 0));
    let (program, path) = (Some(program.to_owned()), data.to_owned());
    let options = SupervisorOptions { program, path, listen, users: Users::custom(OPEN), log: false };
    match Engine::start(options).await {
        Ok(engine) => engine,
        Err(error) => panic!("the engine did not start: {error}"),
    }
}

/// Users as a plain server has them: whoever comes from this machine is `default` and may do everything.
const OPEN: &str = "<clickhouse><profiles><default><implicit_select>0</implicit_select></default></profiles>\
    <users><default><password/><networks><ip>127.0.0.0/8</ip></networks><profile>default</profile><quota>default</quota>\
    </default></users><quotas><default/></quotas></clickhouse>";

/// A directory by the number of this process; those of processes that are gone are removed.
fn own_directory(parent: &Path) -> PathBuf {
    const PREFIX: &str = "engine-of-";
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if let Some(process) = name.strip_prefix(PREFIX)
            && !Path::new("/proc").join(process).exists()
        {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    let own = parent.join(format!("{PREFIX}{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&own);
    std::fs::create_dir_all(&own).expect("a directory for the engine's data");
    own
}
