//! ClickHouse's own compressed blocks (`compress=1`, `decompress=1`).
//!
//! A block is: 16 bytes of checksum (CityHash128, version 1.0.2, of all that follows), 1 byte of method, 4 bytes of
//! compressed size (the 9 bytes of head included), 4 bytes of size, then the data. Numbers are little-endian.

use cityhash_rs::cityhash_102_128;

use crate::engine::exception::Exception;

const CHECKSUM: usize = 16;
const HEAD: usize = 9;
const LZ4: u8 = 0x82;
const ZSTD: u8 = 0x90;
const NONE: u8 = 0x02;

/// What one written block holds before compression.
pub(super) const BLOCK: usize = 1 << 20;

/// A block may not claim more than this; ClickHouse has the same bound.
const LARGEST: usize = 1 << 30;

/// Appends `data` to `out`, in blocks.
pub(super) fn write(data: &[u8], out: &mut Vec<u8>) {
    for chunk in data.chunks(BLOCK) {
        let compressed = lz4_flex::block::compress(chunk);
        let mut block = Vec::with_capacity(HEAD + compressed.len());
        block.push(LZ4);
        block.extend_from_slice(&length(HEAD + compressed.len()));
        block.extend_from_slice(&length(chunk.len()));
        block.extend_from_slice(&compressed);
        out.extend_from_slice(&checksum(&block));
        out.extend_from_slice(&block);
    }
}

#[expect(clippy::expect_used, reason = "the caller passes blocks of a fixed bound")]
fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).expect("BUG: a block of at most 1 MiB").to_le_bytes()
}

/// The higher half of the hash stands first.
fn checksum(block: &[u8]) -> [u8; CHECKSUM] {
    cityhash_102_128(block).rotate_left(64).to_le_bytes()
}

/// Takes blocks out of a stream of bytes.
#[derive(Default)]
pub(super) struct BlockReader {
    pending: Vec<u8>,
}

impl BlockReader {
    /// Adds bytes and returns what whole blocks hold by now.
    pub(super) fn push(&mut self, data: &[u8]) -> Result<Vec<u8>, Exception> {
        self.pending.extend_from_slice(data);
        let mut out = Vec::new();
        let mut used = 0;
        while let Some(block) = whole_block(self.pending.get(used..).unwrap_or_default())? {
            used += block.length;
            block.decompress(&mut out)?;
        }
        self.pending.drain(..used);
        Ok(out)
    }

    /// The stream has ended: nothing of a block may be left.
    pub(super) fn finish(&self) -> Result<(), Exception> {
        if self.pending.is_empty() {
            return Ok(());
        }
        Err(Exception::new(33, "CANNOT_READ_ALL_DATA", "Cannot read all data: the last compressed block is cut off"))
    }
}

struct Block<'data> {
    method: u8,
    data: &'data [u8],
    size: usize,
    length: usize,
}

/// The block at the start of `pending`, checked, if it is all there.
fn whole_block(pending: &[u8]) -> Result<Option<Block<'_>>, Exception> {
    let Some((head, _)) = pending.split_at_checked(CHECKSUM + HEAD) else { return Ok(None) };
    let [.., method, c0, c1, c2, c3, s0, s1, s2, s3] = *head else { return Ok(None) };
    let compressed = usize::try_from(u32::from_le_bytes([c0, c1, c2, c3])).unwrap_or(usize::MAX);
    let size = usize::try_from(u32::from_le_bytes([s0, s1, s2, s3])).unwrap_or(usize::MAX);
    if !(HEAD..=LARGEST).contains(&compressed) || size > LARGEST {
        return Err(Exception::new(39, "TOO_LARGE_SIZE_COMPRESSED", "Compressed block of an impossible size"));
    }
    let Some(whole) = pending.get(..CHECKSUM + compressed) else { return Ok(None) };
    let (sum, block) = whole.split_at(CHECKSUM);
    if sum != checksum(block) {
        return Err(Exception::new(40, "CHECKSUM_DOESNT_MATCH", "Checksum doesn't match: corrupted data"));
    }
    let data = block.get(HEAD..).unwrap_or_default();
    Ok(Some(Block { method, data, size, length: whole.len() }))
}

impl Block<'_> {
    fn decompress(&self, out: &mut Vec<u8>) -> Result<(), Exception> {
        let broken = |reason: String| Exception::new(271, "CANNOT_DECOMPRESS", &format!("Cannot decompress: {reason}"));
        let data = match self.method {
            LZ4 => lz4_flex::block::decompress(self.data, self.size).map_err(|error| broken(error.to_string()))?,
            ZSTD => zstd::bulk::decompress(self.data, self.size).map_err(|error| broken(error.to_string()))?,
            NONE => self.data.to_vec(),
            method => {
                let reason = format!("Unknown compression method: {method:#04x}");
                return Err(Exception::new(89, "UNKNOWN_COMPRESSION_METHOD", &reason));
            }
        };
        if data.len() != self.size {
            return Err(broken("a block has another size than it says".to_owned()));
        }
        out.extend_from_slice(&data);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_in_any_pieces() {
        let data: Vec<u8> = (0..BLOCK * 2 + 77).map(|index| u8::try_from(index / 7 % 251).unwrap()).collect();
        let mut written = Vec::new();
        write(&data, &mut written);
        let mut reader = BlockReader::default();
        let mut read = Vec::new();
        for piece in written.chunks(9_973) {
            read.extend(reader.push(piece).unwrap());
        }
        reader.finish().unwrap();
        assert!(read == data);
    }

    #[test]
    fn a_changed_byte_and_a_cut_are_noticed() {
        let mut written = Vec::new();
        write(b"some data, some data, some data", &mut written);
        for index in 0..written.len() {
            let mut changed = written.clone();
            changed[index] ^= 1;
            let mut reader = BlockReader::default();
            let outcome = reader.push(&changed).and_then(|_| reader.finish());
            assert!(outcome.is_err(), "byte {index}");
        }
        let mut reader = BlockReader::default();
        reader.push(&written[..written.len() - 1]).unwrap();
        assert_eq!(reader.finish().unwrap_err().code, 33);
    }
}
