//! The supervisor, the parent's side: starts the engine's process, restarts it when it dies, and shuts it down in
//! order.
//!
//! One thread does all of it and lives as long as the engine: the signal by which the system ends a child with its
//! parent belongs to the thread that started the child. The engine keeps the address that was bound first through every
//! restart.

use std::{
    env,
    io::Write as _,
    net::SocketAddr,
    os::{fd::OwnedFd, unix::process::CommandExt as _},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Mutex, PoisonError,
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tokio::sync::{oneshot, watch};

use super::{
    access::Access,
    child::{EngineOptions, Orders},
    error::EngineError,
    library, log,
    process::{end, read_lines, wait},
    report::{FAILED, READY, WAITING},
    users::Users,
};
use crate::{config::EngineConfig, machine::sockets};

/// Timeout of a start, which includes reading what a crash left.
const START: Duration = Duration::from_mins(1);

/// Pause between the end of a process and the next start: doubled from the first to the last, reset by a good run.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(5);

/// A process that ran this long counts as started.
const GOOD_RUN: Duration = Duration::from_secs(30);

/// How long an engine that is dropped or restarted has before it is killed.
const DEADLINE: Duration = Duration::from_secs(15);

/// Options for starting the engine.
#[derive(Clone, Debug)]
pub struct SupervisorOptions {
    /// The program whose `engine --supervised` is the engine; by default this process's own.
    pub program: Option<PathBuf>,
    /// The directory of the engine's data.
    pub path: PathBuf,
    /// The address of its HTTP interface; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Users and grants.
    pub users: Users,
    /// Whether ClickHouse's whole log is written to `clickhouse.log` beside the data.
    pub log: bool,
}

impl SupervisorOptions {
    /// This program's engine in `path`, as configured, with these passwords.
    pub fn new(path: PathBuf, config: &EngineConfig, access: &Access) -> Self {
        let users = Users::of(access, config.listen);
        Self { program: None, path, listen: config.listen, users, log: config.log }
    }
}

/// The state of the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EngineState {
    /// Not answering yet, or restarting; with its last message.
    Starting(String),
    /// Answering at this address.
    Ready(SocketAddr),
    /// Ended for good: as requested, or because it can't start.
    Ended(String),
}

/// A running engine. Dropping it ends it, by a kill if necessary.
#[derive(Debug)]
pub struct Engine {
    address: SocketAddr,
    events: Sender<Event>,
    state: watch::Receiver<EngineState>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// An event for the supervisor's thread.
#[derive(Debug)]
enum Event {
    /// A line of the process with this number.
    Line(u64, String),
    /// The process with this number has closed its output: it is ending.
    Closed(u64),
    /// Request to restart it, with the channel for the reply.
    Restart(oneshot::Sender<()>),
    /// Request to end it, with a deadline.
    Stop(Duration),
}

impl Engine {
    /// Downloads the library if necessary, starts the engine, and returns when it answers.
    pub async fn start(mut options: SupervisorOptions) -> Result<Self, EngineError> {
        // Restarts must find it wherever the program's working directory is then.
        if let Ok(path) = std::path::absolute(&options.path) {
            options.path = path;
        }
        // Here rather than in the child: a progress bar needs the terminal.
        tokio::task::spawn_blocking(library::locate).await.map_err(|_| EngineError::Stopped)??;
        let program = match options.program.clone() {
            Some(program) => program,
            None => env::current_exe()
                .map_err(|source| EngineError::Spawn { program: PathBuf::from("(this program)"), source })?,
        };
        let (events, incoming) = mpsc::channel();
        let (sender, mut state) = watch::channel(EngineState::Starting("starting".to_owned()));
        let (path, listen) = (options.path.clone(), options.listen);
        let mut supervisor = Supervisor {
            program: program.clone(),
            options,
            events: events.clone(),
            incoming,
            state: sender,
            number: 0,
            bound: None,
            port: None,
            restarted: Vec::new(),
        };
        let thread = thread::Builder::new()
            .name("engine-supervisor".to_owned())
            .spawn(move || supervisor.run())
            .map_err(|source| EngineError::Spawn { program, source })?;
        // Dropped on every early return, it ends what was started.
        let mut engine = Self { address: listen, events, state: state.clone(), thread: Mutex::new(Some(thread)) };
        let settled = state.wait_for(|state| !matches!(state, EngineState::Starting(_)));
        let settled = tokio::time::timeout(START, settled).await.map(|state| state.as_deref().ok().cloned());
        match settled {
            Ok(Some(EngineState::Ready(address))) => {
                engine.address = address;
                Ok(engine)
            }
            Ok(Some(EngineState::Ended(reason) | EngineState::Starting(reason))) => {
                Err(EngineError::Refused { path, reason })
            }
            Ok(None) => Err(EngineError::Stopped),
            Err(_) => Err(EngineError::NotReady { path, waited: START, last: engine.last_word() }),
        }
    }

