//! The stored form of records: a block is the records of one partition that one commit of the log made durable together.
//!
//! ```text
//! 0   u8       version, 1
//! 1   u32      CRC-32 over: epoch, partition, base offset, and all bytes from 5 on
//! 5   i64      when the log took the records, milliseconds since the Unix epoch
//! 13  u32      number of records, at least 1
//! 17  u32 × n  end of each record, counted from the first payload byte
//! …            the records' bytes, one after the other
//! ```
//!
//! Numbers are little-endian. The checksum covers where the block belongs, so a block that turns up in another place is
//! seen as damage. A layout that changes gets another version; every version written once stays readable.

use bytes::Bytes;

use crate::stream::Record;

/// Version of the layout above.
const VERSION: u8 = 1;
/// Bytes before the table of ends.
const HEADER: usize = 17;
/// Where the bytes begin that the checksum covers.
const CHECKED_FROM: usize = 5;

/// Payload after which a block is closed, so that reading a record never loads much more than that.
pub(super) const TARGET_BYTES: usize = 1 << 20;
/// Largest record. Far above what the front door lets in; it keeps every position within 32 bits.
pub(super) const MAX_RECORD_BYTES: usize = 1 << 30;

/// Where a block belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Epoch of the topic.
    pub(super) epoch: u64,
    /// Partition of the topic.
    pub(super) partition: u16,
    /// Offset of the block's first record.
    pub(super) base: u64,
}

/// Bytes that a record takes in a block beyond its payload.
const PER_RECORD: usize = 4;

/// Bytes that records will take once stored, give or take the header of the block that they share.
pub(super) fn stored_size(records: &[Bytes]) -> u64 {
    let payload: usize = records.iter().map(|record| record.len() + PER_RECORD).sum();
    (payload + HEADER) as u64
}

#[expect(clippy::expect_used, reason = "blocks are closed at about a megabyte and records are below a gigabyte")]
fn to_u32(value: usize) -> u32 {
    u32::try_from(value).expect("BUG: a block above 4 GiB")
}

fn checksum(place: Place, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&place.epoch.to_le_bytes());
    hasher.update(&place.partition.to_le_bytes());
    hasher.update(&place.base.to_le_bytes());
    hasher.update(bytes);
    hasher.finalize()
}

/// A block that has been checked.
#[derive(Clone, Debug)]
pub(super) struct Block {
    base: u64,
    timestamp: i64,
    count: usize,
    stored: Bytes,
}

