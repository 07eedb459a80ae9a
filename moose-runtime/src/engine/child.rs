//! The engine's own process: `<binary> engine`, alone or under a parent.
//!
//! It locks its data directory, repairs the tables' deduplication logs, writes its configuration, and becomes
//! ClickHouse: an interactive `clickhouse local` on a terminal on which nobody types. A non-interactive one exits at
//! any exception that leaves the thread of a connection, and an invalid `Content-Length` is enough for one. One of our
//! statements reads a pipe to its end and so keeps the process alive. It exits in order when we close that pipe: when
//! the parent closes its end, at SIGTERM, and at Ctrl-C if it runs alone. A Ctrl-C meant for the parent does not reach
//! it. Messages for the parent are lines on standard output; messages for people, its own and ClickHouse's, go to
//! standard error.

use std::{
    env,
    ffi::OsString,
    fs::{self, File},
    io::{self, BufRead as _, BufReader, PipeReader},
    net::{SocketAddr, TcpListener},
    os::fd::{AsRawFd as _, OwnedFd},
    path::{Path, PathBuf},
    process::{self, ExitCode},
    sync::PoisonError,
    sync::atomic::Ordering,
    thread,
};

use serde::{Deserialize, Serialize};

use super::{
    access::{ACCESS_FILE, Access, AccessError},
    config::ServerConfig,
    ending::{ENDING, LISTENS, SERVING, TERMINAL, watch_for_end},
    error::OpenError,
    ffi::{self, ClickHouse},
    library::{self, LibraryError},
    lock::lock_directory,
    mend,
    report::{FAILED, OUTPUT, READY, complain, report},
    users::Users,
};
use crate::{
    fault,
    machine::{open_files, private},
};

/// Directory of the configuration in the data directory, and its log file.
const CONFIGURATION: &str = "configuration";
const LOG: &str = "clickhouse.log";

/// The command line of the engine's process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineOptions {
    /// The directory of the data; created if missing.
    pub path: PathBuf,
    /// The address of the HTTP interface; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Whether it has a parent.
    pub under: Under,
}

/// The parent of an engine's process, if any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Under {
    /// A parent, which sends the rest on standard input, and with which it ends.
    Parent,
    /// No parent.
    Nobody {
        /// The password of the pipeline's user; if empty, the stored one.
        password: String,
        /// Whether ClickHouse's whole log is written to a file.
        log: bool,
    },
}

/// The parent's orders on standard input, in one line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Orders {
    /// Users and grants.
    pub(super) users: Users,
    /// Whether ClickHouse's whole log is written to a file.
    pub(super) log: bool,
    /// Whether the parent keeps the port: then nobody else can have it.
    pub(super) has_port: bool,
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
        arguments.next().is_none().then_some(Self { path, listen, under: Under::Parent })
    }

    /// The arguments that [`EngineOptions::from_supervised_arguments`] reads.
    pub(super) fn supervised_arguments(path: &Path, listen: SocketAddr) -> Vec<OsString> {
        let words = ["engine", "--supervised", "--path"].map(OsString::from);
        let listen = [OsString::from("--listen"), OsString::from(listen.to_string())];
        words.into_iter().chain([path.as_os_str().to_owned()]).chain(listen).collect()
    }

    fn is_supervised(&self) -> bool {
        self.under == Under::Parent
    }
}

/// Becomes the engine and exits, if this process was started as one; must be called first in `main`.
pub fn run_if_asked() {
    if let Some(options) = EngineOptions::from_supervised_arguments(env::args_os().skip(1)) {
        process::exit(i32::from(main(&options) != ExitCode::SUCCESS));
    }
}

/// Runs the engine until it is asked to end.
pub fn main(options: &EngineOptions) -> ExitCode {
    match run(options) {
        // Threads of the library may still be running, so its destructors must not run.
        Ok(()) => ffi::leave(0),
        Err(error) => {
            // One line: the parent reads lines.
            let reason = error.to_string().replace('\n', " ");
            if options.is_supervised() {
                report(&format!("{FAILED}{reason}"));
            }
            complain(&format!("error: {error}"));
            ffi::leave(1)
        }
    }
}

