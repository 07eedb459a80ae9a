//! The stored form of records: a block is the records of one partition that one commit of the log made durable
//! together.
//!
//! ```text
//! 0   u8       version: 1, or 2 where the body is compressed
//! 1   u32      CRC-32 over: epoch, partition, base offset, and all bytes from 5 on
//! 5   i64      when the log accepted the records, milliseconds since the Unix epoch
//! 13  u32      number of records, at least 1
//! 17  …        the body; in version 2: u32 its length, and the body as an LZ4 block
//!
//! body:
//! u32 × n  end of each record, counted from the first payload byte; in version 2 its length
//! …        the records' bytes, one after the other
//! ```
//!
//! Numbers are little-endian. Lengths are much alike, so they compress better than ends do. The checksum covers where
//! the block belongs, so a block that turns up in another place is seen as damage. A layout that changes gets another
//! version; every version written once stays readable.

use bytes::Bytes;

use crate::stream::Record;

/// Version of a block with an uncompressed body.
const PLAIN: u8 = 1;
/// Version of a block with a compressed body.
const PACKED: u8 = 2;
/// Bytes before the body.
const HEADER: usize = 17;
/// Bytes of the length before a compressed body.
const LENGTH: usize = 4;
/// Where the bytes covered by the checksum begin.
const CHECKED_FROM: usize = 5;
/// Bytes per record in a body besides its payload.
const PER_RECORD: usize = 4;

/// A block is closed after this much payload, so that reading a record never loads much more than that.
const TARGET_BYTES: usize = 1 << 20;
/// Maximum record size. Far above the front door's limit; it keeps every position within 32 bits.
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

/// Bytes that records will take in uncompressed blocks, without the header of the block that they share.
pub(super) fn stored_size(records: &[Bytes]) -> u64 {
    (body_size(records) + HEADER) as u64
}

fn body_size(records: &[Bytes]) -> usize {
    records.iter().map(|record| record.len() + PER_RECORD).sum()
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

/// A block without a place: all that can be prepared before its records get their offsets.
#[derive(Debug)]
pub(super) struct Draft {
    /// The stored bytes, without checksum and timestamp.
    stored: Vec<u8>,
    count: usize,
}

impl Draft {
    /// Blocks of about the target size each.
    pub(super) fn plain(records: &[Bytes]) -> impl Iterator<Item = Self> {
        split(records).map(Self::plain_block)
    }

    /// The same, compressed where that makes them smaller: about a millisecond of work for a megabyte.
    pub(super) fn packed(records: &[Bytes]) -> impl Iterator<Item = Self> {
        split(records).map(|records| {
            let size = body_size(records);
            let mut body = Vec::with_capacity(size);
            write_body(records, &mut body, |_end, length| length);
            let packed = lz4_flex::block::compress(&body);
            if LENGTH + packed.len() >= size {
                return Self::plain_block(records);
            }
            let mut stored = header(PACKED, records.len(), LENGTH + packed.len());
            stored.extend_from_slice(&to_u32(size).to_le_bytes());
            stored.extend_from_slice(&packed);
            Self { stored, count: records.len() }
        })
    }

    fn plain_block(records: &[Bytes]) -> Self {
        let mut stored = header(PLAIN, records.len(), body_size(records));
        write_body(records, &mut stored, |end, _length| end);
        Self { stored, count: records.len() }
    }

    /// Number of records.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Size of the block.
    pub(super) fn size(&self) -> usize {
        self.stored.len()
    }

    /// The block at its place.
    pub(super) fn at(mut self, place: Place, timestamp: i64) -> Block {
        if let Some(field) = self.stored.get_mut(CHECKED_FROM..CHECKED_FROM + 8) {
            field.copy_from_slice(&timestamp.to_le_bytes());
        }
        let checksum = checksum(place, self.stored.get(CHECKED_FROM..).unwrap_or_default());
        if let Some(field) = self.stored.get_mut(1..CHECKED_FROM) {
            field.copy_from_slice(&checksum.to_le_bytes());
        }
        Block { base: place.base, timestamp, count: self.count, stored: Bytes::from(self.stored) }
    }
}

/// Splits records into runs of about the target size.
fn split(records: &[Bytes]) -> impl Iterator<Item = &[Bytes]> {
    let mut rest = records;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let count = rest.iter().take_while(|record| {
            let room = bytes < TARGET_BYTES;
            bytes += record.len();
            room
        });
        let (now, later) = rest.split_at(count.count());
        rest = later;
        (!now.is_empty()).then_some(now)
    })
}