    /// Its last message, while it does not answer.
    fn last_word(&self) -> String {
        match &*self.state.borrow() {
            EngineState::Starting(last) | EngineState::Ended(last) => last.clone(),
            EngineState::Ready(_) => String::new(),
        }
    }

    /// The address of its HTTP interface, which stays the same through every restart.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same as a URL, such as `http://127.0.0.1:4002`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its current state, to read or to wait on.
    pub fn state(&self) -> watch::Receiver<EngineState> {
        self.state.clone()
    }

    /// Ends the process in order, killing it after fifteen seconds, and starts it again; returns when it answers.
    pub async fn restart(&self) -> Result<(), EngineError> {
        let (answering, answers) = oneshot::channel();
        self.events.send(Event::Restart(answering)).map_err(|_| EngineError::Stopped)?;
        answers.await.map_err(|_| EngineError::Stopped)
    }

    /// Ends the engine, whoever else still has it: running statements may finish within about a second, and after
    /// `deadline` it is killed. Returns whether it ended in order.
    pub async fn stop(&self, deadline: Duration) -> bool {
        let _ = self.events.send(Event::Stop(deadline));
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let joined = tokio::task::spawn_blocking(move || thread.is_none_or(|thread| thread.join().is_ok())).await;
        let ended = matches!(&*self.state.borrow(), EngineState::Ended(reason) if reason == IN_ORDER);
        joined.unwrap_or(false) && ended
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // The thread ends the process by itself; waiting here could block a runtime.
        let _ = self.events.send(Event::Stop(DEADLINE));
    }
}

/// The last message of an engine that ended as requested.
const IN_ORDER: &str = "ended in order";

/// The state of the supervisor's thread.
struct Supervisor {
    program: PathBuf,
    options: SupervisorOptions,
    events: Sender<Event>,
    incoming: Receiver<Event>,
    state: watch::Sender<EngineState>,
    /// Counts processes, so that a late line of an earlier one is not mistaken for the current one's.
    number: u64,
    /// The address that was bound first.
    bound: Option<SocketAddr>,
    /// Keeps that port while no process has it: it could be taken by somebody who then is sent the password.
    port: Option<OwnedFd>,
    /// Those that wait for a restart.
    restarted: Vec<oneshot::Sender<()>>,
}

/// How a process ended.
enum End {
    /// By itself, with its last message.
    Died(String),
    /// For a restart.
    Restart,
    /// As requested; whether it ended in order.
    Stopped { in_order: bool },
}

impl Supervisor {
    fn run(&mut self) {
        let mut pause = FIRST_PAUSE;
        loop {
            let started = Instant::now();
            let end = match self.spawn() {
                Ok(child) => self.watch(child),
                Err(error) => End::Died(error.to_string()),
            };
            match end {
                End::Stopped { in_order } => {
                    let word = if in_order { IN_ORDER } else { "killed at the deadline" };
                    self.state.send_replace(EngineState::Ended(word.to_owned()));
                    return;
                }
                End::Restart => pause = FIRST_PAUSE,
                // If the first start fails, a retry would fail too.
                End::Died(reason) if self.bound.is_none() => {
                    self.state.send_replace(EngineState::Ended(reason));
                    return;
                }
                End::Died(reason) => {
                    if started.elapsed() > GOOD_RUN {
                        pause = FIRST_PAUSE;
                    }
                    tracing::warn!(reason, "the embedded engine ended; starting it again");
                    self.state.send_replace(EngineState::Starting(reason));
                    if self.stopped_within(pause) {
                        self.state.send_replace(EngineState::Ended(IN_ORDER.to_owned()));
                        return;
                    }
                    pause = (pause * 2).min(LAST_PAUSE);
                }
            }
        }
    }

