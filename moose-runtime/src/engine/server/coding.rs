//! `Content-Encoding` and ClickHouse's compressed blocks, pushed through piece by piece with bounded memory.

use std::io::{self, Write as _};

use flate2::{
    Compression,
    write::{GzEncoder, MultiGzDecoder, ZlibDecoder, ZlibEncoder},
};
use zstd::stream::{
    raw::{Decoder as ZstdOperation, InBuffer, Operation as _, OutBuffer},
    write::Encoder as ZstdEncoder,
};

use lz4_flex::frame::FrameEncoder;

use super::{
    blocks::{self, BlockReader},
    frames::FrameReader,
};
use crate::engine::exception::Exception;

/// An HTTP content coding that is understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    /// `gzip`
    Gzip,
    /// `deflate`
    Deflate,
    /// `lz4`, in frames
    Lz4,
    /// `zstd`
    Zstd,
}

impl Coding {
    /// Its name in HTTP.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// From a `Content-Encoding`; `None` for no coding.
    pub(super) fn of_content(name: &str) -> Result<Option<Self>, Exception> {
        match name.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Ok(None),
            "gzip" | "x-gzip" => Ok(Some(Self::Gzip)),
            "deflate" => Ok(Some(Self::Deflate)),
            "lz4" => Ok(Some(Self::Lz4)),
            "zstd" => Ok(Some(Self::Zstd)),
            other => {
                let reason =
                    format!("Unknown compression method {other}; the embedded engine takes gzip, deflate, lz4, zstd");
                Err(Exception::new(89, "UNKNOWN_COMPRESSION_METHOD", &reason))
            }
        }
    }

    /// The first that an `Accept-Encoding` allows.
    pub(super) fn accepted(header: &str) -> Option<Self> {
        header.split(',').find_map(|item| {
            let (name, weight) = item.split_once(';').unwrap_or((item, ""));
            if weight.trim().strip_prefix("q=").and_then(|weight| weight.parse().ok()) == Some(0.0) {
                return None;
            }
            [Self::Gzip, Self::Zstd, Self::Lz4, Self::Deflate]
                .into_iter()
                .find(|coding| name.trim().eq_ignore_ascii_case(coding.name()))
        })
    }
}

/// Undoes a request's coding.
pub(super) struct Decoder {
    coding: Option<ContentDecoder>,
    blocks: Option<BlockReader>,
}

enum ContentDecoder {
    Gzip(MultiGzDecoder<Vec<u8>>),
    Deflate(ZlibDecoder<Vec<u8>>),
    Lz4(FrameReader),
    Zstd { operation: ZstdOperation<'static>, between_frames: bool },
}

impl Decoder {
    /// For a request with this `Content-Encoding` and, inside it, compressed blocks if `blocks`.
    pub(super) fn new(coding: Option<Coding>, blocks: bool) -> Result<Self, Exception> {
        let coding = match coding {
            None => None,
            Some(Coding::Gzip) => Some(ContentDecoder::Gzip(MultiGzDecoder::new(Vec::new()))),
            Some(Coding::Deflate) => Some(ContentDecoder::Deflate(ZlibDecoder::new(Vec::new()))),
            Some(Coding::Lz4) => Some(ContentDecoder::Lz4(FrameReader::default())),
            Some(Coding::Zstd) => {
                let operation = ZstdOperation::new().map_err(|error| broken(&error))?;
                Some(ContentDecoder::Zstd { operation, between_frames: true })
            }
        };
        Ok(Self { coding, blocks: blocks.then(BlockReader::default) })
    }

    /// Whether bytes pass through unchanged.
    pub(super) fn is_plain(&self) -> bool {
        self.coding.is_none() && self.blocks.is_none()
    }

    /// Decodes the next piece.
    pub(super) fn push(&mut self, data: &[u8]) -> Result<Vec<u8>, Exception> {
        let plain = match &mut self.coding {
            None => data.to_vec(),
            Some(coding) => coding.push(data).map_err(|error| broken(&error))?,
        };
        match &mut self.blocks {
            None => Ok(plain),
            Some(blocks) => blocks.push(&plain),
        }
    }

    /// The body has ended: what is still inside, and an error if it was cut off.
    pub(super) fn finish(&mut self) -> Result<Vec<u8>, Exception> {
        let plain = match &mut self.coding {
            None => Vec::new(),
            Some(coding) => coding.finish().map_err(|error| broken(&error))?,
        };
        match &mut self.blocks {
            None => Ok(plain),
            Some(blocks) => {
                let out = blocks.push(&plain)?;
                blocks.finish()?;
                Ok(out)
            }
        }
    }
}

impl ContentDecoder {
    fn push(&mut self, data: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip(decoder) => {
                decoder.write_all(data)?;
                Ok(std::mem::take(decoder.get_mut()))
            }
            Self::Deflate(decoder) => {
                decoder.write_all(data)?;
                Ok(std::mem::take(decoder.get_mut()))
            }
            Self::Lz4(reader) => reader.push(data),
            Self::Zstd { operation, between_frames } => unzstd(operation, between_frames, data),
        }
    }

    fn finish(&mut self) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip(decoder) => {
                decoder.try_finish()?;
                Ok(std::mem::take(decoder.get_mut()))
            }
            Self::Deflate(decoder) => {
                decoder.try_finish()?;
                Ok(std::mem::take(decoder.get_mut()))
            }
            Self::Lz4(reader) => reader.finish().map(|()| Vec::new()),
            Self::Zstd { between_frames: true, .. } => Ok(Vec::new()),
            Self::Zstd { .. } => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the last frame is cut off")),
        }
    }
}

