//! Reading: every reader of a partition has its own position and its own prefetch queue.
//!
//! One client of librdkafka reads a partition at one position at a time. Readers of one partition at several positions
//! (two tables of one stream, a range that is read again, a look at the oldest record) are therefore spread over
//! several clients, *lanes*. A reader is recognised by its position: a read from the offset at which an earlier one
//! stopped continues with what was prefetched for that.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use rdkafka::{consumer::BaseConsumer, error::RDKafkaErrorCode};
use tokio::{sync::OwnedMutexGuard, time::timeout};

use super::{
    client::{Context, KafkaOptions, failed, not_made},
    ffi::{Content, Fetch, Fetched},
};
use crate::stream::{Record, Result};

/// A position that is not read from for this long is given up, with its prefetched records.
const IDLE: Duration = Duration::from_mins(1);
/// Timeout for a range that makes no progress.
const NO_PROGRESS: Duration = Duration::from_secs(30);
/// New records are looked for this often even without a notification.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Maximum prefetch per partition: enough for the time in which a range is encoded.
const AHEAD: u64 = 8 << 20;
/// Minimum prefetch, however many partitions there are.
const LEAST_AHEAD: u64 = 64 << 10;

type Place = (String, u16);

/// All readers.
pub(super) struct Fetcher {
    options: KafkaOptions,
    lanes: Mutex<Vec<Lane>>,
    /// Prefetched bytes per partition.
    ahead: AtomicU64,
}

/// A client, and the partitions that it reads.
struct Lane {
    client: Polled,
    tracks: HashMap<Place, Arc<Track>>,
    /// Topics that were created again since the client was: its metadata may still be that of the old one.
    outdated: HashSet<String>,
}

/// One reader's position in a partition.
struct Track {
    /// The next offset that it will return.
    position: AtomicU64,
    used: Mutex<Instant>,
    /// Locked while it is being read.
    state: Arc<tokio::sync::Mutex<State>>,
}

struct State {
    fetch: Fetch,
    /// Received from the library, but not returned yet.
    buffer: VecDeque<Record>,
    /// The offset up to which everything had been read when the end was last reached.
    end: Option<u64>,
}

/// A client whose events are polled by a thread.
struct Polled {
    client: Arc<BaseConsumer<Context>>,
    stop: Arc<AtomicBool>,
}

impl Polled {
    fn start(options: &KafkaOptions, ahead: u64) -> Result<Self> {
        let client: BaseConsumer<Context> =
            options.reader(ahead).create_with_context(Context).map_err(|error| not_made(&error))?;
        let (client, stop) = (Arc::new(client), Arc::new(AtomicBool::new(false)));
        let serve = {
            let (client, stop) = (Arc::clone(&client), Arc::clone(&stop));
            move || {
                while !stop.load(Ordering::Relaxed) {
                    // Only events come here: records have queues of their own.
                    drop(client.poll(Duration::from_millis(250)));
                }
            }
        };
        std::thread::Builder::new()
            .name("kafka-reader".to_owned())
            .spawn(serve)
            .map_err(|source| failed("start a thread for a Kafka client", source))?;
        Ok(Self { client, stop })
    }
}

impl Drop for Polled {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// The position of a reader that must not be continued.
const NOBODY: u64 = u64::MAX;
/// A read of at most this much is a look that will not be continued.
const LOOK_BYTES: usize = 1;

/// A reader in use, with exclusive access to its position.
struct Reading {
    track: Arc<Track>,
    state: OwnedMutexGuard<State>,
}

/// Why a partition could not be read.
#[derive(Debug)]
pub(super) enum ReadError {
    /// The offset does not exist; the caller asks the brokers for the valid ones.
    NoSuchOffset,
    /// Anything else.
    Other(crate::stream::StreamError),
}

impl Fetcher {
    pub(super) fn new(options: &KafkaOptions) -> Self {
        Self { options: options.clone(), lanes: Mutex::default(), ahead: AtomicU64::new(AHEAD) }
    }

    /// Divides the memory among so many readers. Returns what they take of it together.
    pub(super) fn read_ahead(&self, readers: usize, most: u64) -> u64 {
        let readers = readers.max(1) as u64;
        let each = (most / readers).clamp(LEAST_AHEAD, AHEAD);
        self.ahead.store(each, Ordering::Relaxed);
        each.saturating_mul(readers).min(most)
    }

