//! The flaws that a check can find, what each means for the delivery guarantee, and its remedy.

use std::fmt::{self, Display};

/// Engines whose rows are lost with the server, or were never stored.
const VANISHES: [&str; 4] = ["Join", "Memory", "Null", "Set"];

/// What a flaw means for delivery into its table, in the order of severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Worth knowing; the guarantee holds.
    Note,
    /// After certain failures rows can be duplicated.
    Repeats,
    /// After certain failures of the server rows can be lost.
    Loses,
    /// Nothing can be written; records wait in the stream.
    Blocks,
    /// Nothing is known, so nothing is guaranteed.
    Unknown,
}

impl Display for Effect {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Note => "note",
            Self::Repeats => "may repeat",
            Self::Loses => "may lose",
            Self::Blocks => "can't be written",
            Self::Unknown => "unknown",
        })
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Flaw {
    /// The server does not say what the table is.
    #[error("the table can't be looked at: {reason}")]
    NotSeen {
        /// What the server said instead.
        reason: String,
    },
    /// There is no such table.
    #[error("the table is not there")]
    NoTable,
    /// Its columns can't accept the block.
    #[error("the table differs from its declaration: {}", differences.join("; "))]
    ColumnsDiffer {
        /// All that prevents an INSERT.
        differences: Vec<String>,
        /// How to accept the table as it is, where that is possible.
        adopting: Option<String>,
    },
    /// It differs from its declaration, but accepts the block.
    #[error("the table is not quite as declared: {}", differences.join("; "))]
    ColumnsVary {
        /// All that differs.
        differences: Vec<String>,
    },
    /// The user lacks a privilege that delivery needs.
    #[error("the user of this application lacks the privilege {privilege}: {consequence}")]
    NotGranted {
        /// Which privilege.
        privilege: String,
        /// What does not work without it.
        consequence: &'static str,
        /// How much that matters.
        effect: Effect,
    },
    /// The server lacks a setting that delivery needs.
    #[error("the server has no setting `{setting}`: {consequence}")]
    SettingUnknown {
        /// Which setting.
        setting: &'static str,
        /// What does not work without it.
        consequence: &'static str,
        /// How much that matters.
        effect: Effect,
    },
    /// The table remembers no tokens.
    #[error(
        "`{setting}` is 0: the table remembers no tokens, so an INSERT that is sent again while the first still runs is stored twice"
    )]
    NoWindow {
        /// The setting of the table.
        setting: &'static str,
    },
    /// The table remembers few tokens.
    #[error(
        "`{setting}` is {window}, less than {wanted}: other parts can push out the token of a range that is still on its way"
    )]
    SmallWindow {
        /// The setting of the table.
        setting: &'static str,
        /// Its value.
        window: u64,
        /// The minimum.
        wanted: u64,
    },
    /// The table forgets tokens soon.
    #[error(
        "`replicated_deduplication_window_seconds` is {seconds}: after a longer outage the token of a range is forgotten"
    )]
    ShortWindow {
        /// Its value.
        seconds: u64,
        /// How much that matters.
        effect: Effect,
    },
    /// INSERTs are buffered before they are stored.
    #[error("`async_insert` is set on the table: ranges are mixed with other INSERTs before they are stored")]
    AsyncInserts,
    /// The engine merges rows away by design.
    #[error(
        "{engine} collapses rows, so the table can't be asked which rows of a range it has and the token stands alone: {consequence}"
    )]
    Collapses {
        /// Its engine.
        engine: String,
        /// What follows.
        consequence: &'static str,
        /// How much that matters.
        effect: Effect,
    },
    /// The table can't be asked which rows it has.
    #[error(
        "the table is declared with `.provenance(false)`, so it can't be asked which rows of a range it has and the token stands alone: {consequence}"
    )]
    NoProvenance {
        /// What follows.
        consequence: &'static str,
        /// How much that matters.
        effect: Effect,
    },
    /// The engine does not deduplicate.
    #[error("the engine {engine} knows no deduplication tokens")]
    OtherEngine {
        /// Its engine.
        engine: String,
    },
    /// A range may go to another partition at each retry.
    #[error(
        "its partition key `{partition_key}` takes `{value}`, which is another one at each try, and tokens count within one partition of the table"
    )]
    PartitionKey {
        /// The partition key.
        partition_key: String,
        /// The non-deterministic value in it.
        value: String,
    },
    /// A view whose target remembers too few tokens.
    #[error(
        "view {view} writes into {target}, which remembers {window} tokens: a range that is sent again comes into it twice"
    )]
    ViewWindow {
        /// The view.
        view: String,
        /// Its target.
        target: String,
        /// Name of the setting there.
        setting: &'static str,
        /// Its value.
        window: u64,
    },
    /// A view whose target does not deduplicate.
    #[error(
        "view {view} writes into {target}, whose engine {engine} knows no deduplication tokens: a range that is sent again comes into it twice"
    )]
    ViewEngine {
        /// The view.
        view: String,
        /// Its target.
        target: String,
        /// Engine of the target.
        engine: String,
    },
    /// A view whose target our user may not see.
    #[error("where view {view} writes to can't be seen: nothing is promised for it")]
    ViewUnknown {
        /// The view.
        view: String,
    },
    /// Views on a server where an INSERT may not reach them.
    #[error("a hard kill or a disk error of the server can cost the views behind the table ({}) a range; the table has it", views.join(", "))]
    ViewsOnPlainServer {
        /// The views.
        views: Vec<String>,
    },
    /// Row policies hide rows from our user.
    #[error("row policies can hide rows from this application ({}): hidden rows look missing and are stored again", policies.join(", "))]
    RowPolicies {
        /// Their names.
        policies: Vec<String>,
    },
    /// Our user can't see whether rows are hidden.
    #[error(
        "whether row policies hide rows from this application can't be seen; if one does, hidden rows look missing after a failure and are stored again"
    )]
    RowPoliciesUnknown,
    /// Rows expire.
    #[error(
        "the table has a TTL: rows that it takes while their range is on its way look missing and may come back once"
    )]
    Ttl,
    /// A confirmed INSERT may not be on the disk yet.
    #[error("the server does not sync INSERTs to its disk: a power failure there can take confirmed rows")]
    NotSynced,
    /// A single replica confirms.
    #[error(
        "one replica confirms an INSERT by itself: if it is lost before the others have fetched the part, so are its rows"
    )]
    NoQuorum,
}

