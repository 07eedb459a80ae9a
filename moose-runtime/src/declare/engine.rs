//! The table engine of a declaration: the MergeTree family and its parameters.

use super::message::Message;

/// What merging does to the rows of a table, and whether the table has replicas.
///
/// ```
/// # use moose_runtime::prelude::*;
/// # #[derive(OlapRecord)]
/// # pub struct User {
/// #     #[key]
/// #     id: String,
/// #     #[serde(rename = "updatedAt")]
/// #     updated_at: DateTime<Utc>,
/// #     deleted: u8,
/// # }
/// #[pipeline]
/// static USERS: OlapTable<User> =
///     OlapTable::new("users").engine(Engine::replacing().version("updatedAt").is_deleted("deleted"));
/// ```
///
/// Columns are named as in the table; they are checked when the engine is given to one. An engine that merges rows into
/// one leaves no way to ask the table which records it has, so less is promised for such a table: a start says what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "an engine is given to `OlapTable::engine`"]
pub struct Engine {
    pub(super) kind: Kind,
    pub(super) replication: Replication,
}

/// [`EngineKind`](crate::schema::EngineKind) as a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    MergeTree,
    Replacing { version: Option<&'static str>, is_deleted: Option<&'static str> },
    Summing { columns: &'static [&'static str] },
    Aggregating,
    Collapsing { sign: &'static str },
    VersionedCollapsing { sign: &'static str, version: &'static str },
    Coalescing { columns: &'static [&'static str] },
}

/// [`Replication`](crate::schema::Replication) as a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Replication {
    None,
    Default,
    At { path: &'static str, replica: &'static str },
}

impl Engine {
    const fn of(kind: Kind) -> Self {
        Self { kind, replication: Replication::None }
    }

    /// `MergeTree`, the default: keeps every row.
    pub const fn merge_tree() -> Self {
        Self::of(Kind::MergeTree)
    }

    /// `ReplacingMergeTree`: keeps the last of the rows with one sorting key, or the one with the highest
    /// [`version`](Self::version).
    pub const fn replacing() -> Self {
        Self::of(Kind::Replacing { version: None, is_deleted: None })
    }

    /// `SummingMergeTree`: sums the numbers of the rows with one sorting key, in all columns or only in those of
    /// [`columns`](Self::columns).
    pub const fn summing() -> Self {
        Self::of(Kind::Summing { columns: &[] })
    }

    /// `AggregatingMergeTree`: merges the aggregate states of the rows with one sorting key.
    pub const fn aggregating() -> Self {
        Self::of(Kind::Aggregating)
    }

    /// `CollapsingMergeTree`: a row whose `sign`, an `Int8`, is -1 cancels one with 1.
    pub const fn collapsing(sign: &'static str) -> Self {
        Self::of(Kind::Collapsing { sign })
    }

    /// `VersionedCollapsingMergeTree`: the same for rows of one version, which may arrive in any order.
    pub const fn versioned_collapsing(sign: &'static str, version: &'static str) -> Self {
        Self::of(Kind::VersionedCollapsing { sign, version })
    }

    /// `CoalescingMergeTree`: keeps the last value that is not NULL of the rows with one sorting key, in all columns or
    /// only in those of [`columns`](Self::columns).
    pub const fn coalescing() -> Self {
        Self::of(Kind::Coalescing { columns: &[] })
    }

    /// For [`replacing`](Self::replacing): keeps the row with the highest value. An unsigned integer, a date or a time.
    #[track_caller]
    pub const fn version(mut self, column: &'static str) -> Self {
        let Kind::Replacing { is_deleted, .. } = self.kind else {
            Message::new("`.version(…)` is for `Engine::replacing()`, not for ").text(self.name()).fail();
        };
        self.kind = Kind::Replacing { version: Some(column), is_deleted };
        self
    }

    /// For [`replacing`](Self::replacing) with a [`version`](Self::version): if the row that would be kept has 1 in
    /// this `UInt8`, it is deleted too.
    #[track_caller]
    pub const fn is_deleted(mut self, column: &'static str) -> Self {
        let Kind::Replacing { version, .. } = self.kind else {
            Message::new("`.is_deleted(…)` is for `Engine::replacing()`, not for ").text(self.name()).fail();
        };
        if version.is_none() {
            Message::new("`.is_deleted(…)` needs a version: say `.version(…)` before it").fail();
        }
        self.kind = Kind::Replacing { version, is_deleted: Some(column) };
        self
    }

    /// For [`summing`](Self::summing) and [`coalescing`](Self::coalescing): these columns and no others.
    #[track_caller]
    pub const fn columns(mut self, columns: &'static [&'static str]) -> Self {
        if columns.is_empty() {
            Message::new("`.columns(…)` of an engine names no column: leave it out, which means all").fail();
        }
        self.kind = match self.kind {
            Kind::Summing { .. } => Kind::Summing { columns },
            Kind::Coalescing { .. } => Kind::Coalescing { columns },
            _ => Message::new("`.columns(…)` is for `Engine::summing()` and `Engine::coalescing()`, not for ")
                .text(self.name())
                .fail(),
        };
        self
    }

    /// The same engine with replicas, at the Keeper path that the server's configuration defines.
    pub const fn replicated(mut self) -> Self {
        self.replication = Replication::Default;
        self
    }

    /// The same engine with replicas at a Keeper path, under a replica name. Both may contain the server's macros, such
    /// as `/clickhouse/tables/{shard}/events` and `{replica}`.
    #[track_caller]
    pub const fn replicated_at(mut self, path: &'static str, replica: &'static str) -> Self {
        if path.is_empty() || replica.is_empty() {
            Message::new("`.replicated_at(path, replica)` has an empty text: say both, or `.replicated()`").fail();
        }
        self.replication = Replication::At { path, replica };
        self
    }

    /// Whether every row stays as inserted.
    pub(super) const fn keeps_every_row(&self) -> bool {
        matches!(self.kind, Kind::MergeTree)
    }

    /// Name of the engine without replication.
    pub(super) const fn name(&self) -> &'static str {
        match self.kind {
            Kind::MergeTree => "MergeTree",
            Kind::Replacing { .. } => "ReplacingMergeTree",
            Kind::Summing { .. } => "SummingMergeTree",
            Kind::Aggregating => "AggregatingMergeTree",
            Kind::Collapsing { .. } => "CollapsingMergeTree",
            Kind::VersionedCollapsing { .. } => "VersionedCollapsingMergeTree",
            Kind::Coalescing { .. } => "CoalescingMergeTree",
        }
    }
}