/// Errors of the engine's process.
#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error(transparent)]
    Library(#[from] LibraryError),
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error(transparent)]
    Open(#[from] OpenError),
}

fn run(options: &EngineOptions) -> Result<(), RunError> {
    let process_error = |source| OpenError::Process { source };
    // Files that the library writes are private, and no code but ours runs here.
    private::by_default();
    let connections = open_files::engine_connections(open_files::raise());
    if options.is_supervised() {
        ffi::end_with_parent();
    }
    let (input, terminal) = ffi::replace_standard_input().map_err(process_error)?;
    let mut input = BufReader::new(input);
    let orders = orders(options, &mut input)?;
    let holds = [SERVING.begin().map_err(process_error)?, ENDING.begin().map_err(process_error)?];
    TERMINAL.lock().unwrap_or_else(PoisonError::into_inner).replace(terminal);
    let _ = OUTPUT.set(ffi::replace_standard_output().map_err(process_error)?);
    watch_for_end(options.is_supervised().then_some(input)).map_err(process_error)?;
    let _lock = lock_directory(&options.path, options.is_supervised())?;
    // The library joins a relative path to itself.
    let path = std::path::absolute(&options.path).map_err(process_error)?;
    let library = library::locate()?;
    let clickhouse = ClickHouse::load(&library)?;
    if !fault::without("mending") {
        mend::mend(&path, complain);
    }
    // The system's error for a port in use is clearer than the library's.
    if !orders.has_port {
        let bound = TcpListener::bind(options.listen);
        drop(bound.map_err(|source| OpenError::Listen { address: options.listen, source })?);
    }
    let config = write_configuration(&path, options.listen, connections, &orders)?;
    let port = announce_port(options).map_err(process_error)?;
    let arguments = [
        format!("--config-file={config}"),
        if orders.log { "--log-level=trace".to_owned() } else { "--log-level=warning".to_owned() },
        // There is nobody to ask or show anything to, and an error must not stop the statements that report the port.
        "--interactive".to_owned(),
        "--ignore-error".to_owned(),
        "--disable_suggestion".to_owned(),
        // It changes the mode of the file: never a device.
        format!("--history_file={}", path.join(CONFIGURATION).join("history").display()),
        format!("--query={}", statements(&port, &holds)),
    ];
    // An interrupted read on its terminal would end the process.
    ffi::leave_signals_to_other_threads().map_err(process_error)?;
    let ended = |reason: &str| OpenError::Ended { path: path.clone(), reason: first_line(reason) };
    clickhouse.run(&arguments).map_err(|reason| ended(&reason))?;
    // It ended without being released: it could not start.
    if SERVING.let_go() { Err(ended("its own words are in the lines before").into()) } else { Ok(()) }
}

/// The statements that ClickHouse runs: create the database, open the port and report it, or that there is none, and
/// serve until the end; then close the port, and keep the session until the last connection is closed.
fn statements(port: &OwnedFd, [serving, ending]: &[PipeReader; 2]) -> String {
    let (port, serving, ending) = (port.as_raw_fd(), serving.as_raw_fd(), ending.as_raw_fd());
    let tell = |what: &str| format!("SELECT {what} INTO OUTFILE '/dev/fd/{port}' TRUNCATE FORMAT TSV");
    let wait = |pipe: i32| format!("SELECT count() FROM file('/dev/fd/{pipe}', 'LineAsString', 'line String')");
    [
        "CREATE DATABASE IF NOT EXISTS moose ENGINE = Atomic".to_owned(),
        "SYSTEM START LISTEN HTTP".to_owned(),
        tell("getServerPort('http_port') FROM system.databases WHERE name = 'moose'"),
        tell("'none'"),
        wait(serving),
        "SYSTEM STOP LISTEN HTTP".to_owned(),
        wait(ending),
    ]
    .join("; ")
}

