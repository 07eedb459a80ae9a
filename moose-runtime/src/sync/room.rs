//! The memory of the range that is being filled: reserved before its records are read, and adjusted to their real size.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    memory::{Reserved, Share},
    shutdown::Shutdown,
};

/// How much is read from the stream at once, at most: room for a whole block of the embedded log, which is a mebibyte and a
/// record, so that none of them is read in parts.
pub(crate) const READ_BYTES: usize = 1152 << 10;
/// Columns, and later the block that they are written into: so many times their size. Records that are no columns yet count as
/// much.
const COST: u64 = 2;
/// A range of a backlog that has not begun waits for its memory no longer than this.
const WAIT_FOR_TURN: Duration = Duration::from_secs(10);
/// An open range waits no longer than this for more memory, then it closes with what it has: ranges that wait for each
/// other would stay open.
const WAIT_FOR_ROOM: Duration = Duration::from_secs(1);

/// The memory of one reader's open range.
pub(super) struct Room {
    /// What all ranges share.
    memory: Share,
    stop: Shutdown,
    reserved: Option<(Reserved, Of)>,
    /// What the range will hold once it is whole, where there is enough for a whole one.
    planned: u64,
    /// It was waited for in vain: whoever has the memory keeps it.
    gave_up: bool,
    /// What this reader may have beyond the share of all, for a range of a single read: so that it goes on, if slowly,
    /// while others hold everything.
    spare: Share,
}

/// What memory is reserved of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    All,
    Spare,
}

impl Room {
    pub(super) fn new(memory: Share, stop: Shutdown) -> Self {
        let spare = Share::new(READ_BYTES as u64 * COST);
        Self { memory, stop, reserved: None, planned: 0, gave_up: false, spare }
    }

    /// Reserves the memory of a range that begins with `rows` records of `bytes` together. Of a backlog a whole range, of
    /// at most so many rows and bytes, is reserved and waited for: of a hundred partitions that begin at once a few after
    /// the other fill theirs, where otherwise all would close what they have.
    pub(super) async fn begin(&mut self, bytes: u64, rows: usize, of_backlog: Option<(usize, usize)>) {
        let bytes = bytes * COST;
        self.planned = of_backlog.map_or(0, |(max_rows, max_bytes)| {
            let whole = (bytes / rows.max(1) as u64 * max_rows as u64).min(max_bytes as u64 * COST);
            whole.min(self.memory.bytes() / 4)
        });
        let patience = if of_backlog.is_some() && !self.gave_up { WAIT_FOR_TURN } else { Duration::ZERO };
        let spare = self.spare.clone();
        let reserved = tokio::select! {
            biased;
            reserved = self.memory.reserve(bytes.max(self.planned)) => (reserved, Of::All),
            reserved = async {
                tokio::select! {
                    () = tokio::time::sleep(patience) => {}
                    () = self.stop.wait() => {}
                }
                spare.reserve(bytes).await
            } => (reserved, Of::Spare),
        };
        self.gave_up = reserved.1 == Of::Spare;
        self.reserved = Some(reserved);
    }

    /// Reserves the memory for `rows` records where there are columns of `records`, which take `held` bytes, by what these
    /// took: a range is not made to wait for what its plan has already. False when it is to close without it.
    pub(super) async fn more(&mut self, held: usize, records: usize, rows: usize, due: Option<Instant>) -> bool {
        let wanted = held as u64 * COST * rows as u64 / records.max(1) as u64;
        let Some((reserved, Of::All)) = &mut self.reserved else { return false };
        let missing = wanted.saturating_sub(reserved.bytes());
        let end = Instant::now() + WAIT_FOR_ROOM;
        tokio::select! {
            biased;
            more = self.memory.reserve(missing) => reserved.merge(more),
            () = tokio::time::sleep_until(due.map_or(end, |due| due.min(end))) => return false,
        }
        true
    }

    /// Reserves what the columns of `records` hold and will hold, instead of what was thought before they were decoded:
    /// columns may be much smaller than their JSON, or larger. False when there is no room for it: the range is to close.
    pub(super) fn settle(&mut self, held: usize, records: usize, max_rows: usize) -> bool {
        // An eighth more, for records that differ.
        let whole = held / records.max(1) * max_rows;
        self.planned = self.planned.min(whole as u64 * COST * 9 / 8);
        let Some((reserved, Of::All)) = &mut self.reserved else { return true };
        let held = (held as u64 * COST).max(self.planned);
        reserved.shrink(held);
        match self.memory.try_reserve(held.saturating_sub(reserved.bytes())) {
            Some(more) => reserved.merge(more),
            None => return false,
        }
        true
    }

    /// What is reserved, for whoever goes on with the range.
    pub(super) fn take(&mut self) -> Option<Reserved> {
        self.reserved.take().map(|(reserved, _)| reserved)
    }
}