fn unzstd(operation: &mut ZstdOperation<'static>, between_frames: &mut bool, data: &[u8]) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut input = InBuffer::around(data);
    let mut buffer = vec![0; 1 << 17];
    loop {
        let had = input.pos();
        let mut output = OutBuffer::around(&mut buffer);
        if *between_frames && had == data.len() {
            return Ok(out);
        }
        *between_frames = operation.run(&mut input, &mut output)? == 0;
        let full = output.pos() == output.capacity();
        out.extend_from_slice(output.as_slice());
        if *between_frames {
            operation.reinit()?;
        } else if input.pos() == data.len() && !full {
            return Ok(out);
        }
    }
}

fn broken(error: &io::Error) -> Exception {
    Exception::new(271, "CANNOT_DECOMPRESS", &format!("Cannot decompress the request: {error}"))
}

/// Applies a response's coding.
pub(super) enum Encoder {
    /// None.
    Plain,
    /// ClickHouse's blocks.
    Blocks(Vec<u8>),
    /// gzip
    Gzip(GzEncoder<Vec<u8>>),
    /// deflate
    Deflate(ZlibEncoder<Vec<u8>>),
    /// lz4
    Lz4(FrameEncoder<Vec<u8>>),
    /// zstd
    Zstd(ZstdEncoder<'static, Vec<u8>>),
}

impl Encoder {
    /// For a response in compressed blocks, or else with a content coding.
    pub(super) fn new(coding: Option<Coding>, blocks: bool) -> io::Result<Self> {
        // Fast rather than small: what it saves is a local copy.
        let level = Compression::fast();
        Ok(match coding {
            _ if blocks => Self::Blocks(Vec::new()),
            None => Self::Plain,
            Some(Coding::Gzip) => Self::Gzip(GzEncoder::new(Vec::new(), level)),
            Some(Coding::Deflate) => Self::Deflate(ZlibEncoder::new(Vec::new(), level)),
            Some(Coding::Lz4) => Self::Lz4(FrameEncoder::new(Vec::new())),
            Some(Coding::Zstd) => Self::Zstd(ZstdEncoder::new(Vec::new(), 1)?),
        })
    }

    /// Encodes a piece; what comes out may lag behind.
    pub(super) fn push(&mut self, data: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Plain => Ok(data.to_vec()),
            Self::Blocks(pending) => {
                pending.extend_from_slice(data);
                let whole = pending.len() - pending.len() % blocks::BLOCK;
                let mut out = Vec::new();
                blocks::write(pending.get(..whole).unwrap_or_default(), &mut out);
                pending.drain(..whole);
                Ok(out)
            }
            Self::Gzip(encoder) => encoder.write_all(data).map(|()| std::mem::take(encoder.get_mut())),
            Self::Deflate(encoder) => encoder.write_all(data).map(|()| std::mem::take(encoder.get_mut())),
            Self::Lz4(encoder) => encoder.write_all(data).map(|()| std::mem::take(encoder.get_mut())),
            Self::Zstd(encoder) => encoder.write_all(data).map(|()| std::mem::take(encoder.get_mut())),
        }
    }

    /// What is still inside, and the coding's own end.
    pub(super) fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Plain => Ok(Vec::new()),
            Self::Blocks(pending) => {
                let mut out = Vec::new();
                blocks::write(&pending, &mut out);
                Ok(out)
            }
            Self::Gzip(encoder) => encoder.finish(),
            Self::Deflate(encoder) => encoder.finish(),
            Self::Lz4(encoder) => encoder.finish().map_err(io::Error::other),
            Self::Zstd(encoder) => encoder.finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data() -> Vec<u8> {
        (0..300_000_u32).flat_map(|number| (number / 5).to_le_bytes()).collect()
    }

    fn encoded(coding: Option<Coding>, blocks: bool) -> Vec<u8> {
        let mut encoder = Encoder::new(coding, blocks).unwrap();
        let mut out = Vec::new();
        for piece in data().chunks(70_001) {
            out.extend(encoder.push(piece).unwrap());
        }
        out.extend(encoder.finish().unwrap());
        out
    }

    fn decoded(encoded: &[u8], coding: Option<Coding>, blocks: bool) -> Result<Vec<u8>, Exception> {
        let mut decoder = Decoder::new(coding, blocks)?;
        let mut out = Vec::new();
        for piece in encoded.chunks(4_001) {
            out.extend(decoder.push(piece)?);
        }
        out.extend(decoder.finish()?);
        Ok(out)
    }

    #[test]
    fn every_coding_comes_back_equal_and_a_cut_is_an_error() {
        let codings = [Coding::Gzip, Coding::Deflate, Coding::Lz4, Coding::Zstd].map(|coding| (Some(coding), false));
        for (coding, blocks) in codings.into_iter().chain([(None, true)]) {
            let encoded = encoded(coding, blocks);
            assert!(encoded.len() < data().len() / 2, "{coding:?}");
            assert!(decoded(&encoded, coding, blocks).unwrap() == data(), "{coding:?}");
            for cut in [encoded.len() - 1, encoded.len() / 2, 3] {
                assert!(decoded(&encoded[..cut], coding, blocks).is_err(), "{coding:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn several_members_follow_each_other() {
        for coding in [Coding::Gzip, Coding::Lz4, Coding::Zstd] {
            let twice = encoded(Some(coding), false).repeat(2);
            assert_eq!(decoded(&twice, Some(coding), false).unwrap().len(), data().len() * 2, "{coding:?}");
        }
    }

    #[test]
    fn the_accepted_coding_is_the_first_known_one() {
        assert_eq!(Coding::accepted("br, gzip;q=0, zstd;q=0.5, deflate"), Some(Coding::Zstd));
        assert_eq!(Coding::accepted("lz4, br, zstd"), Some(Coding::Lz4));
        assert_eq!(Coding::accepted("br"), None);
    }
}
