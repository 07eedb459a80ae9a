//! Reads and decompresses a request's body, both within limits, and parses the headers that describe it.

use std::{io::Read, time::Duration};

use axum::{
    body::Body,
    http::{HeaderMap, header},
};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout, timeout_at};

use super::answer::Refusal;
use crate::memory::{Reserved, Share};

/// How long, and up to which multiple of the limit, a body that is too large is read and discarded: a client that is
/// still sending would otherwise lose the response with the connection.
const DRAIN: Duration = Duration::from_secs(5);
const DRAIN_TIMES: u64 = 8;

/// Minimum bytes per second of a body, once it has taken longer than the maximum pause. A phone with bad reception
/// sends more. Holding a thousand requests open at this rate takes real traffic, which a byte now and then does not.
const LEAST_RATE: u64 = 4 << 10;

/// Maximum window of a zstd body, as specified for HTTP: 8 MiB.
const ZSTD_WINDOW_LOG: u32 = 23;

/// Bytes that are decompressed, and reserved, at a time.
const UNPACKED_AT_ONCE: u64 = 256 << 10;

/// The memory reserved by a request.
#[derive(Debug)]
pub(super) struct Room {
    share: Share,
    reserved: Option<Reserved>,
}

impl Room {
    pub(super) fn new(share: &Share) -> Self {
        Self { share: share.clone(), reserved: None }
    }

    /// Moves the reservation, to pass it to another thread; what stays here is empty.
    pub(super) fn take_over(&mut self) -> Self {
        Self { share: self.share.clone(), reserved: self.reserved.take() }
    }

    /// Reserves that many more bytes.
    pub(super) fn take(&mut self, bytes: u64) -> Result<(), Refusal> {
        let more = self.share.try_reserve(bytes).ok_or(Refusal::Memory)?;
        match &mut self.reserved {
            Some(reserved) => reserved.merge(more),
            none => *none = Some(more),
        }
        Ok(())
    }
}

/// The format of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// One JSON value or an array.
    Json,
    /// One value per line (NDJSON).
    Lines,
}

/// The compression of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Plain,
    Gzip,
    Zstd,
}

/// The format by content type; JSON by default.
pub(super) fn format(headers: &HeaderMap) -> Result<Format, Refusal> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(Format::Json) };
    // The common spellings.
    match value.as_bytes() {
        b"application/json" => return Ok(Format::Json),
        b"application/x-ndjson" => return Ok(Format::Lines),
        _ => {}
    }
    let text = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
    let refusal = || Refusal::ContentType { found: quoted(&text) };
    let mut parts = text.split(';').map(str::trim);
    let format = match parts.next() {
        Some("application/json" | "") => Format::Json,
        Some("application/x-ndjson" | "application/ndjson" | "application/jsonl") => Format::Lines,
        _ => return Err(refusal()),
    };
    let foreign = |part: &str| {
        let charset = part.strip_prefix("charset=").map(|charset| charset.trim_matches('"'));
        charset.is_some_and(|charset| !matches!(charset, "utf-8" | "utf8" | "us-ascii"))
    };
    if parts.any(foreign) { Err(refusal()) } else { Ok(format) }
}

/// The compression by content encoding; none by default.
pub(super) fn encoding(headers: &HeaderMap) -> Result<Encoding, Refusal> {
    let mut values = headers.get_all(header::CONTENT_ENCODING).iter();
    let Some(value) = values.next() else { return Ok(Encoding::Plain) };
    let text = String::from_utf8_lossy(value.as_bytes()).trim().to_ascii_lowercase();
    match (text.as_str(), values.next()) {
        ("identity" | "", None) => Ok(Encoding::Plain),
        ("gzip" | "x-gzip", None) => Ok(Encoding::Gzip),
        ("zstd", None) => Ok(Encoding::Zstd),
        _ => Err(Refusal::ContentEncoding { found: quoted(&text) }),
    }
}

/// A header's text for a response: truncated, and with plain characters only.
fn quoted(text: &str) -> String {
    let plain: String = text.chars().filter(|letter| !letter.is_control()).take(100).collect();
    format!("`{plain}`")
}

