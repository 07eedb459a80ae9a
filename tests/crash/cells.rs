//! What the matrix is made of: where is killed, who is killed, and which nets are under it.

use moose_runtime::internal::fault::Point;

use crate::scene::Victim;

/// The engine has all of an INSERT but its last byte, and nothing of it is executed: the proxy's point.
pub(crate) const RECEIVED: &str = "engine.insert.received";

/// The engine has executed an INSERT, and its answer is on the way: the proxy's point.
pub(crate) const EXECUTED: &str = "engine.insert.executed";

/// The rename of a part in the engine, its token already written: the shim's point.
pub(crate) const RENAME: &str = "engine.rename";

/// An INSERT that a server still has when its pipeline is killed, and runs only after the next one has settled it.
pub(crate) const LATE_INSERT: &str = "engine.insert.received, then run late";

/// All places to kill at, in the order in which a record meets them. A new point is a new row by itself.
pub(crate) fn places() -> Vec<&'static str> {
    let mut places = Vec::new();
    // Migrations have kills of their own.
    for point in Point::ALL.iter().filter(|point| !point.name().starts_with("migrate.")) {
        places.push(point.name());
        if *point == Point::InsertAhead {
            places.extend([RECEIVED, LATE_INSERT, RENAME, EXECUTED]);
        }
    }
    places
}

/// What keeps the records of a range from being lost or stored twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Nets {
    /// The token and the hidden columns.
    Both,
    /// Only the token: a table without hidden columns.
    Token,
    /// Only the hidden columns: a table that remembers no tokens.
    Provenance,
    /// Only the token, into a table that keeps the newest version of each id.
    Replacing,
}

impl Nets {
    pub(crate) const ALL: [Self; 4] = [Self::Both, Self::Token, Self::Provenance, Self::Replacing];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Both => "both nets",
            Self::Token => "token only",
            Self::Provenance => "provenance only",
            Self::Replacing => "Replacing",
        }
    }
}

/// What it takes to come to a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Circumstance {
    /// Records on their way.
    Steady,
    /// So many of them at once that several ranges are closed together.
    Backlog,
    /// Records on their way, with the shim in the engine.
    Rename,
    /// Records on their way into a server that does not end with the pipeline.
    Server,
    /// Records of which the table refuses one.
    Refused,
    /// Records that wait, of a process that was killed, when the next one begins.
    Start,
    /// Records that are old enough to go.
    Retention,
    /// A range in doubt whose token was taken without its rows.
    Burnt,
    /// The same, with a view behind the table.
    BurntBeforeAView,
}

impl Circumstance {
    /// The one that takes longest comes first.
    pub(crate) const ALL: [Self; 9] = [
        Self::Refused,
        Self::Steady,
        Self::Start,
        Self::Burnt,
        Self::BurntBeforeAView,
        Self::Retention,
        Self::Backlog,
        Self::Rename,
        Self::Server,
    ];

    /// Where a place belongs, by its name: what nobody has thought of here is met by records on their way.
    pub(crate) fn of(place: &str) -> Self {
        match place.split('.').next() {
            _ if place == RENAME => Self::Rename,
            _ if place == LATE_INSERT => Self::Server,
            _ if place == Point::InsertAhead.name() => Self::Backlog,
            Some("trial" | "letters") => Self::Refused,
            Some("retention") => Self::Retention,
            Some("table") => Self::Start,
            Some("settle" | "again") => Self::Burnt,
            Some("mend") => Self::BurntBeforeAView,
            _ => Self::Steady,
        }
    }

    /// Whether there are such cells with these nets.
    fn is_met(self, nets: Nets) -> bool {
        match self {
            Self::Steady | Self::Start | Self::Backlog | Self::Rename | Self::Retention => true,
            // Three versions of one id would be three dead letters.
            Self::Refused | Self::Server => nets != Nets::Replacing,
            Self::Burnt => matches!(nets, Nets::Both | Nets::Provenance),
            Self::BurntBeforeAView => nets == Nets::Both,
        }
    }
}

/// One cell of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) place: &'static str,
    pub(crate) victim: Victim,
    pub(crate) nets: Nets,
}

impl Cell {
    /// All cells of one circumstance, one after the other on one data directory.
    pub(crate) fn chain(circumstance: Circumstance, nets: Nets) -> Vec<Self> {
        let places = places().into_iter().filter(|place| Circumstance::of(place) == circumstance);
        let cells = places.flat_map(|place| Victim::ALL.map(|victim| Self { place, victim, nets }));
        cells.filter(|cell| cell.is_met()).collect()
    }

    fn is_met(self) -> bool {
        let circumstance = Circumstance::of(self.place);
        // A table that knows no tokens has none that are taken: being asked is all that it meets.
        let needs_tokens = circumstance == Circumstance::Burnt && self.place != Point::SettleProbed.name();
        circumstance.is_met(self.nets)
            && !(needs_tokens && self.nets == Nets::Provenance)
            && (circumstance != Circumstance::Server || self.victim == Victim::Pipeline)
    }

    /// Which pass of the point: the second, where one comes for sure. Then something is on its way already; and the first
    /// segment that retention drops may have been passed by an earlier note of it.
    pub(crate) fn pass(self) -> u32 {
        match Circumstance::of(self.place) {
            Circumstance::Steady | Circumstance::Rename | Circumstance::Retention => 2,
            _ => 1,
        }
    }

    /// Whether records of the cell may be lost, and whether some may be there twice: where each net has its hole, and
    /// nowhere else.
    pub(crate) fn may(self) -> (bool, bool) {
        match self.nets {
            Nets::Both => (false, false),
            Nets::Token | Nets::Replacing => (self.place == RENAME && self.victim != Victim::Pipeline, false),
            Nets::Provenance => (false, self.place == LATE_INSERT),
        }
    }
}
