//! Fault points: named places of the protocol at which a test may halt the process and kill it, and mechanisms that it
//! may switch off.
//!
//! Only with the feature `fault-points`, which the tests alone turn on; without it every function here is empty and
//! compiled away. The instructions come from the environment, so that the embedded engine's own process, which inherits
//! it, follows them too:
//!
//! - `FAULT_POINT=<name>:<n>` and `FAULT_POINT_DIR=<directory>`: the process that passes the point for the n-th time
//!   since the directory exists writes its id into `<directory>/reached` and waits until `<directory>/go` exists. A
//!   directory that is created later arms the point later.
//! - `FAULT_WITHOUT=<mechanism>,…`: switches mechanisms off, to prove that they are needed.
//! - `FAULT_RETENTION_INTERVAL=<milliseconds>`: how often retention runs.
//! - `FAULT_BOOT=<number>`: simulates a boot id of the machine, as after a power failure.
//! - `FAULT_ENGINE_VIA=<address>`: the proxy through which the pipeline talks to its embedded engine.
//! - `FAULT_LEASE=<milliseconds>`: how long the lock of migrations and drained tables outlive a holder that is gone.
//!
//! A thread that reaches the point blocks there, in asynchronous code too; everything else goes on.

use std::time::Duration;

/// Lists the points once, for the enum, its names and [`Point::ALL`].
macro_rules! points {
    ($($(#[$meaning:meta])* $point:ident = $name:literal,)*) => {
        /// A named place of the protocol.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Point {
            $($(#[$meaning])* $point,)*
        }

        impl Point {
            /// All of them, in the order in which a record passes them.
            pub const ALL: &[Self] = &[$(Self::$point,)*];

            /// Its name in `FAULT_POINT`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$point => $name,)*
                }
            }
        }
    };
}

points! {
    /// A commit of the log with records in it is about to be written.
    AppendBefore = "append.before",
    /// Such a commit is durable; no caller has a reply yet.
    AppendAfter = "append.after",
    /// A worker that begins has asked its table what it has; nothing was settled or sent.
    TableAsked = "table.asked",
    /// The cursor is about to be written with a new range in it.
    PendingBefore = "pending.before",
    /// The range is written down; nothing of it was sent.
    PendingAfter = "pending.after",
    /// The INSERT of a range is about to be sent.
    InsertBefore = "insert.before",
    /// The INSERT of the next range is sent, all but its last byte.
    InsertAhead = "insert.ahead",
    /// The answer is read, nothing was done with it.
    InsertAnswered = "insert.answered",
    /// The cursor is about to be written behind a range.
    CursorBefore = "cursor.before",
    /// It is written.
    CursorAfter = "cursor.after",
    /// A range in doubt: the table was asked which rows it has.
    SettleProbed = "settle.probed",
    /// It is written down that the range's token was taken without its rows.
    SettleBurnt = "settle.burnt",
    /// The missing rows are about to be sent under a token of their own.
    AgainBefore = "again.before",
    /// They were answered.
    AgainAfter = "again.after",
    /// The table is created through which missing rows get into a table with views.
    MendMade = "mend.made",
    /// The rows are in it.
    MendFilled = "mend.filled",
    /// A table partition of it was moved over.
    MendMoved = "mend.moved",
    /// The table of a trial is about to be made.
    TrialBefore = "trial.before",
    /// It is made.
    TrialMade = "trial.made",
    /// Rows were tried in it, once.
    TrialTried = "trial.tried",
    /// All is found out; the table is about to be dropped.
    TrialDrop = "trial.drop",
    /// Dead letters are about to be written.
    LettersBefore = "letters.before",
    /// They are durable; nothing has passed their records.
    LettersAfter = "letters.after",
    /// A start of a partition is about to be moved by retention.
    RetentionBefore = "retention.before",
    /// The new start is noted durably; a segment before it is about to be dropped.
    RetentionNoted = "retention.noted",
    /// The segment is dropped.
    RetentionAfter = "retention.after",
    /// A table is about to be drained for a migration.
    MigrateDrain = "migrate.drain",
    /// A statement of a migration is the next to be taken; nothing is noted about it.
    MigrateBefore = "migrate.before",
    /// It is noted that the statement is begun.
    MigrateBegun = "migrate.begun",
    /// It is about to be sent, after the last look whether the lock is still held.
    MigrateSend = "migrate.send",
    /// It was answered.
    MigrateRan = "migrate.ran",
    /// It is noted that it is done.
    MigrateDone = "migrate.done",
    /// The drained table takes INSERTs again; that is not noted.
    MigrateResumed = "migrate.resumed",
}

/// Passes a fault point.
#[inline]
pub fn point(point: Point) {
    #[cfg(feature = "fault-points")]
    armed::pass(point);
    #[cfg(not(feature = "fault-points"))]
    let _ = point;
}

/// Whether a mechanism is switched off.
#[inline]
pub fn without(mechanism: &str) -> bool {
    #[cfg(feature = "fault-points")]
    return armed::without(mechanism);
    #[cfg(not(feature = "fault-points"))]
    {
        let _ = mechanism;
        false
    }
}

/// How often retention runs, instead of `usual`.
#[inline]
pub fn retention_interval(usual: Duration) -> Duration {
    #[cfg(feature = "fault-points")]
    return armed::retention_interval().unwrap_or(usual);
    #[cfg(not(feature = "fault-points"))]
    usual
}

/// The simulated boot id.
#[inline]
pub fn boot() -> Option<u64> {
    #[cfg(feature = "fault-points")]
    return armed::boot();
    #[cfg(not(feature = "fault-points"))]
    None
}

/// The address through which to reach the embedded engine, instead of `usual`.
#[inline]
pub fn way_to_engine(usual: String) -> String {
    #[cfg(feature = "fault-points")]
    return armed::way_to_engine().unwrap_or(usual);
    #[cfg(not(feature = "fault-points"))]
    usual
}

/// The length of a lease, instead of `usual`.
#[inline]
pub fn lease(usual: Duration) -> Duration {
    #[cfg(feature = "fault-points")]
    return armed::lease().unwrap_or(usual);
    #[cfg(not(feature = "fault-points"))]
    usual
}

#[cfg(feature = "fault-points")]
mod armed {
    //! What the environment of this process asks for.

    use std::{
        env, fs,
        path::PathBuf,
        process,
        sync::{
            LazyLock,
            atomic::{AtomicU64, Ordering},
        },
        thread,
        time::{Duration, Instant},
    };

    use tokio::runtime::{Handle, RuntimeFlavor};

    use super::Point;

    /// How often a halted thread checks whether it may go on.
    const LOOK_EVERY: Duration = Duration::from_millis(2);
    /// Longer than any test waits: a process whose test is gone must not stay for ever.
    const LONGEST: Duration = Duration::from_mins(2);

    struct Plan {
        name: String,
        pass: u64,
        directory: PathBuf,
        passed: AtomicU64,
    }

    static PLAN: LazyLock<Option<Plan>> = LazyLock::new(|| {
        let wanted = env::var("FAULT_POINT").ok()?;
        let (name, pass) = wanted.rsplit_once(':')?;
        let (name, pass) = (name.to_owned(), pass.parse().ok()?);
        let directory = env::var_os("FAULT_POINT_DIR")?.into();
        Some(Plan { name, pass, directory, passed: AtomicU64::new(0) })
    });

    pub(super) fn pass(point: Point) {
        let Some(plan) = PLAN.as_ref().filter(|plan| plan.name == point.name() && plan.directory.is_dir()) else {
            return;
        };
        if plan.passed.fetch_add(1, Ordering::AcqRel) + 1 != plan.pass {
            return;
        }
        // Only this task must halt: blocking a worker of the runtime would stop other tasks too.
        match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
            Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(|| plan.halt()),
            _ => plan.halt(),
        }
    }

    impl Plan {
        fn halt(&self) {
            // A test that does not see the file fails, and says so.
            let _ = fs::write(self.directory.join("reached"), process::id().to_string());
            let (go, since) = (self.directory.join("go"), Instant::now());
            while !go.exists() && since.elapsed() < LONGEST {
                thread::sleep(LOOK_EVERY);
            }
        }
    }

    pub(super) fn without(mechanism: &str) -> bool {
        static OUT: LazyLock<String> = LazyLock::new(|| env::var("FAULT_WITHOUT").unwrap_or_default());
        OUT.split(',').any(|out| out == mechanism)
    }

    pub(super) fn retention_interval() -> Option<Duration> {
        milliseconds("FAULT_RETENTION_INTERVAL")
    }

    pub(super) fn lease() -> Option<Duration> {
        milliseconds("FAULT_LEASE")
    }

    pub(super) fn way_to_engine() -> Option<String> {
        Some(format!("http://{}", env::var("FAULT_ENGINE_VIA").ok()?))
    }

    pub(super) fn boot() -> Option<u64> {
        env::var("FAULT_BOOT").ok()?.parse().ok()
    }

    fn milliseconds(name: &str) -> Option<Duration> {
        Some(Duration::from_millis(env::var(name).ok()?.parse().ok()?))
    }
}
