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

/// A place that nobody has read at for so long is given up, with what was prefetched.
const IDLE: Duration = Duration::from_mins(1);
/// A range that gives nothing for so long is not waited for any longer.
const NO_PROGRESS: Duration = Duration::from_secs(30);
/// Even where nobody tells of new records they are looked for.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What is read ahead in a partition at the most: enough for the time in which a range is encoded.
const AHEAD: u64 = 8 << 20;
/// And at the least, however many partitions there are.
const LEAST_AHEAD: u64 = 64 << 10;

type Place = (String, u16);

/// All readers.
pub(super) struct Fetcher {
    options: KafkaOptions,
    lanes: Mutex<Vec<Lane>>,
    /// Bytes that are read ahead in each partition.
    ahead: AtomicU64,
}

/// A client, and what it reads.
struct Lane {
    client: Polled,
    tracks: HashMap<Place, Arc<Track>>,
    /// Topics that were made anew since the client was: it may take what it knows of the old one for the new one's.
    outdated: HashSet<String>,
}

/// One reader's place in a partition.
struct Track {
    /// The next offset that it gives.
    position: AtomicU64,
    used: Mutex<Instant>,
    /// Held by whoever reads.
    state: Arc<tokio::sync::Mutex<State>>,
}

struct State {
    fetch: Fetch,
    /// Taken from the library, but not given yet.
    buffer: VecDeque<Record>,
    /// Everything below was read, when the end was met last.
    end: Option<u64>,
}

/// A client whose own events are served by a thread.
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
                    // Nothing but events comes here: records have queues of their own.
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

/// The position of a reader that nobody goes on with.
const NOBODY: u64 = u64::MAX;
/// Whoever wants no more than this takes a look, and does not go on from there.
const LOOK_BYTES: usize = 1;

/// A reader at work, with the place to be held by nobody else.
struct Reading {
    track: Arc<Track>,
    state: OwnedMutexGuard<State>,
}

/// Why a partition could not be read.
#[derive(Debug)]
pub(super) enum ReadError {
    /// The offset is not there; who asks the brokers can tell the numbers.
    NoSuchOffset,
    /// Anything else.
    Other(crate::stream::StreamError),
}

impl Fetcher {
    pub(super) fn new(options: &KafkaOptions) -> Self {
        Self { options: options.clone(), lanes: Mutex::default(), ahead: AtomicU64::new(AHEAD) }
    }

    /// So many readers share so much memory. The answer is what they take of it together.
    pub(super) fn read_ahead(&self, readers: usize, most: u64) -> u64 {
        let readers = readers.max(1) as u64;
        let each = (most / readers).clamp(LEAST_AHEAD, AHEAD);
        self.ahead.store(each, Ordering::Relaxed);
        each.saturating_mul(readers).min(most)
    }

    /// Lets go of all clients.
    pub(super) fn close(&self) {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The topic was deleted and made anew: nobody goes on where they were in the old one.
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

    /// The records from `first` to `last` that there are. The partition's end lies past `last`.
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
        // A range is read once: should this be dropped half-way, nobody may go on with the rest.
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
            // It may have moved on before it was held.
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

    /// Takes a reader away that nobody is to go on with, and what was prefetched for it.
    fn forget(&self, reading: Reading) {
        let Reading { track, state } = reading;
        track.position.store(NOBODY, Ordering::Release);
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        drop(state);
        for lane in lanes.iter_mut() {
            lane.tracks.retain(|_, known| !Arc::ptr_eq(known, &track));
        }
        // Before another can begin in its place, which needs the lanes too.
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
    /// Records out of the buffer; none where it is empty.
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

    /// Takes over what the library has.
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
