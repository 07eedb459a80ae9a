//! The memory of the range that is being filled: reserved before its records are read, and adjusted to their real size.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    memory::{Reserved, Share},
    shutdown::Shutdown,
};

/// Most bytes per read from the stream: enough for a whole block of the embedded log, a mebibyte and one record, so
/// that no block is read in pieces.
pub(crate) const READ_BYTES: usize = 1152 << 10;
/// Memory per byte of a range: its columns, and later the block that they are written into. Records that are not
/// decoded yet count as much.
const COST: u64 = 2;
/// How long the first range of a backlog waits for its memory.
const WAIT_FOR_TURN: Duration = Duration::from_secs(10);
/// How long an open range waits for more memory; then it closes with what it has, because ranges that wait for each
/// other would stay open.
const WAIT_FOR_ROOM: Duration = Duration::from_secs(1);

/// The memory of one reader's open range.
pub(super) struct Room {
    /// What all ranges share.
    memory: Share,
    stop: Shutdown,
    reserved: Option<(Reserved, Of)>,
    /// The planned size of the range, if the backlog is enough for a whole one.
    planned: u64,
    /// The last wait timed out: others keep the memory.
    gave_up: bool,
    /// Memory of this reader outside the shared budget, for a range of a single read: so that it makes slow progress
    /// while others hold the whole budget.
    spare: Share,
}

/// Which memory is reserved.
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

    /// Reserves the memory of a range that begins with `rows` records of `bytes` together. For a backlog the memory of
    /// a whole range, of at most so many rows and bytes, is reserved and waited for: if a hundred partitions begin at
    /// once, a few at a time fill theirs, where otherwise all of them would close small ranges.
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

    /// Reserves memory for `rows` records, estimated from the `held` bytes that the columns of `records` take: what the
    /// plan covers needs no wait. False if the range must close without it.
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

    /// Corrects the reservation to what the columns of `records` take and will take, now that they are decoded: columns
    /// may be much smaller than their JSON, or larger. False if there is too little memory: the range must close.
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

    /// Takes the reservation, to go on with the range.
    pub(super) fn take(&mut self) -> Option<Reserved> {
        self.reserved.take().map(|(reserved, _)| reserved)
    }
}