    /// Closes all clients.
    pub(super) fn close(&self) {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The topic was deleted and created again: no reader of the old one is continued.
    pub(super) fn begin_anew(&self, topic: &str) {
        for lane in self.lanes.lock().unwrap_or_else(PoisonError::into_inner).iter_mut() {
            lane.outdated.insert(topic.to_owned());
            lane.tracks.retain(|(name, _), track| {
                let stays = name != topic;
                if !stays {
                    track.position.store(NOBODY, Ordering::Release);
                }
                stays
            });
        }
    }

    /// Records from `from` on, at least one, then about `max_bytes`.
    pub(super) async fn read(
        &self,
        topic: &str,
        partition: u16,
        from: u64,
        max_bytes: usize,
    ) -> Result<Vec<Record>, ReadError> {
        let mut reading = self.reading(topic, partition, from).map_err(ReadError::Other)?;
        let is_look = max_bytes <= LOOK_BYTES;
        if is_look {
            reading.track.position.store(NOBODY, Ordering::Release);
        }
        loop {
            if let Some(records) = reading.some(max_bytes) {
                if is_look {
                    self.forget(reading);
                }
                return Ok(records);
            }
            if let Err(error) = reading.take(topic, partition) {
                self.forget(reading);
                return Err(error);
            }
            if reading.state.buffer.is_empty() {
                let _ = timeout(LOOK_AGAIN, reading.state.fetch.filled()).await;
            }
        }
    }

    /// The existing records from `first` to `last`. The partition's end is past `last`.
    pub(super) async fn read_range(
        &self,
        topic: &str,
        partition: u16,
        first: u64,
        last: u64,
        content: Content,
    ) -> Result<Vec<Record>, ReadError> {
        let reading = self.new_reading(topic, partition, first, content);
        let mut reading = reading.map_err(ReadError::Other)?;
        // A range is read once: if this future is dropped half-way, the rest must not be continued.
        reading.track.position.store(NOBODY, Ordering::Release);
        let mut records = Vec::new();
        let ended = loop {
            while let Some(record) = reading.state.buffer.pop_front_if(|record| record.offset <= last) {
                records.push(record);
            }
            let past = reading.state.buffer.front().is_some() || reading.state.end.is_some_and(|end| end > last);
            if past || records.last().is_some_and(|record: &Record| record.offset == last) {
                break Ok(records);
            }
            if let Err(error) = reading.take(topic, partition) {
                break Err(error);
            }
            if reading.state.buffer.is_empty() && reading.state.end.is_none_or(|end| end <= last) {
                let waited = timeout(NO_PROGRESS, reading.state.fetch.filled()).await;
                if waited.is_err() {
                    let action = format!("read offsets {first} to {last} of topic `{topic}` partition {partition}");
                    break Err(ReadError::Other(failed(action, "the brokers gave nothing for 30 seconds")));
                }
            }
        };
        self.forget(reading);
        ended
    }

    /// The reader that stopped at `from`, or a new one.
    fn reading(&self, topic: &str, partition: u16, from: u64) -> Result<Reading> {
        let place = (topic.to_owned(), partition);
        let lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lanes.iter().find_map(|lane| {
            let track = lane.tracks.get(&place).filter(|track| track.position.load(Ordering::Acquire) == from)?;
            let state = Arc::clone(&track.state).try_lock_owned().ok()?;
            // Its position may have changed before it was locked.
            (track.position.load(Ordering::Acquire) == from).then(|| Reading { track: Arc::clone(track), state })
        });
        if let Some(reading) = known {
            reading.track.touch();
            return Ok(reading);
        }
        drop(lanes);
        self.new_reading(topic, partition, from, Content::Payload)
    }

    /// A new reader, in the first lane that has none in the partition.
    fn new_reading(&self, topic: &str, partition: u16, from: u64, content: Content) -> Result<Reading> {
        let place = (topic.to_owned(), partition);
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        for lane in lanes.iter_mut() {
            lane.tracks.retain(|_, track| !track.is_idle());
        }
        lanes.retain(|lane| lane.outdated.is_empty() || !lane.tracks.is_empty());
        let is_free = |lane: &Lane| !lane.tracks.contains_key(&place) && !lane.outdated.contains(topic);
        let free = lanes.iter().position(is_free);
        let free = if let Some(free) = free {
            free
        } else {
            lanes.push(Lane {
                client: Polled::start(&self.options, self.ahead.load(Ordering::Relaxed))?,
                tracks: HashMap::new(),
                outdated: HashSet::new(),
            });
            lanes.len() - 1
        };
        let Some(lane) = lanes.get_mut(free) else { return Err(failed("find a Kafka client", "BUG: it is gone")) };
        let fetch = Fetch::start(&lane.client.client, topic, partition, from, content).map_err(|code| {
            failed(format!("begin to read topic `{topic}` partition {partition} at offset {from}"), code)
        })?;
        let state = State { fetch, buffer: VecDeque::new(), end: None };
        let track = Arc::new(Track {
            position: AtomicU64::new(from),
            used: Mutex::new(Instant::now()),
            state: Arc::new(tokio::sync::Mutex::new(state)),
        });
        lane.tracks.insert(place, Arc::clone(&track));
        let state = Arc::clone(&track.state).try_lock_owned();
        let state = state.map_err(|error| failed("begin to read", error))?;
        Ok(Reading { track, state })
    }

    /// Removes a reader that must not be continued, with its prefetched records.
    fn forget(&self, reading: Reading) {
        let Reading { track, state } = reading;
        track.position.store(NOBODY, Ordering::Release);
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        drop(state);
        for lane in lanes.iter_mut() {
            lane.tracks.retain(|_, known| !Arc::ptr_eq(known, &track));
        }
        // Dropped before another reader can begin in its place, which needs the lock on the lanes.
        drop(track);
        drop(lanes);
    }
}

impl Track {
    fn touch(&self) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn is_idle(&self) -> bool {
        let since = self.used.lock().unwrap_or_else(PoisonError::into_inner).elapsed();
        since > IDLE && self.state.try_lock().is_ok()
    }
}

impl Reading {
    /// Records from the buffer; `None` if it is empty.
    fn some(&mut self, max_bytes: usize) -> Option<Vec<Record>> {
        let (mut records, mut bytes) = (Vec::new(), 0_usize);
        while let Some(record) = self.state.buffer.front() {
            let more = bytes.saturating_add(record.payload.len());
            if !records.is_empty() && more > max_bytes {
                break;
            }
            bytes = more;
            records.extend(self.state.buffer.pop_front());
        }
        let last = records.last().map(|record: &Record| record.offset)?;
        if self.track.position.load(Ordering::Acquire) != NOBODY {
            self.track.position.store(last.saturating_add(1), Ordering::Release);
        }
        self.track.touch();
        Some(records)
    }

