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

/// How long, and by how many times the limit, a body that is too large is read and thrown away: a client that is still
/// sending would otherwise lose the answer with the connection.
const DRAIN: Duration = Duration::from_secs(5);
const DRAIN_TIMES: u64 = 8;

/// How many bytes of a body must come in a second, once it has been coming for longer than a pause may last. A phone at the
/// edge of its network sends more; a thousand clients at this rate are a load, which a byte from each now and then is not.
const LEAST_RATE: u64 = 4 << 10;

/// The largest window that a zstd body may ask for, as the standard for HTTP has it: 8 MiB.
const ZSTD_WINDOW_LOG: u32 = 23;

/// Bytes that a compressed body is unpacked by, and reserved for.
const UNPACKED_AT_ONCE: u64 = 256 << 10;

/// The memory that a request holds.
#[derive(Debug)]
pub(super) struct Room {
    share: Share,
    reserved: Option<Reserved>,
}

impl Room {
    pub(super) fn new(share: &Share) -> Self {
        Self { share: share.clone(), reserved: None }
    }

    /// The same room, to be handed to another thread; what stays here is empty.
    pub(super) fn take_over(&mut self) -> Self {
        Self { share: self.share.clone(), reserved: self.reserved.take() }
    }

    /// Reserves so many bytes more.
    pub(super) fn take(&mut self, bytes: u64) -> Result<(), Refusal> {
        let more = self.share.try_reserve(bytes).ok_or(Refusal::Memory)?;
        match &mut self.reserved {
            Some(reserved) => reserved.merge(more),
            none => *none = Some(more),
        }
        Ok(())
    }
}

/// How records stand in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// One value or an array.
    Json,
    /// A value a line.
    Lines,
}

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Plain,
    Gzip,
    Zstd,
}

/// What the content type says; none is JSON.
pub(super) fn format(headers: &HeaderMap) -> Result<Format, Refusal> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(Format::Json) };
    // As nearly everybody writes them.
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

/// What the content encoding says; none is plain.
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

/// A header's text for an answer: cut, and without anything that is not plain.
fn quoted(text: &str) -> String {
    let plain: String = text.chars().filter(|letter| !letter.is_control()).take(100).collect();
    format!("`{plain}`")
}

/// Reads the body, at most `limit` bytes of it. Room is taken for what has come, not for what is announced: a client that
/// announces much and sends nothing holds nothing. It has to come without a longer `pause`, and altogether within one
/// `pause` and the time that its size takes at the least rate.
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
        // Nobody who asked whether to send has sent anything.
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
        // Most bodies come in one piece, which need not be copied.
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

/// Reads on, for a while, and throws away.
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

/// The body as it was before compression, at most `limit` bytes of it.
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

    /// Reads a body of which `bytes` come `every` so often, `times` times, and says how long it took.
    async fn read_slowly(bytes: usize, every: Duration, times: usize) -> Duration {
        let (mut sender, body) = Channel::<Bytes>::new(1);
        let sending = tokio::spawn(async move {
            for _ in 0..times {
                tokio::time::sleep(every).await;
                if sender.send_data(vec![b' '; bytes].into()).await.is_err() {
                    // Nobody reads it any more.
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