/// Reads the body, at most `limit` bytes of it. Memory is reserved for what was received, not for what was announced: a
/// client that announces much and sends nothing holds nothing. There is a timeout for each `pause`, and one for the
/// whole body: a `pause` plus the time that its size takes at the minimum rate.
pub(super) async fn read(
    headers: &HeaderMap,
    mut body: Body,
    limit: u64,
    pause: Duration,
    room: &mut Room,
) -> Result<Bytes, Refusal> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let too_large = Refusal::TooLarge { limit, state: "" };
    if announced.is_some_and(|announced| announced > limit) {
        // A client that expects `100 Continue` has not sent anything.
        if !headers.contains_key(header::EXPECT) {
            drain(body, limit).await;
        }
        return Err(too_large);
    }
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    let begun = Instant::now();
    loop {
        let due = pause + Duration::from_secs((first.len() + all.len()) as u64 / LEAST_RATE);
        let latest = (begun + due).min(Instant::now() + pause);
        let Ok(frame) = timeout_at(latest, body.frame()).await else {
            return Err(Refusal::Timeout { pause, rate: LEAST_RATE });
        };
        let Some(frame) = frame else { break };
        let Ok(data) = frame.map_err(|_| Refusal::Unreadable)?.into_data() else { continue };
        if (first.len() + all.len() + data.len()) as u64 > limit {
            drain(body, limit).await;
            return Err(too_large);
        }
        if let Err(refusal) = room.take(data.len() as u64) {
            drop((first, all));
            drain(body, limit).await;
            return Err(refusal);
        }
        // Most bodies arrive in one piece, which need not be copied.
        if first.is_empty() && all.is_empty() {
            first = data;
            continue;
        }
        if all.is_empty() {
            let announced = announced.and_then(|announced| usize::try_from(announced).ok()).unwrap_or(0);
            all.reserve(announced.max(first.len() + data.len()));
            all.extend_from_slice(&std::mem::take(&mut first));
        }
        all.extend_from_slice(&data);
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

/// Reads and discards the rest, for a while.
async fn drain(mut body: Body, limit: u64) {
    let begun = Instant::now();
    let mut left = limit.saturating_mul(DRAIN_TIMES);
    while let Ok(Some(Ok(frame))) = timeout(DRAIN.saturating_sub(begun.elapsed()), body.frame()).await {
        let size = frame.data_ref().map_or(0, |data| data.len() as u64);
        match left.checked_sub(size) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

/// Decompresses the body, to at most `limit` bytes.
pub(super) fn decompress(body: Bytes, encoding: Encoding, limit: u64, room: &mut Room) -> Result<Bytes, Refusal> {
    match encoding {
        Encoding::Plain => Ok(body),
        Encoding::Gzip => read_to_end(flate2::read::MultiGzDecoder::new(body.as_ref()), limit, "gzip", room),
        Encoding::Zstd => {
            let refusal = |_| Refusal::Compression { encoding: "zstd" };
            let mut decoder = zstd::stream::read::Decoder::with_buffer(body.as_ref()).map_err(refusal)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(refusal)?;
            read_to_end(decoder, limit, "zstd", room)
        }
    }
}

fn read_to_end(mut decoder: impl Read, limit: u64, encoding: &'static str, room: &mut Room) -> Result<Bytes, Refusal> {
    let mut plain = Vec::new();
    loop {
        let read = decoder.by_ref().take(UNPACKED_AT_ONCE).read_to_end(&mut plain);
        if plain.len() as u64 > limit {
            return Err(Refusal::TooLarge { limit, state: " once decompressed" });
        }
        match read.map_err(|_| Refusal::Compression { encoding })? {
            0 => return Ok(plain.into()),
            read => room.take(read as u64)?,
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::channel::Channel;

    use super::*;

    const PAUSE: Duration = Duration::from_secs(30);

    /// Reads a body of which `bytes` arrive `every` so often, `times` times, and returns how long it took.
    async fn read_slowly(bytes: usize, every: Duration, times: usize) -> Duration {
        let (mut sender, body) = Channel::<Bytes>::new(1);
        let sending = tokio::spawn(async move {
            for _ in 0..times {
                tokio::time::sleep(every).await;
                if sender.send_data(vec![b' '; bytes].into()).await.is_err() {
                    // The receiver is gone.
                    return;
                }
            }
        });
        let begun = Instant::now();
        let share = Share::new(64 << 20);
        let read = read(&HeaderMap::new(), Body::new(body), 10 << 20, PAUSE, &mut Room::new(&share)).await;
        let took = begun.elapsed();
        sending.abort();
        match read {
            Ok(whole) => assert_eq!(whole.len(), bytes * times),
            Err(refusal) => assert!(matches!(refusal, Refusal::Timeout { .. }), "{refusal}"),
        }
        took
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_trickles_is_given_up_and_a_slow_one_is_not() {
        let seconds = Duration::from_secs;
        let took = read_slowly(1, seconds(20), 1000).await;
        assert_eq!(took, PAUSE, "a byte now and then");
        let took = read_slowly(2 << 10, seconds(1), 1000).await;
        assert!(took > PAUSE && took < PAUSE * 3, "half the least rate: {took:?}");
        let took = read_slowly(5 << 10, seconds(1), 600).await;
        assert_eq!(took, seconds(600), "a slow connection");
        let took = read_slowly(1 << 20, seconds(29), 9).await;
        assert_eq!(took, seconds(29 * 9), "pauses that are short enough");
        let took = read_slowly(1 << 20, seconds(31), 9).await;
        assert_eq!(took, PAUSE, "one that is not, whatever the rate");
    }
}
