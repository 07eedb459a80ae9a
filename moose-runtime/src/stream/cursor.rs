//! The cursor: how far a reader of a partition has come, as it is stored.

use serde::{Deserialize, Serialize};

/// How far a reader of a partition has come. Atomic and durable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Version of this layout; 1 today.
    pub version: u8,
    /// The epoch of the topic that the offsets belong to, as [`Backend::epoch`](super::Backend::epoch) tells it.
    pub epoch: u64,
    /// What the tokens of its ranges begin with: made with the cursor, so that no name is in them. Absent in a cursor that
    /// was written when names were.
    #[serde(default)]
    pub id: Option<String>,
    /// It has been said where to go on, and that counts once: until a start without such an answer.
    #[serde(default)]
    pub answered: bool,
    /// `uuid` of the destination table in `system.tables`, once known.
    pub table_uuid: Option<uuid::Uuid>,
    /// Every offset below is done.
    pub next: u64,
    /// Ranges written down before their INSERT, in order, at most two.
    pub pending: Vec<Pending>,
    /// Ranges, first and last offset, of which the table has the rows and the views behind it may lack some: the newest
    /// [`VIEWS_IN_DOUBT`].
    #[serde(default)]
    pub views_in_doubt: Vec<(u64, u64)>,
    /// What became of the records below `next`; absent in a cursor that was written before there was counting.
    #[serde(default)]
    pub counted: Option<Counted>,
}

impl Cursor {
    /// A cursor that has come as far as `next` and knows nothing more.
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
    /// The id of a group's cursor that was written before cursors had ids: tokens began with the names of table and topic.
    pub fn id_of_names(group: &str, topic: &str) -> String {
        let table = group.rsplit_once('/').map_or(group, |(_, table)| table);
        format!("{table}/{topic}")
    }
}

/// How many ranges a cursor names of which views may lack something.
pub const VIEWS_IN_DOUBT: usize = 16;

/// Counts that are written with the cursor, in the same commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// The offset at which counting began.
    pub from: u64,
    /// Rows that the table has confirmed since.
    pub inserted: u64,
}

impl Counted {
    /// Counting that begins at an offset.
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
    /// How many starts of the process have found it pending.
    pub attempts: u32,
    /// Its token was taken by ClickHouse without its rows (see the delivery document).
    pub burnt: bool,
    /// The boot of the machine in which it was written down, 0 where that is not known; absent where its rows may have come
    /// into the table under another token than its own.
    #[serde(default)]
    pub boot: Option<u64>,
}

impl Pending {
    /// A range that is written down now, at `since`.
    pub fn new(first: u64, last: u64, since: i64) -> Self {
        Self { first, last, since, attempts: 0, burnt: false, boot: None }
    }
}

/// A reader of a partition that is known to the storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reader {
    /// Its group.
    pub group: String,
    /// The partition.
    pub partition: u16,
    /// How far it has come; nothing before its first commit.
    pub cursor: Option<Cursor>,
}