    /// Waits; returns whether the engine was stopped meanwhile.
    fn stopped_within(&mut self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        loop {
            match self.incoming.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Event::Stop(_)) | Err(RecvTimeoutError::Disconnected) => return true,
                // A restart is what happens next anyway.
                Ok(Event::Restart(answering)) => self.restarted.push(answering),
                Ok(Event::Line(..) | Event::Closed(_)) => {}
                Err(RecvTimeoutError::Timeout) => return false,
            }
        }
    }

    fn spawn(&mut self) -> Result<Child, EngineError> {
        self.number += 1;
        let spawn_error = |source| EngineError::Spawn { program: self.program.clone(), source };
        let listen = self.bound.unwrap_or(self.options.listen);
        let mut child = Command::new(&self.program)
            .args(EngineOptions::supervised_arguments(&self.options.path, listen))
            // ClickHouse must read its terminal without line editing, wherever this was started from.
            .env("TERM", "dumb")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Its own process group: a Ctrl-C at the terminal is for the parent.
            .process_group(0)
            .spawn()
            .map_err(spawn_error)?;
        let orders = Orders { users: self.options.users.clone(), log: self.options.log, has_port: self.port.is_some() };
        let told = serde_json::to_vec(&orders).map_err(Into::into).and_then(|mut line| {
            line.push(b'\n');
            child.stdin.as_mut().map_or(Ok(()), |input| input.write_all(&line))
        });
        if let Err(source) = told {
            // It has ended already, or ends because it gets no orders.
            end(&mut child, DEADLINE);
            return Err(spawn_error(source));
        }
        let number = self.number;
        if let Some(output) = child.stdout.take() {
            let events = self.events.clone();
            read_lines(output, move |line| match line {
                Some(line) => events.send(Event::Line(number, line)).is_ok(),
                None => events.send(Event::Closed(number)).is_ok(),
            })
            .map_err(spawn_error)?;
        }
        if let Some(errors) = child.stderr.take() {
            read_lines(errors, |line| {
                if let Some(line) = line.filter(|line| !line.trim().is_empty()) {
                    log::pass_on(&line);
                }
                true
            })
            .map_err(spawn_error)?;
        }
        Ok(child)
    }

    /// Watches a process to its end.
    fn watch(&mut self, mut child: Child) -> End {
        let mut last = "it ended without a word".to_owned();
        loop {
            let Ok(event) = self.incoming.recv() else {
                return End::Stopped { in_order: end(&mut child, DEADLINE) };
            };
            match event {
                Event::Line(number, line) if number == self.number => {
                    if let Some(address) = line.strip_prefix(READY).and_then(|address| address.parse().ok()) {
                        self.bound = Some(address);
                        if self.port.is_none() {
                            self.port = sockets::keep_port(address)
                                .inspect_err(|error| tracing::debug!(%error, "the embedded engine's port is not kept"))
                                .ok();
                        }
                        self.state.send_replace(EngineState::Ready(address));
                        // The requester may have stopped waiting.
                        self.restarted.drain(..).for_each(|answering| answering.send(()).unwrap_or_default());
                        "it ended without a word".clone_into(&mut last);
                    } else if let Some(reason) = line.strip_prefix(FAILED) {
                        reason.clone_into(&mut last);
                    } else if let Some(reason) = line.strip_prefix(WAITING) {
                        tracing::info!("the embedded engine waits {reason}");
                        self.state.send_replace(EngineState::Starting(format!("waiting {reason}")));
                    } else {
                        tracing::info!(target: "moose::engine", "{line}");
                    }
                }
                Event::Closed(number) if number == self.number => {
                    let status = wait(&mut child, DEADLINE);
                    let status =
                        status.map_or_else(|| "killed: it did not end".to_owned(), |status| status.to_string());
                    return End::Died(format!("{last} ({status})"));
                }
                Event::Line(..) | Event::Closed(_) => {}
                Event::Restart(answering) => {
                    self.restarted.push(answering);
                    self.state.send_replace(EngineState::Starting("restarting".to_owned()));
                    end(&mut child, DEADLINE);
                    return End::Restart;
                }
                Event::Stop(deadline) => return End::Stopped { in_order: end(&mut child, deadline) },
            }
        }
    }
}