/// The orders, from the parent or the options.
fn orders(options: &EngineOptions, input: &mut BufReader<File>) -> Result<Orders, RunError> {
    match &options.under {
        Under::Parent => {
            let mut line = String::new();
            input.read_line(&mut line).map_err(|source| OpenError::Process { source })?;
            Ok(serde_json::from_str(&line).map_err(|error| OpenError::Process { source: error.into() })?)
        }
        Under::Nobody { password, log } => {
            let access = Access::open(&options.path, password)?;
            Ok(Orders { users: Users::of(&access, options.listen), log: *log, has_port: false })
        }
    }
}

/// Writes ClickHouse's configuration, readable by nobody else; returns its path.
fn write_configuration(
    path: &Path,
    listen: SocketAddr,
    connections: usize,
    orders: &Orders,
) -> Result<String, OpenError> {
    let directory = path.join(CONFIGURATION);
    let failed = |source| OpenError::Directory { path: directory.clone(), source };
    let text = |path: &Path| path.to_str().map(str::to_owned).ok_or_else(|| OpenError::Name { path: path.to_owned() });
    private::create(&directory).map_err(failed)?;
    let (config, users) = (directory.join("config.xml"), directory.join("users.xml"));
    let log = orders.log.then(|| path.join(LOG));
    let server = ServerConfig { path: &text(path)?, listen, users: &text(&users)?, connections, log: log.as_deref() };
    for (file, content) in [(&users, orders.users.xml()), (&config, &server.xml())] {
        // Never a file that others could read before.
        let _ = fs::remove_file(file);
        private::write(file, content.as_bytes()).map_err(failed)?;
    }
    text(&config)
}

/// Waits on a thread for ClickHouse to report its port, and reports to the parent. Returns where ClickHouse is to
/// report it.
fn announce_port(options: &EngineOptions) -> io::Result<OwnedFd> {
    let (reader, writer) = io::pipe()?;
    let (options, version) = (options.clone(), library::version());
    thread::Builder::new().name("engine-port".to_owned()).spawn(move || {
        let mut line = String::new();
        let read = BufReader::new(reader).read_line(&mut line);
        if read.is_ok_and(|bytes| bytes == 0) {
            // ClickHouse has ended, and whoever ran it reports why.
            return;
        }
        let Ok(port) = line.trim().parse() else {
            let reason = "ClickHouse did not open its port; its own words are in the lines before";
            if options.is_supervised() {
                report(&format!("{FAILED}{reason}"));
            }
            complain(&format!("error: {reason}"));
            ffi::leave(1);
        };
        LISTENS.store(true, Ordering::SeqCst);
        let address = SocketAddr::new(options.listen.ip(), port);
        if options.is_supervised() {
            report(&format!("{READY}{address}"));
        } else {
            let path = options.path.display();
            complain(&format!(
                "ClickHouse (chDB {version}) on http://{address}, data in {path}, its users' passwords in {path}/{ACCESS_FILE}"
            ));
        }
    })?;
    Ok(OwnedFd::from(writer))
}

/// ClickHouse's message without the traces that may follow.
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_of_a_supervised_engine_is_read_back_and_nothing_else_is() {
        let listen = SocketAddr::from(([127, 0, 0, 1], 4002));
        let arguments = EngineOptions::supervised_arguments(Path::new("/data dir"), listen);
        let expected = EngineOptions { path: "/data dir".into(), listen, under: Under::Parent };
        assert_eq!(EngineOptions::from_supervised_arguments(arguments.clone()), Some(expected));
        let short = arguments[..arguments.len() - 1].to_vec();
        assert_eq!(EngineOptions::from_supervised_arguments(short), None);
        assert_eq!(EngineOptions::from_supervised_arguments(["engine".into()]), None);
        assert_eq!(EngineOptions::from_supervised_arguments(["dev".into()]), None);
    }
}
