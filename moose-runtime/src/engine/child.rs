//! The engine's own process: `<binary> engine`, alone or under a parent.
//!
//! It binds its port, locks its data directory, opens the library, serves, and at the end closes the library, because
//! leaving without that can crash. Under a parent (`--supervised`) it ends when its standard input ends or the parent
//! dies, and a Ctrl-C meant for the parent does not reach it. What it has to say to the parent are lines on standard
//! output; what it has to say to people goes to standard error.

use std::{
    env,
    ffi::OsString,
    fs::{File, TryLockError},
    io::{self, BufRead as _, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{self, ExitCode},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use tokio::{
    net::TcpListener,
    runtime::Runtime,
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use super::{
    error::OpenError,
    ffi::{self, Database},
    library::{self, LibraryError},
    mend,
    server::Server,
};
use crate::{
    fault,
    machine::{open_files, private},
};

/// How a supervised engine begins a line that is for its parent.
pub(super) const READY: &str = "moose-engine ready ";
/// It can't start; the reason follows.
pub(super) const FAILED: &str = "moose-engine failed ";
/// It is not ready yet; what it waits for follows.
pub(super) const WAITING: &str = "moose-engine waiting ";

/// How long a supervised engine waits for a dying one to let go of the data directory and the port.
const TAKEOVER: Duration = Duration::from_secs(30);
const TAKEOVER_PAUSE: Duration = Duration::from_millis(50);

/// How long running statements may go on after the engine was told to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many connections may be open at once, and which part of all open files they may be: tables are files too.
const CONNECTIONS: usize = 1024;
const CONNECTIONS_SHARE: u64 = 4;

/// After this long the process leaves, whatever still hangs.
const LAST_RESORT: Duration = Duration::from_secs(20);

/// What the engine's process is told on its command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineOptions {
    /// The directory of the data; made if missing.
    pub path: PathBuf,
    /// The address of the HTTP interface; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Whether a parent looks after it, and it ends with that.
    pub supervised: bool,
}

impl EngineOptions {
    /// Reads the arguments after the program's name, if they are those of a supervised engine.
    pub fn from_supervised_arguments(arguments: impl IntoIterator<Item = OsString>) -> Option<Self> {
        let mut arguments = arguments.into_iter();
        let mut expect = |word: &str| arguments.next().filter(|argument| argument == word);
        expect("engine")?;
        expect("--supervised")?;
        expect("--path")?;
        let path = PathBuf::from(arguments.next()?);
        arguments.next().filter(|argument| argument == "--listen")?;
        let listen = arguments.next()?.to_str()?.parse().ok()?;
        arguments.next().is_none().then_some(Self { path, listen, supervised: true })
    }

    /// The arguments that [`EngineOptions::from_supervised_arguments`] reads.
    pub(super) fn supervised_arguments(path: &Path, listen: SocketAddr) -> Vec<OsString> {
        let words = ["engine", "--supervised", "--path"].map(OsString::from);
        let listen = [OsString::from("--listen"), OsString::from(listen.to_string())];
        words.into_iter().chain([path.as_os_str().to_owned()]).chain(listen).collect()
    }
}

/// Becomes the engine and exits, if this process was started as one; to be called first thing in `main`.
pub fn run_if_asked() {
    if let Some(options) = EngineOptions::from_supervised_arguments(env::args_os().skip(1)) {
        // On a thread of its own, because the caller may be in an asynchronous runtime already.
        let code = thread::spawn(move || main(&options)).join().unwrap_or(ExitCode::FAILURE);
        process::exit(i32::from(code != ExitCode::SUCCESS));
    }
}

/// Runs the engine until it is told to end.
pub fn main(options: &EngineOptions) -> ExitCode {
    match run(options) {
        Ok(true) => ExitCode::SUCCESS,
        // Threads of the library are still running: its destructors must not.
        Ok(false) => ffi::leave(0),
        Err(error) => {
            // One line: the parent reads lines.
            let reason = error.to_string().replace('\n', " ");
            if options.supervised {
                report(&format!("{FAILED}{reason}"));
            }
            complain(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Why the process could not do its work.
#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error(transparent)]
    Library(#[from] LibraryError),
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// Says whether everything ended in order.
fn run(options: &EngineOptions) -> Result<bool, RunError> {
    let process_error = |source| OpenError::Process { source };
    // What the library writes is nobody else's to read, and no code but ours runs here.
    private::by_default();
    let open_files = open_files::raise();
    let connections = usize::try_from(open_files / CONNECTIONS_SHARE).unwrap_or(usize::MAX).min(CONNECTIONS);
    if options.supervised {
        ffi::end_with_parent();
    }
    let input = ffi::take_standard_input().map_err(process_error)?;
    let runtime = Runtime::new().map_err(process_error)?;
    let parent = options.supervised.then_some(input);
    let ending = runtime.block_on(async { watch_for_end(parent) }).map_err(process_error)?;
    let listener = runtime.block_on(bind(options))?;
    let address = listener.local_addr().map_err(process_error)?;
    let lock = lock_directory(options)?;
    let library = library::locate()?;
    // The library joins a relative path to itself.
    let path = std::path::absolute(&options.path).map_err(process_error)?;
    if !fault::without("mending") {
        mend::mend(&path, complain);
    }
    let database = Database::open(&library, &path)?;
    let version = database.library_version().to_owned();
    let server = Arc::new(Server::new(database, address)?);
    report(&format!("{READY}{address}"));
    if !options.supervised {
        complain(&format!("ClickHouse (chDB {version}) on http://{address}, data in {}", options.path.display()));
    }
    let ordered = runtime.block_on(async {
        let mut ended = ending.clone();
        let stop = async move {
            // An error means that the watchers are gone, which is an end too.
            let _ = ended.wait_for(|end| *end).await;
            leave_at_last();
        };
        server.serve(listener, connections, stop, PATIENCE).await;
        server.close().await
    });
    runtime.shutdown_timeout(Duration::from_secs(1));
    drop(lock);
    Ok(ordered)
}

/// Becomes true when the process is to end: by a signal or, under a parent, by the end of what comes from it.
fn watch_for_end(parent: Option<File>) -> io::Result<watch::Receiver<bool>> {
    let (sender, receiver) = watch::channel(false);
    let sender = Arc::new(sender);
    let kinds = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()];
    for kind in kinds {
        let mut signals = signal(kind)?;
        // Ctrl-C and a closed terminal are the parent's to answer.
        let heeded = parent.is_none() || kind == SignalKind::terminate();
        let sender = Arc::clone(&sender);
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                if heeded {
                    sender.send_replace(true);
                }
            }
        });
    }
    if let Some(mut parent) = parent {
        thread::Builder::new().name("engine-parent".to_owned()).spawn(move || {
            // The parent writes nothing: what ends this is its end.
            let _ = io::copy(&mut parent, &mut io::sink());
            sender.send_replace(true);
        })?;
    }
    Ok(receiver)
}

/// Makes sure that the process ends even if closing hangs.
fn leave_at_last() {
    let _ = thread::Builder::new().name("engine-last-resort".to_owned()).spawn(|| {
        thread::sleep(LAST_RESORT);
        complain("the engine did not close in time; leaving");
        ffi::leave(1);
    });
}

async fn bind(options: &EngineOptions) -> Result<TcpListener, OpenError> {
    let started = Instant::now();
    loop {
        match TcpListener::bind(options.listen).await {
            Ok(listener) => return Ok(listener),
            Err(error)
                if options.supervised
                    && error.kind() == io::ErrorKind::AddrInUse
                    && started.elapsed() < PORT_TAKEOVER =>
            {
                tokio::time::sleep(TAKEOVER_PAUSE).await;
            }
            Err(source) => return Err(OpenError::Listen { address: options.listen, source }),
        }
    }
}

/// A port is let go of at once by a process that dies: waiting longer would only delay the message.
const PORT_TAKEOVER: Duration = Duration::from_secs(3);

/// Makes the directory and holds its lock until dropped.
fn lock_directory(options: &EngineOptions) -> Result<File, OpenError> {
    let directory_error = |source| OpenError::Directory { path: options.path.clone(), source };
    private::create(&options.path).map_err(directory_error)?;
    let path = options.path.join("moose-engine.lock");
    let mut lock =
        File::options().create(true).truncate(false).read(true).write(true).open(&path).map_err(directory_error)?;
    let started = Instant::now();
    let mut said = false;
    loop {
        match lock.try_lock() {
            Ok(()) => break,
            Err(TryLockError::Error(source)) => return Err(directory_error(source)),
            Err(TryLockError::WouldBlock) if options.supervised && started.elapsed() < TAKEOVER => {
                if !said {
                    report(&format!("{WAITING}for {} to let go of {}", holder(&path), options.path.display()));
                    said = true;
                }
                thread::sleep(TAKEOVER_PAUSE);
            }
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::InUse { path: options.path.clone(), holder: holder(&path) });
            }
        }
    }
    // Only for the message of the next one; the lock itself is the system's.
    let _ = lock.set_len(0).and_then(|()| lock.write_all(format!("{}\n", process::id()).as_bytes()));
    Ok(lock)
}

/// Who holds the lock, as far as its file says.
fn holder(path: &Path) -> String {
    let mut line = String::new();
    let read = File::open(path).and_then(|file| io::BufReader::new(file).read_line(&mut line));
    match read {
        Ok(_) if !line.trim().is_empty() => format!("process {}", line.trim()),
        _ => "another process".to_owned(),
    }
}

/// A line for the parent. One that is gone notices nothing.
fn report(line: &str) {
    let mut output = io::stdout().lock();
    let _ = writeln!(output, "{line}").and_then(|()| output.flush());
}

/// A line for people.
fn complain(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_of_a_supervised_engine_is_read_back_and_nothing_else_is() {
        let listen = SocketAddr::from(([127, 0, 0, 1], 4002));
        let arguments = EngineOptions::supervised_arguments(Path::new("/data dir"), listen);
        let expected = EngineOptions { path: "/data dir".into(), listen, supervised: true };
        assert_eq!(EngineOptions::from_supervised_arguments(arguments.clone()), Some(expected));
        let short = arguments[..arguments.len() - 1].to_vec();
        assert_eq!(EngineOptions::from_supervised_arguments(short), None);
        assert_eq!(EngineOptions::from_supervised_arguments(["engine".into()]), None);
        assert_eq!(EngineOptions::from_supervised_arguments(["dev".into()]), None);
    }
}