impl Flaw {
    /// Its effect on delivery.
    pub fn effect(&self) -> Effect {
        match self {
            Self::NotSeen { .. } => Effect::Unknown,
            Self::NoTable | Self::ColumnsDiffer { .. } => Effect::Blocks,
            Self::NotGranted { effect, .. }
            | Self::SettingUnknown { effect, .. }
            | Self::ShortWindow { effect, .. }
            | Self::Collapses { effect, .. }
            | Self::NoProvenance { effect, .. } => *effect,
            Self::OtherEngine { engine } if VANISHES.contains(&engine.as_str()) => Effect::Loses,
            Self::OtherEngine { .. }
            | Self::NoWindow { .. }
            | Self::SmallWindow { .. }
            | Self::AsyncInserts
            | Self::PartitionKey { .. }
            | Self::ViewWindow { .. }
            | Self::ViewEngine { .. }
            | Self::RowPolicies { .. } => Effect::Repeats,
            Self::ColumnsVary { .. }
            | Self::ViewUnknown { .. }
            | Self::ViewsOnPlainServer { .. }
            | Self::RowPoliciesUnknown
            | Self::Ttl
            | Self::NotSynced
            | Self::NoQuorum => Effect::Note,
        }
    }

    /// What to do, if that fits in a sentence.
    pub fn remedy(&self, table: &str) -> Option<String> {
        Some(match self {
            Self::ColumnsDiffer { adopting, .. } => return adopting.clone(),
            Self::NoWindow { setting } | Self::SmallWindow { setting, .. } => {
                format!("set it with ALTER TABLE {table} MODIFY SETTING {setting} = 100000")
            }
            Self::ShortWindow { .. } => format!(
                "set it with ALTER TABLE {table} MODIFY SETTING replicated_deduplication_window_seconds = 604800"
            ),
            Self::AsyncInserts => format!("take it away with ALTER TABLE {table} RESET SETTING async_insert"),
            Self::ViewWindow { target, setting, .. } => {
                format!("set it with ALTER TABLE {target} MODIFY SETTING {setting} = 100000")
            }
            Self::NotGranted { privilege, .. } => format!("let an administrator run GRANT {privilege} TO the user"),
            Self::RowPolicies { .. } => "exempt the user of this application from them".to_owned(),
            Self::RowPoliciesUnknown => "GRANT SHOW ROW POLICIES ON *.* lets this be seen".to_owned(),
            Self::PartitionKey { .. } => "use only columns of the record in it".to_owned(),
            Self::NotSynced => {
                format!("ALTER TABLE {table} MODIFY SETTING fsync_after_insert = 1, fsync_part_directory = 1 makes it")
            }
            _ => return None,
        })
    }
}