/// A header without checksum and timestamp, with capacity for a body of that size.
fn header(version: u8, count: usize, room: usize) -> Vec<u8> {
    let mut stored = Vec::with_capacity(HEADER + room);
    stored.push(version);
    stored.extend_from_slice(&[0; 12]);
    stored.extend_from_slice(&to_u32(count).to_le_bytes());
    stored
}

/// Writes a body, with `number` of each record's end and length in its table.
fn write_body(records: &[Bytes], out: &mut Vec<u8>, number: impl Fn(usize, usize) -> usize) {
    let mut end = 0;
    for record in records {
        end += record.len();
        out.extend_from_slice(&to_u32(number(end, record.len())).to_le_bytes());
    }
    for record in records {
        out.extend_from_slice(record);
    }
}

/// A block whose checksum was verified.
#[derive(Clone, Debug)]
pub(super) struct Block {
    base: u64,
    timestamp: i64,
    count: usize,
    stored: Bytes,
}

impl Block {
    /// Verifies stored bytes against their checksum. The error says what is wrong with them.
    pub(super) fn decode(place: Place, stored: Bytes) -> Result<Self, String> {
        let header: &[u8; HEADER] = stored
            .get(..HEADER)
            .and_then(|header| header.try_into().ok())
            .ok_or_else(|| format!("a block of {} bytes is shorter than its header", stored.len()))?;
        let [version, c0, c1, c2, c3, t0, t1, t2, t3, t4, t5, t6, t7, n0, n1, n2, n3] = *header;
        if version != PLAIN && version != PACKED {
            return Err(format!("the block has layout version {version}, this program reads {PLAIN} and {PACKED}"));
        }
        let expected = u32::from_le_bytes([c0, c1, c2, c3]);
        let found = checksum(place, stored.get(CHECKED_FROM..).unwrap_or_default());
        if expected != found {
            return Err(format!("the block's checksum is {found:08x}, {expected:08x} was written"));
        }
        let count = u32::from_le_bytes([n0, n1, n2, n3]) as usize;
        if count == 0 {
            return Err("the block has no records".to_owned());
        }
        let timestamp = i64::from_le_bytes([t0, t1, t2, t3, t4, t5, t6, t7]);
        Ok(Self { base: place.base, timestamp, count, stored })
    }

    /// Offset of the first record.
    pub(super) fn base(&self) -> u64 {
        self.base
    }

    /// Offset after the last record.
    pub(super) fn end(&self) -> u64 {
        self.base + self.count as u64
    }

    /// When the log accepted the records.
    pub(super) fn timestamp(&self) -> i64 {
        self.timestamp
    }

    /// The bytes to store.
    pub(super) fn stored(&self) -> Bytes {
        self.stored.clone()
    }

    /// Size of the block.
    pub(super) fn size(&self) -> usize {
        self.stored.len()
    }

    /// Appends the records from offset `from` on to `out` until `budget` bytes of payload are used up, at least one if
    /// `out` is empty. Returns whether there is budget left; the error says what is wrong with the block.
    pub(super) fn copy_to(&self, from: u64, budget: &mut usize, out: &mut Vec<Record>) -> Result<bool, String> {
        let body = self.body()?;
        let first = usize::try_from(from.saturating_sub(self.base)).unwrap_or(usize::MAX);
        let payload_start = self.count * PER_RECORD;
        let mut start = first.checked_sub(1).and_then(|before| end_of(&body, before)).unwrap_or(0);
        out.reserve(self.count.saturating_sub(first));
        for index in first..self.count {
            // An empty record uses budget too, or a read of nothing else would never end.
            let end = end_of(&body, index).filter(|end| (start..=body.len() - payload_start).contains(end));
            let end = end.ok_or_else(|| format!("record {index} of the block does not end within it"))?;
            let size = (end - start).max(1);
            if size > *budget && !out.is_empty() {
                *budget = 0;
                return Ok(false);
            }
            let payload = body.slice(payload_start + start..payload_start + end);
            out.push(Record { offset: self.base + index as u64, timestamp: self.timestamp, payload });
            *budget = budget.saturating_sub(size);
            start = end;
        }
        Ok(*budget > 0)
    }

