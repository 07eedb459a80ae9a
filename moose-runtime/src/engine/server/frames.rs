//! LZ4 frames (`Content-Encoding: lz4`), which ClickHouse's Python client sends its INSERTs in unless told otherwise.
//!
//! A frame is a head, blocks, an end mark and perhaps a checksum. The library reads frames from a blocking source only;
//! a body comes in pieces, so the frame is taken apart here and the library undoes the blocks.

use std::{hash::Hasher as _, io};

use lz4_flex::block;
use twox_hash::XxHash32;

const MAGIC: [u8; 4] = 0x184d_2204_u32.to_le_bytes();
/// What a block may refer back to.
const WINDOW: usize = 64 << 10;
/// In a block's size: the block is stored as it is.
const STORED: u32 = 1 << 31;

/// Takes the content out of frames that come in pieces.
#[derive(Default)]
pub(super) struct FrameReader {
    pending: Vec<u8>,
    frame: Option<Frame>,
}

/// A frame whose head is read.
struct Frame {
    linked: bool,
    block_checksums: bool,
    content_checksum: Option<XxHash32>,
    largest: usize,
    /// The end of what came before, for blocks that refer to it.
    window: Vec<u8>,
}

/// What a step made of the bytes that are there.
enum Step {
    /// Too few bytes.
    More,
    /// So many were used.
    Used(usize),
    /// So many were used, and the frame has ended.
    Ended(usize),
}

impl FrameReader {
    /// Adds bytes and returns what is readable by now.
    pub(super) fn push(&mut self, data: &[u8]) -> io::Result<Vec<u8>> {
        self.pending.extend_from_slice(data);
        let mut out = Vec::new();
        let mut used = 0;
        loop {
            let rest = self.pending.get(used..).unwrap_or_default();
            let step = match &mut self.frame {
                Some(frame) => frame.step(rest, &mut out)?,
                None => match Frame::begin(rest)? {
                    Some((frame, length)) => {
                        self.frame = Some(frame);
                        Step::Used(length)
                    }
                    None => Step::More,
                },
            };
            match step {
                Step::More => break,
                Step::Used(length) => used += length,
                Step::Ended(length) => {
                    used += length;
                    self.frame = None;
                }
            }
        }
        self.pending.drain(..used);
        Ok(out)
    }

    /// The body has ended: nothing of a frame may be left.
    pub(super) fn finish(&self) -> io::Result<()> {
        if self.pending.is_empty() && self.frame.is_none() {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the last frame is cut off"))
    }
}

impl Frame {
    /// Reads a head, if it is all there: the frame and the head's length.
    fn begin(bytes: &[u8]) -> io::Result<Option<(Self, usize)>> {
        let known = bytes.len().min(MAGIC.len());
        if bytes.get(..known) != MAGIC.get(..known) {
            return Err(broken("it is no LZ4 frame"));
        }
        let Some(&[flags, sizes]) = bytes.get(4..6) else { return Ok(None) };
        if flags >> 6 != 1 || flags & 1 != 0 {
            return Err(broken("a version or a dictionary that is not known"));
        }
        let largest = match sizes >> 4 & 7 {
            4 => 64 << 10,
            5 => 256 << 10,
            6 => 1 << 20,
            7 => 4 << 20,
            _ => return Err(broken("an impossible size of blocks")),
        };
        // The size of the content is told there, for those who want to know it beforehand.
        let described = if flags & 0x08 == 0 { 6 } else { 14 };
        let (Some(description), Some(sum)) = (bytes.get(4..described), bytes.get(described)) else { return Ok(None) };
        if checksum(description).to_le_bytes()[1] != *sum {
            return Err(broken("the checksum of its head does not match"));
        }
        let frame = Self {
            linked: flags & 0x20 == 0,
            block_checksums: flags & 0x10 != 0,
            content_checksum: (flags & 0x04 != 0).then(|| XxHash32::with_seed(0)),
            largest,
            window: Vec::new(),
        };
        Ok(Some((frame, described + 1)))
    }

