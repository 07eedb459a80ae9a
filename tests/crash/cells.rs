//! What the matrix is made of: where is killed, who is killed, and which nets are under it.

use moose_runtime::fault::Point;

use crate::scene::Victim;

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
    /// Records of which the table refuses one.
    Refused,
    /// Records that are old enough to go.
    Retention,
    /// A range in doubt whose token was taken without its rows.
    Burnt,
    /// The same, with a view behind the table.
    BurntBeforeAView,
}

impl Circumstance {
    pub(crate) const ALL: [Self; 5] =
        [Self::Steady, Self::Refused, Self::Retention, Self::Burnt, Self::BurntBeforeAView];

    /// Where a point belongs, by its name: what nobody has thought of here is met by records on their way.
    pub(crate) fn of(point: Point) -> Self {
        match point.name().split('.').next() {
            Some("trial" | "letters") => Self::Refused,
            Some("retention") => Self::Retention,
            Some("settle" | "again") => Self::Burnt,
            Some("mend") => Self::BurntBeforeAView,
            _ => Self::Steady,
        }
    }

    /// Why there are no such cells with these nets, where there are none.
    pub(crate) fn is_met(self, nets: Nets) -> bool {
        match self {
            Self::Steady | Self::Retention => true,
            // Three versions of one id would be three dead letters.
            Self::Refused => nets != Nets::Replacing,
            Self::Burnt => matches!(nets, Nets::Both | Nets::Provenance),
            Self::BurntBeforeAView => nets == Nets::Both,
        }
    }
}

/// One cell of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) point: Point,
    pub(crate) victim: Victim,
    pub(crate) nets: Nets,
}

impl Cell {
    /// All cells of one circumstance, one after the other on one data directory.
    pub(crate) fn chain(circumstance: Circumstance, nets: Nets) -> Vec<Self> {
        let points = Point::ALL.iter().copied().filter(|point| Circumstance::of(*point) == circumstance);
        let met = points.filter(|point| {
            // A table that knows no tokens has none that are taken; being asked is all that it meets.
            circumstance.is_met(nets) && (nets != Nets::Provenance || can_do_without_tokens(*point))
        });
        met.flat_map(|point| Victim::ALL.map(|victim| Self { point, victim, nets })).collect()
    }

    /// Which pass of the point: the second, where one comes for sure, so that something is on its way already.
    pub(crate) fn pass(self) -> u32 {
        if Circumstance::of(self.point) == Circumstance::Steady { 2 } else { 1 }
    }

    /// What is promised for the cell: whether records may be lost, and whether some may be there twice.
    pub(crate) fn may(self) -> (bool, bool) {
        match self.nets {
            Nets::Both => (false, false),
            // After a hard kill of a plain server.
            Nets::Token | Nets::Replacing => (self.victim != Victim::Pipeline, false),
            Nets::Provenance => (false, true),
        }
    }
}

fn can_do_without_tokens(point: Point) -> bool {
    Circumstance::of(point) != Circumstance::Burnt || point == Point::SettleProbed
}