impl Block {
    /// Makes a block of records.
    ///
    /// # Panics
    /// When there is no record, or the records have 4 GiB together: the committer closes blocks long before.
    pub(super) fn encode(place: Place, timestamp: i64, records: &[Bytes]) -> Self {
        assert!(!records.is_empty(), "BUG: a block without records");
        let payload: usize = records.iter().map(Bytes::len).sum();
        let mut out = Vec::with_capacity(HEADER + records.len() * PER_RECORD + payload);
        out.push(VERSION);
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&timestamp.to_le_bytes());
        out.extend_from_slice(&to_u32(records.len()).to_le_bytes());
        let mut end = 0;
        for record in records {
            end += record.len();
            out.extend_from_slice(&to_u32(end).to_le_bytes());
        }
        for record in records {
            out.extend_from_slice(record);
        }
        let checksum = checksum(place, out.get(CHECKED_FROM..).unwrap_or_default());
        if let Some(field) = out.get_mut(1..CHECKED_FROM) {
            field.copy_from_slice(&checksum.to_le_bytes());
        }
        Self { base: place.base, timestamp, count: records.len(), stored: Bytes::from(out) }
    }

    /// Checks stored bytes against their checksum and layout. The error is what is wrong with them.
    pub(super) fn decode(place: Place, stored: Bytes) -> Result<Self, String> {
        let header: &[u8; HEADER] = stored
            .get(..HEADER)
            .and_then(|header| header.try_into().ok())
            .ok_or_else(|| format!("a block of {} bytes is shorter than its header", stored.len()))?;
        let [version, c0, c1, c2, c3, t0, t1, t2, t3, t4, t5, t6, t7, n0, n1, n2, n3] = *header;
        if version != VERSION {
            return Err(format!("the block has layout version {version}, this program reads {VERSION}"));
        }
        let expected = u32::from_le_bytes([c0, c1, c2, c3]);
        let found = checksum(place, stored.get(CHECKED_FROM..).unwrap_or_default());
        if expected != found {
            return Err(format!("the block's checksum is {found:08x}, {expected:08x} was written"));
        }
        let count = u32::from_le_bytes([n0, n1, n2, n3]) as usize;
        let block =
            Self { base: place.base, timestamp: i64::from_le_bytes([t0, t1, t2, t3, t4, t5, t6, t7]), count, stored };
        // The checksum holds, so this is what was written; the test keeps a wrong writer from becoming a panic here.
        if count == 0
            || block.payload_start() + block.end_of(count - 1).unwrap_or(usize::MAX >> 1) != block.stored.len()
        {
            return Err(format!("the block's table of {count} records does not fit its {} bytes", block.stored.len()));
        }
        Ok(block)
    }

    /// Offset of the first record.
    pub(super) fn base(&self) -> u64 {
        self.base
    }

    /// Offset after the last record.
    pub(super) fn end(&self) -> u64 {
        self.base + self.count as u64
    }

    /// When the log took the records.
    pub(super) fn timestamp(&self) -> i64 {
        self.timestamp
    }

    /// The bytes to store.
    pub(super) fn stored(&self) -> Bytes {
        self.stored.clone()
    }

    /// Bytes that the block takes.
    pub(super) fn size(&self) -> usize {
        self.stored.len()
    }

    /// Appends the records from offset `from` on to `out` until `budget` bytes of payload are used up, at least one if
    /// `out` is empty. The answer says whether the budget has room for more.
    pub(super) fn copy_to(&self, from: u64, budget: &mut usize, out: &mut Vec<Record>) -> bool {
        let first = usize::try_from(from.saturating_sub(self.base)).unwrap_or(usize::MAX);
        let payload_start = self.payload_start();
        let mut start = first.checked_sub(1).map_or(Some(0), |before| self.end_of(before)).unwrap_or(0);
        out.reserve(self.count.saturating_sub(first));
        for index in first..self.count {
            let Some(end) = self.end_of(index) else { return true };
            // An empty record counts too, or a read of nothing else would never end.
            let size = end.saturating_sub(start).max(1);
            if size > *budget && !out.is_empty() {
                *budget = 0;
                return false;
            }
            let payload = self.stored.slice(payload_start + start..payload_start + end);
            out.push(Record { offset: self.base + index as u64, timestamp: self.timestamp, payload });
            *budget = budget.saturating_sub(size);
            start = end;
        }
        *budget > 0
    }

    fn payload_start(&self) -> usize {
        HEADER + self.count * PER_RECORD
    }

    /// End of a record's bytes, counted from the first payload byte.
    fn end_of(&self, index: usize) -> Option<usize> {
        let at = HEADER + index * PER_RECORD;
        let field: [u8; PER_RECORD] = self.stored.get(at..at + PER_RECORD)?.try_into().ok()?;
        Some(u32::from_le_bytes(field) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place { epoch: 7, partition: 3, base: 100 };

    fn records() -> Vec<Bytes> {
        ["one", "", "three"].map(|text| Bytes::from_static(text.as_bytes())).to_vec()
    }

    #[test]
    fn a_block_gives_back_the_records_with_their_offsets() {
        let block = Block::decode(PLACE, Block::encode(PLACE, 5, &records()).stored()).unwrap();
        let mut out = Vec::new();
        assert!(block.copy_to(100, &mut 1000, &mut out));
        assert_eq!(out.iter().map(|record| record.offset).collect::<Vec<_>>(), [100, 101, 102]);
        assert_eq!(out.iter().map(|record| record.payload.clone()).collect::<Vec<_>>(), records());
        assert!(out.iter().all(|record| record.timestamp == 5));
        assert_eq!(block.end(), 103);
    }

    #[test]
    fn reading_starts_within_the_block_and_stops_at_the_budget() {
        let block = Block::decode(PLACE, Block::encode(PLACE, 5, &records()).stored()).unwrap();
        let mut out = Vec::new();
        assert!(!block.copy_to(102, &mut 1, &mut out), "the first record comes whatever its size");
        assert_eq!(out.len(), 1);
        assert_eq!(out[0].payload, "three");
        out.clear();
        assert!(!block.copy_to(100, &mut 4, &mut out));
        assert_eq!(out.len(), 2);
    }

    #[test]
    fn every_flipped_bit_and_every_wrong_place_is_seen() {
        let good = Block::encode(PLACE, 5, &records()).stored();
        for bit in 0..good.len() * 8 {
            let mut bad = good.to_vec();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Block::decode(PLACE, bad.into()).is_err(), "bit {bit}");
        }
        for length in 0..good.len() {
            assert!(Block::decode(PLACE, good.slice(..length)).is_err(), "cut to {length}");
        }
        for place in [Place { epoch: 8, ..PLACE }, Place { partition: 4, ..PLACE }, Place { base: 101, ..PLACE }] {
            assert!(Block::decode(place, good.clone()).is_err());
        }
    }

    #[test]
    fn the_layout_of_version_1_stays_readable() {
        // Written by the first version of this file.
        let stored: &[u8] = &[1, 0x56, 0x44, 0xf9, 0x8a, 5, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, b'h', b'i'];
        let block = Block::decode(PLACE, Bytes::from_static(stored)).unwrap();
        let mut out = Vec::new();
        block.copy_to(100, &mut 10, &mut out);
        assert_eq!(out, [Record { offset: 100, timestamp: 5, payload: Bytes::from_static(b"hi") }]);
    }
}