    /// Moves what the library has received into the buffer.
    fn take(&mut self, topic: &str, partition: u16) -> Result<(), ReadError> {
        for fetched in self.state.fetch.take() {
            match fetched {
                Fetched::Record(record) => self.state.buffer.push_back(record),
                Fetched::End(end) => self.state.end = Some(end),
                Fetched::Failed(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange, _) => {
                    return Err(ReadError::NoSuchOffset);
                }
                Fetched::Failed(code, reason) => {
                    let action = format!("read topic `{topic}` partition {partition}");
                    return Err(ReadError::Other(failed(action, format!("{code}: {reason}"))));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_share_what_they_may_read_ahead() {
        let options =
            KafkaOptions { brokers: String::new(), client_id: String::new(), replication: None, properties: [].into() };
        let fetcher = Fetcher::new(&options);
        for (readers, most, all) in [
            (1, 128 << 20, 8 << 20),
            (16, 128 << 20, 128 << 20),
            (64, 128 << 20, 128 << 20),
            (1_000, 4 << 20, 4 << 20),
            (0, 1 << 20, 1 << 20),
        ] {
            assert_eq!(fetcher.read_ahead(readers, most), all, "{readers}");
        }
        fetcher.read_ahead(64, 128 << 20);
        let config = options.reader(fetcher.ahead.load(Ordering::Relaxed));
        assert_eq!(config.get("queued.max.messages.kbytes"), Some("2048"));
        assert_eq!(config.get("fetch.message.max.bytes"), Some("524288"));
    }
}
