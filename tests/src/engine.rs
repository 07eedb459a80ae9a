//! Embedded engines for tests: one that all tests of a binary share, each with a database of its own, and others for
//! tests that kill.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{OnceLock, mpsc},
};

use moose_runtime::internal::engine::{Engine, SupervisorOptions, Users};

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

/// A plain server of the test's own, as [`Plain`] is by itself.
///
/// # Panics
/// When it does not start; the message says why.
pub async fn start(program: &Path, data: &Path) -> Engine {
    start_as(program, data, &Plain::default()).await
}

/// A plain server of the test's own.
///
/// # Panics
/// When it does not start; the message says why.
pub async fn start_as(program: &Path, data: &Path, plain: &Plain) -> Engine {
    // Not where the proxies listen: while an engine is down, its port must stay free for it.
    let listen = SocketAddr::from(([127, 0, 0, 2], 0));
    let (program, path) = (Some(program.to_owned()), data.to_owned());
    let options = SupervisorOptions { program, path, listen, users: plain.users(), log: false };
    match Engine::start(options).await {
        Ok(engine) => engine,
        Err(error) => panic!("the engine did not start: {error}"),
    }
}

/// What a ClickHouse server of somebody else's is like that a pipeline writes to: who may come in, and with what settings.
/// By itself, whoever comes is `default` and may do everything.
#[derive(Clone, Debug, Default)]
pub struct Plain {
    settings: String,
    constraints: String,
    users: String,
}

impl Plain {
    /// A setting of everybody's profile.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings += &format!("<{name}>{value}</{name}>");
        self
    }

    /// A bound of a setting in everybody's profile, such as `<readonly/>` or `<max>5</max>`.
    #[must_use]
    pub fn constraint(mut self, name: &str, bound: &str) -> Self {
        self.constraints += &format!("<{name}>{bound}</{name}>");
        self
    }

    /// One more user, who may do what is granted.
    #[must_use]
    pub fn user(mut self, name: &str, password: &str, grants: &[&str]) -> Self {
        let grants: Vec<String> = grants.iter().map(|grant| format!("<query>{grant}</query>")).collect();
        self.users += &format!(
            "<{name}><password>{password}</password><networks><ip>127.0.0.0/8</ip></networks><profile>everybody</profile>\
             <quota>default</quota><grants>{}</grants></{name}>",
            grants.concat()
        );
        self
    }

    /// The server's own session is `default` too, and is to be free of what is set for the others.
    fn users(&self) -> Users {
        let Self { settings, constraints, users } = self;
        Users::custom(format!(
            "<clickhouse><profiles><default/><everybody>{settings}<constraints>{constraints}</constraints></everybody>\
             </profiles><users><default><password/><networks><ip>127.0.0.0/8</ip></networks><profile>{profile}</profile>\
             <quota>default</quota></default>{users}</users><quotas><default/></quotas></clickhouse>",
            profile = if users.is_empty() { "everybody" } else { "default" },
        ))
    }
}

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
