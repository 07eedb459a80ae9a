//! Which requests meet which fault.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use hyper::StatusCode;
use tokio::sync::watch;

use super::{Proxy, Recorded};

/// What is done to a request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Passed on only after this time.
    Delay(Duration),
    /// Passed on only when [`RuleHandle::release`] is called.
    Hold,
    /// Passed on but for its last byte, which follows when [`RuleHandle::release`] is called, even if the client is long
    /// gone.
    HoldEnd,
    /// The connection is closed; nothing is passed on.
    Refuse,
    /// Nothing is passed on and nothing is ever answered.
    Stall,
    /// Never answered; passed on only when [`RuleHandle::release`] is called, even if the client is long gone.
    Late,
    /// Passed on; the connection is closed at once, while the upstream is still at it.
    Abandon,
    /// The first bytes of the body are passed on, then both connections are closed.
    CutRequest {
        /// How many bytes of the body still go through.
        after: usize,
    },
    /// Passed on and answered by the upstream; the answer is lost with the connection.
    DropAnswer,
    /// Passed on and answered; the answer goes back only when [`RuleHandle::release`] is called.
    HoldAnswer,
    /// Passed on; the head and the first bytes of the answer's body go back, then the connection is closed. An answer
    /// without so many bytes says in its head that there are more.
    CutAnswer {
        /// How many bytes of the body still go back.
        after: usize,
    },
    /// Answered by the proxy; nothing is passed on.
    Answer(Canned),
    /// Passed on and answered; the proxy's answer goes back in its stead.
    Lie(Canned),
}

/// An answer of the proxy's own.
#[derive(Clone, Debug)]
pub struct Canned {
    /// Status of the answer.
    pub status: StatusCode,
    /// Headers of the answer.
    pub headers: Vec<(&'static str, String)>,
    /// Body of the answer.
    pub body: Bytes,
}

impl Canned {
    /// An answer without ClickHouse's headers, as a load balancer gives it.
    pub fn plain(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }

    /// An error as ClickHouse answers it.
    pub fn exception(status: StatusCode, code: u32, message: &str) -> Self {
        Self {
            status,
            headers: vec![("x-clickhouse-exception-code", code.to_string())],
            body: Bytes::from(format!("Code: {code}. DB::Exception: {message}\n")),
        }
    }
}

impl Fault {
    /// A name for the record.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Delay(_) => "delay",
            Self::Hold => "hold",
            Self::HoldEnd => "hold end",
            Self::Refuse => "refuse",
            Self::Stall => "stall",
            Self::Late => "late",
            Self::Abandon => "abandon",
            Self::CutRequest { .. } => "cut request",
            Self::DropAnswer => "drop answer",
            Self::HoldAnswer => "hold answer",
            Self::CutAnswer { .. } => "cut answer",
            Self::Answer(_) => "answer",
            Self::Lie(_) => "lie",
        }
    }
}

type Predicate = Box<dyn Fn(&Recorded) -> bool + Send + Sync>;

/// A rule on its way: which requests, then [`make`](Self::make) what of them.
#[must_use = "a rule does nothing before `make`"]
pub struct RuleBuilder<'a> {
    pub(super) proxy: &'a Proxy,
    pub(super) predicate: Predicate,
    pub(super) skip: usize,
    pub(super) times: usize,
}

impl RuleBuilder<'_> {
    /// Leaves the first `count` matching requests alone.
    pub fn skip(mut self, count: usize) -> Self {
        self.skip = count;
        self
    }

    /// Ends after `count` faults; without it the rule stands until it is removed.
    pub fn times(mut self, count: usize) -> Self {
        self.times = count;
        self
    }

    /// Puts the rule in force. Of several rules that match a request, the first that was made takes it.
    pub fn make(self, fault: Fault) -> RuleHandle {
        let rule = Arc::new(Rule {
            predicate: self.predicate,
            from: self.skip,
            until: self.skip.saturating_add(self.times),
            fault,
            seen: AtomicUsize::new(0),
            hits: AtomicUsize::new(0),
            held: AtomicUsize::new(0),
            finished: AtomicUsize::new(0),
            removed: AtomicBool::new(false),
            released: watch::Sender::new(false),
        });
        self.proxy.shared.add(Arc::clone(&rule));
        RuleHandle { rule }
    }
}

/// A rule in force.
pub(super) struct Rule {
    predicate: Predicate,
    from: usize,
    until: usize,
    pub(super) fault: Fault,
    seen: AtomicUsize,
    hits: AtomicUsize,
    pub(super) held: AtomicUsize,
    pub(super) finished: AtomicUsize,
    removed: AtomicBool,
    released: watch::Sender<bool>,
}

impl Rule {
    /// Whether the rule takes this request; counts it.
    pub(super) fn takes(&self, request: &Recorded) -> bool {
        if self.removed.load(Ordering::Acquire) || !(self.predicate)(request) {
            return false;
        }
        let place = self.seen.fetch_add(1, Ordering::AcqRel);
        let taken = (self.from..self.until).contains(&place);
        if taken {
            self.hits.fetch_add(1, Ordering::AcqRel);
        }
        taken
    }

    /// Returns once the rule is released.
    pub(super) async fn released(&self) {
        // The sender lives in self: it can't be gone.
        let _ = self.released.subscribe().wait_for(|released| *released).await;
    }
}

/// Hold on a rule in force. Dropping it leaves the rule in force.
#[derive(Clone)]
pub struct RuleHandle {
    rule: Arc<Rule>,
}

impl RuleHandle {
    /// How many requests met the fault.
    pub fn hits(&self) -> usize {
        self.rule.hits.load(Ordering::Acquire)
    }

    /// How many requests are, or were, held back in their middle: without their end, or with their answer.
    pub fn held(&self) -> usize {
        self.rule.held.load(Ordering::Acquire)
    }

    /// How many requests that their clients gave up have been answered by the upstream since.
    pub fn finished(&self) -> usize {
        self.rule.finished.load(Ordering::Acquire)
    }

    /// Lets go what the rule holds, and holds nothing more.
    pub fn release(&self) {
        self.rule.released.send_replace(true);
    }

    /// Takes the rule out of force and lets go what it holds.
    pub fn remove(&self) {
        self.rule.removed.store(true, Ordering::Release);
        self.release();
    }
}