    /// Undoes the next block, or reads the end.
    fn step(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> io::Result<Step> {
        let Some(size) = number(bytes, 0) else { return Ok(Step::More) };
        if size == 0 {
            return self.end(bytes);
        }
        let length = usize::try_from(size & !STORED).unwrap_or(usize::MAX);
        if length > self.largest {
            return Err(broken("a block is larger than its frame allows"));
        }
        let Some(block) = bytes.get(4..4 + length) else { return Ok(Step::More) };
        let mut used = 4 + length;
        if self.block_checksums {
            let Some(sum) = number(bytes, used) else { return Ok(Step::More) };
            if sum != checksum(block) {
                return Err(broken("the checksum of a block does not match"));
            }
            used += 4;
        }
        let begun = out.len();
        if size & STORED != 0 {
            out.extend_from_slice(block);
        } else {
            out.resize(begun + self.largest, 0);
            let target = out.get_mut(begun..).unwrap_or_default();
            let written = block::decompress_into_with_dict(block, target, &self.window)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
            out.truncate(begun + written);
        }
        let plain = out.get(begun..).unwrap_or_default();
        if let Some(sum) = &mut self.content_checksum {
            sum.write(plain);
        }
        if self.linked {
            self.window.extend_from_slice(plain);
            let surplus = self.window.len().saturating_sub(WINDOW);
            self.window.drain(..surplus);
        }
        Ok(Step::Used(used))
    }

    fn end(&self, bytes: &[u8]) -> io::Result<Step> {
        let Some(sum) = &self.content_checksum else { return Ok(Step::Ended(4)) };
        match number(bytes, 4) {
            None => Ok(Step::More),
            Some(told) if u64::from(told) == sum.finish() => Ok(Step::Ended(8)),
            Some(_) => Err(broken("the checksum of the content does not match")),
        }
    }
}

/// The number at a place, if it is all there.
fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

fn checksum(bytes: &[u8]) -> u32 {
    XxHash32::oneshot(0, bytes)
}

fn broken(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};

    use super::*;

    fn data() -> Vec<u8> {
        (0..200_000_u32).flat_map(|number| (number / 7).to_le_bytes()).collect()
    }

    fn written(info: FrameInfo, data: &[u8]) -> Vec<u8> {
        let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn read(frames: &[u8], piece: usize) -> io::Result<Vec<u8>> {
        let mut reader = FrameReader::default();
        let mut out = Vec::new();
        for piece in frames.chunks(piece) {
            out.extend(reader.push(piece)?);
        }
        reader.finish()?;
        Ok(out)
    }

    #[test]
    fn frames_of_every_kind_are_read_in_any_pieces() {
        for info in [
            FrameInfo::new(),
            FrameInfo::new().block_mode(BlockMode::Linked).block_size(BlockSize::Max64KB),
            FrameInfo::new().block_checksums(true).content_checksum(true).block_size(BlockSize::Max256KB),
            FrameInfo::new().block_mode(BlockMode::Linked).content_checksum(true).block_size(BlockSize::Max4MB),
            FrameInfo::new().content_size(Some(u64::try_from(data().len()).unwrap())),
        ] {
            let frame = written(info.clone(), &data());
            assert!(read(&frame, 7).unwrap() == data(), "{info:?}");
            assert!(read(&frame.repeat(2), 70_001).unwrap() == data().repeat(2), "{info:?}");
        }
    }

    #[test]
    fn what_is_stored_as_it_is_and_nothing_at_all_are_frames_too() {
        let mut encoder = FrameEncoder::new(Vec::new());
        let noise: Vec<u8> = (0..100_000).map(|_| rand::random()).collect();
        encoder.write_all(&noise).unwrap();
        assert!(read(&encoder.finish().unwrap(), 999).unwrap() == noise);
        let empty = FrameEncoder::new(Vec::new()).finish().unwrap();
        assert_eq!(read(&empty, 3).unwrap(), b"");
        assert_eq!(read(b"", 3).unwrap(), b"");
    }

    #[test]
    fn a_changed_byte_and_a_cut_are_noticed_and_nothing_panics() {
        let data: Vec<u8> = (0..2_000_u16).flat_map(|number| (number / 7).to_le_bytes()).collect();
        let whole = written(FrameInfo::new().block_checksums(true).content_checksum(true), &data);
        for index in 0..whole.len() {
            let mut changed = whole.clone();
            changed[index] ^= 1;
            assert!(read(&changed, 401).is_err(), "byte {index}");
            if index > 0 {
                assert!(read(&whole[..index], 401).is_err(), "cut at {index}");
            }
        }
        let unchecked = written(FrameInfo::new().block_mode(BlockMode::Linked), &data);
        for index in 7..unchecked.len() {
            let mut changed = unchecked.clone();
            changed[index] ^= 0xff;
            // Whatever comes out, it comes out.
            let _ = read(&changed, 401);
        }
    }
}
