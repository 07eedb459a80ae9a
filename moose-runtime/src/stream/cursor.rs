//! The cursor: how far a reader of a partition has come, as it is stored.

use serde::{Deserialize, Serialize};

/// How far a reader of a partition has come. Atomic and durable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Version of this layout; 1 today.
    pub version: u8,
    /// The epoch of the topic that the offsets belong to, as given by [`Backend::epoch`](super::Backend::epoch).
    pub epoch: u64,
    /// The prefix of its ranges' tokens: generated with the cursor, so that it contains no names. Absent in a cursor
    /// that was written when tokens contained names.
    #[serde(default)]
    pub id: Option<String>,
    /// An answer where to resume was used, and counts only once: until a start without such an answer.
    #[serde(default)]
    pub answered: bool,
    /// `uuid` of the destination table in `system.tables`, once known.
    pub table_uuid: Option<uuid::Uuid>,
    /// Every offset below is done.
    pub next: u64,
    /// Ranges written down before their INSERT, in order, at most two.
    pub pending: Vec<Pending>,
    /// Ranges, first and last offset, that are in the table, but of which the views behind it may lack rows: the newest
    /// [`VIEWS_IN_DOUBT`].
    #[serde(default)]
    pub views_in_doubt: Vec<(u64, u64)>,
    /// Counts of the records below `next`; absent in a cursor that was written before there was counting.
    #[serde(default)]
    pub counted: Option<Counted>,
}

impl Cursor {
    /// A cursor at `next`, with nothing else known.
    pub fn new(epoch: u64, next: u64) -> Self {
        Self {
            version: 1,
            epoch,
            id: None,
            answered: false,
            table_uuid: None,
            next,
            pending: Vec::new(),
            views_in_doubt: Vec::new(),
            counted: None,
        }
    }
}

impl Cursor {
    /// The id of a group's cursor that was written before cursors had ids: tokens began with the names of table and
    /// topic.
    pub fn id_of_names(group: &str, topic: &str) -> String {
        let table = group.rsplit_once('/').map_or(group, |(_, table)| table);
        format!("{table}/{topic}")
    }
}

/// Maximum number of ranges with views in doubt that a cursor lists.
pub const VIEWS_IN_DOUBT: usize = 16;

/// Counts that are committed with the cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// The offset at which counting began.
    pub from: u64,
    /// Rows that the table has confirmed since.
    pub inserted: u64,
}

impl Counted {
    /// Counting from this offset on.
    pub fn since(from: u64) -> Self {
        Self { from, inserted: 0 }
    }
}

/// A range that may be on its way into the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// First offset.
    pub first: u64,
    /// Last offset, inclusive.
    pub last: u64,
    /// When it was written down, in milliseconds since the Unix epoch.
    pub since: i64,
    /// How many attempts at it were begun.
    pub attempts: u32,
    /// ClickHouse has its token without its rows (see the delivery document).
    pub burnt: bool,
    /// The boot of the machine in which it was written down, 0 if unknown; absent if its rows may have got into the
    /// table under another token than its own.
    #[serde(default)]
    pub boot: Option<u64>,
}

impl Pending {
    /// A range that is written down at `since`.
    pub fn new(first: u64, last: u64, since: i64) -> Self {
        Self { first, last, since, attempts: 0, burnt: false, boot: None }
    }
}

/// A reader of a partition, as known to the storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reader {
    /// Its group.
    pub group: String,
    /// The partition.
    pub partition: u16,
    /// How far it has come; nothing before its first commit.
    pub cursor: Option<Cursor>,
}