    /// The body, decompressed. The checksum matches, so this is what was written; the checks of its lengths keep a
    /// wrong writer from causing a panic here.
    fn body(&self) -> Result<Bytes, String> {
        let body = if self.stored.first() == Some(&PACKED) {
            let packed = self.stored.get(HEADER + LENGTH..).unwrap_or_default();
            // LZ4 has a maximum compression ratio of 255.
            let length = number_at(&self.stored, HEADER).filter(|length| length / 255 <= packed.len());
            let length = length.ok_or("the length of the block's body can't be right")?;
            let body = lz4_flex::block::decompress(packed, length);
            let mut body = body.map_err(|error| format!("the block's body can't be unpacked: {error}"))?;
            lengths_to_ends(&mut body, self.count);
            Bytes::from(body)
        } else {
            self.stored.slice(HEADER..)
        };
        let payload = self.count.checked_sub(1).and_then(|last| end_of(&body, last));
        if payload.map(|payload| self.count * PER_RECORD + payload) != Some(body.len()) {
            return Err(format!("the block's table of {} records does not fit its {} bytes", self.count, body.len()));
        }
        Ok(body)
    }
}

/// Converts the table of a compressed body into that of an uncompressed one.
fn lengths_to_ends(body: &mut [u8], count: usize) {
    let mut end = 0_u32;
    for field in body.as_chunks_mut::<PER_RECORD>().0.iter_mut().take(count) {
        // An overflow is no valid end of a record, and is detected as such.
        end = end.saturating_add(u32::from_le_bytes(*field));
        *field = end.to_le_bytes();
    }
}

/// End of a record's bytes, counted from the first payload byte.
fn end_of(body: &[u8], index: usize) -> Option<usize> {
    number_at(body, index.checked_mul(PER_RECORD)?)
}

fn number_at(bytes: &[u8], at: usize) -> Option<usize> {
    let field: [u8; 4] = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
    Some(u32::from_le_bytes(field) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place { epoch: 7, partition: 3, base: 100 };

    fn records() -> Vec<Bytes> {
        ["one", "", "three"].map(|text| Bytes::from_static(text.as_bytes())).to_vec()
    }

    /// Records that compress well.
    fn alike() -> Vec<Bytes> {
        (0..20).map(|number| Bytes::from(format!("a record like the others, {number}"))).collect()
    }

    /// The single block of these records, as stored.
    fn only(mut drafts: impl Iterator<Item = Draft>) -> Bytes {
        let block = drafts.next().expect("a block").at(PLACE, 5);
        assert!(drafts.next().is_none(), "one block");
        block.stored()
    }

    #[test]
    fn a_block_gives_back_the_records_with_their_offsets() {
        for (records, stored, version) in [
            (records(), only(Draft::plain(&records())), PLAIN),
            (records(), only(Draft::packed(&records())), PLAIN),
            (alike(), only(Draft::plain(&alike())), PLAIN),
            (alike(), only(Draft::packed(&alike())), PACKED),
        ] {
            assert_eq!(stored[0], version);
            let block = Block::decode(PLACE, stored).unwrap();
            let mut out = Vec::new();
            assert!(block.copy_to(100, &mut 1000, &mut out).unwrap());
            assert!(out.iter().map(|record| record.offset).eq(100..block.end()));
            assert_eq!(out.iter().map(|record| record.payload.clone()).collect::<Vec<_>>(), records);
            assert!(out.iter().all(|record| record.timestamp == 5));
            assert_eq!(block.end(), 100 + records.len() as u64);
        }
    }

    #[test]
    fn packed_is_what_becomes_smaller_by_it() {
        assert!(only(Draft::packed(&alike())).len() < only(Draft::plain(&alike())).len() / 2);
        let noise = [std::iter::repeat_with(rand::random::<u8>).take(10_000).collect::<Bytes>()];
        assert!(only(Draft::packed(&noise)) == only(Draft::plain(&noise)), "noise packs to more than it was");
    }

    #[test]
    fn blocks_are_closed_at_their_target() {
        let records = vec![Bytes::from(vec![b'x'; TARGET_BYTES / 4]); 9];
        for drafts in [Draft::plain(&records).collect::<Vec<_>>(), Draft::packed(&records).collect()] {
            assert_eq!(drafts.iter().map(Draft::count).collect::<Vec<_>>(), [4, 4, 1]);
        }
        assert_eq!(Draft::packed(&[]).count(), 0);
    }

    #[test]
    fn reading_starts_within_the_block_and_stops_at_the_budget() {
        let block = Block::decode(PLACE, only(Draft::plain(&records()))).unwrap();
        let mut out = Vec::new();
        assert!(!block.copy_to(102, &mut 1, &mut out).unwrap(), "the first record comes whatever its size");
        assert_eq!(out.len(), 1);
        assert_eq!(out[0].payload, "three");
        out.clear();
        assert!(!block.copy_to(100, &mut 4, &mut out).unwrap());
        assert_eq!(out.len(), 2);
    }

    #[test]
    fn every_flipped_bit_and_every_wrong_place_is_seen() {
        for good in [only(Draft::plain(&records())), only(Draft::packed(&alike()))] {
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
    }

    #[test]
    fn what_a_wrong_writer_made_is_an_error_and_no_panic() {
        for good in [only(Draft::plain(&records())), only(Draft::packed(&alike()))] {
            for bit in HEADER * 8 - 32..good.len() * 8 {
                let mut wrong = good.to_vec();
                wrong[bit / 8] ^= 1 << (bit % 8);
                let count = u32::from_le_bytes([wrong[13], wrong[14], wrong[15], wrong[16]]) as usize;
                // With a valid checksum.
                let block = Draft { stored: wrong, count }.at(PLACE, 5);
                if let Ok(block) = Block::decode(PLACE, block.stored()) {
                    let mut out = Vec::new();
                    if block.copy_to(100, &mut (1 << 20), &mut out).is_ok() {
                        assert_eq!(out.len(), count, "bit {bit}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_table_that_leaves_bytes_over_is_an_error() {
        let mut wrong = only(Draft::plain(&records())).to_vec();
        let last = HEADER + 2 * PER_RECORD;
        assert_eq!(wrong[last], 8);
        wrong[last] = 5;
        let block = Draft { stored: wrong, count: 3 }.at(PLACE, 5);
        let told = block.copy_to(100, &mut 1000, &mut Vec::new()).unwrap_err();
        assert!(told.contains("does not fit"), "{told}");
    }

    #[test]
    fn no_memory_is_taken_for_a_length_that_can_not_be_right() {
        let mut wrong = only(Draft::packed(&alike())).to_vec();
        wrong[HEADER + LENGTH - 1] = 0x7f;
        let block = Draft { stored: wrong, count: alike().len() }.at(PLACE, 5);
        let told = block.copy_to(100, &mut 1000, &mut Vec::new()).unwrap_err();
        assert!(told.contains("can't be right"), "{told}");
    }

    #[test]
    fn the_layouts_of_all_versions_stay_readable() {
        // Written by the first version of this file, and by the first one that compressed.
        let plain: &[u8] = &[1, 0x56, 0x44, 0xf9, 0x8a, 5, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, b'h', b'i'];
        let packed: &[u8] = &[
            2, 15, 134, 9, 224, 5, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 74, 0, 0, 0, 191, 70, 0, 0, 0, 112, 97, 99, 107,
            101, 100, 32, 7, 0, 38, 96, 97, 99, 107, 101, 100, 32,
        ];
        let text = "packed ".repeat(10);
        for (stored, text) in [(plain, "hi"), (packed, &*text)] {
            let block = Block::decode(PLACE, Bytes::from_static(stored)).unwrap();
            let mut out = Vec::new();
            block.copy_to(100, &mut 100, &mut out).unwrap();
            assert_eq!(out, [Record { offset: 100, timestamp: 5, payload: Bytes::copy_from_slice(text.as_bytes()) }]);
        }
    }
}
