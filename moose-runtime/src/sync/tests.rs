//! Tests of when ranges close, on a paused clock, and of what is written down when.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    net::TcpListener,
    sync::{Semaphore, mpsc, oneshot},
    task::JoinHandle,
    time::{Instant, timeout},
};

use super::{
    Assignment, Destination, Lease, Prepared, Roster, Shared, Worker, courier::Courier, cursor::CursorKeeper,
    identity::Horizon, reader::Reader, recovery::settle_pending, size::RangeSize, target::Target,
};
use crate::{
    clickhouse::{ClickHouseError, Client},
    config::Config,
    declare::{OlapTable, model::Model},
    drain::Drains,
    memory::Share,
    prelude::OlapRecord,
    shutdown::Shutdown,
    stream::{
        AssignmentEvent, Assignments, Backend, DeadLetter, DeadLetterQuery, Ending, Epochs, Pending, Retention,
        TopicSpec,
        double::Double,
        log::{Log, LogOptions},
    },
    telemetry::{Health, LagLabel, LetterLabel, LetterReason, Metrics},
};

#[derive(OlapRecord)]
#[olap(crate = "crate")]
struct Tick {
    #[key]
    number: u64,
}

static TICKS: OlapTable<Tick> = OlapTable::new("ticks");
const TOPIC: &str = "ticks";

struct Bench {
    _directory: tempfile::TempDir,
    shared: Shared,
    assignment: Assignment,
}

impl Bench {
    async fn new(change: impl FnOnce(&mut Config)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        change(&mut config);
        let options = LogOptions::new(directory.path().join("stream"));
        let log = Log::open(options).unwrap();
        let retention = Retention { age: None, bytes: None };
        let storage = log.open_topic(&TopicSpec { name: TOPIC.to_owned(), partitions: 1, retention }).await.unwrap();
        let shared = Shared {
            backend: Arc::new(log),
            client: Client::new("http://127.0.0.1:1", &config.clickhouse).unwrap(),
            config: config.sync,
            memory: Share::new(256 << 20),
            app_name: "test".to_owned(),
            metrics: Arc::new(Metrics::default()),
            health: Arc::new(Health::default()),
            stop: Shutdown::new(),
            resume: None,
            drains: Drains::default(),
            reopen: None,
        };
        let model = Model::of(&[&TICKS]).unwrap();
        let table = &model.tables[0];
        let record = table.record;
        let assignment = Assignment {
            topic: TOPIC.to_owned(),
            storage,
            partition: 0,
            epochs: Epochs::one(storage.epoch),
            id: "test".to_owned(),
            table: Arc::new(table.table.clone()),
            new_batch: Arc::new(move || record.new_batch()),
            lease: Lease::default(),
        };
        Self { _directory: directory, shared, assignment }
    }

    /// The workers of the table.
    async fn roster(&self, shared: &Shared) -> Roster {
        let Assignment { topic, storage, table, new_batch, .. } = self.assignment.clone();
        Roster::start(shared, Destination { table, new_batch }, [(topic, storage)].into()).await.unwrap()
    }

    async fn append(&self, payloads: impl Iterator<Item = String>) {
        let records = payloads.map(|payload| Bytes::from(payload).into()).collect();
        self.shared.backend.append(TOPIC, 0, records).await.unwrap();
    }

    async fn letters(&self) -> Vec<DeadLetter> {
        let query = DeadLetterQuery { limit: 100, ..DeadLetterQuery::default() };
        self.shared.backend.dead_letters(&query).await.unwrap()
    }

    async fn courier(&self) -> Courier {
        self.courier_with(&self.shared).await
    }

    async fn courier_with(&self, shared: &Shared) -> Courier {
        let cursor = Arc::new(CursorKeeper::open(&self.shared, &self.assignment).await.unwrap());
        let target = Target::new(shared.client.clone(), Arc::clone(&self.assignment.table));
        Courier::new(shared.clone(), self.assignment.clone(), cursor, target, Horizon::default())
    }

    /// Ten records, which an earlier process had written down and tried so often.
    async fn has_pending(&self, attempts: u32) {
        self.append(ticks(10)).await;
        let written = Pending { attempts, ..Pending::new(0, 9, 0) };
        self.courier().await.cursor.update(|cursor| cursor.pending.push(written)).await;
    }

    /// Settles the pending ranges.
    async fn settling(&self) -> JoinHandle<bool> {
        let courier = self.courier().await;
        tokio::spawn(async move { settle_pending(&courier).await })
    }

    /// A server that is used from now on, and never responds by itself.
    async fn on_a_server(&mut self) -> TcpListener {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", server.local_addr().unwrap());
        self.shared.client = Client::new(&url, &Config::default().clickhouse).unwrap();
        server
    }

    /// The number of attempts recorded for the first pending range.
    async fn attempts(&self) -> u32 {
        self.shared.backend.cursor("test/ticks", TOPIC, 0).await.unwrap().unwrap().pending[0].attempts
    }

    fn read(&self) -> mpsc::Receiver<Prepared> {
        self.read_with(&self.shared)
    }

    fn read_with(&self, shared: &Shared) -> mpsc::Receiver<Prepared> {
        let (sender, ranges) = mpsc::channel(1);
        tokio::spawn(Reader::new(shared.clone(), self.assignment.clone(), 0, Arc::default()).run(sender));
        ranges
    }

    /// Records of a kilobyte of JSON and a single number, in ranges of ten thousand, and four mebibytes of memory.
    async fn of_wide_json(records: u64) -> (Self, Shared) {
        let bench = Self::new(|config| config.sync.max_rows = 10_000).await;
        bench.append((0..records).map(|number| format!(r#"{{"number":{number:<1000}}}"#))).await;
        let shared = Shared { memory: Share::new(4 << 20), ..bench.shared.clone() };
        (bench, shared)
    }
}

fn ticks(count: u64) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!(r#"{{"number":{number}}}"#))
}

#[tokio::test(start_paused = true)]
async fn a_full_range_closes_at_exactly_its_count_and_the_rest_a_second_after_its_first_record() {
    let bench = Bench::new(|_| ()).await;
    bench.append(ticks(200_001)).await;
    let started = Instant::now();
    let mut ranges = bench.read();
    let range = ranges.recv().await.unwrap();
    assert_eq!((range.first, range.last, range.rows()), (0, 99_999, 100_000));
    let range = ranges.recv().await.unwrap();
    assert_eq!((range.first, range.last, range.rows()), (100_000, 199_999, 100_000));
    assert_eq!(started.elapsed(), Duration::ZERO, "a full range waits for nothing");
    let range = ranges.recv().await.unwrap();
    assert_eq!((range.first, range.last, range.rows()), (200_000, 200_000, 1));
    // Tokio's timers have a resolution of a millisecond.
    assert!(started.elapsed() >= Duration::from_secs(1) && started.elapsed() < Duration::from_millis(1_005));
}

#[tokio::test(start_paused = true)]
async fn a_range_closes_at_its_bytes() {
    let bench = Bench::new(|config| config.sync.max_bytes = bytesize::ByteSize::b(80)).await;
    bench.append(ticks(25)).await;
    let mut ranges = bench.read();
    for (first, last) in [(0, 9), (10, 19), (20, 24)] {
        let range = ranges.recv().await.unwrap();
        assert_eq!((range.first, range.last), (first, last), "ten numbers of eight bytes each");
    }
}

#[tokio::test]
async fn a_stop_closes_the_open_range_at_once_and_ends_the_reader() {
    let bench = Bench::new(|config| config.sync.max_delay = Duration::from_hours(1)).await;
    bench.append(ticks(3)).await;
    let mut ranges = bench.read();
    bench.shared.stop.signal();
    let range = ranges.recv().await.unwrap();
    assert_eq!((range.first, range.last), (0, 2));
    assert!(ranges.recv().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn ranges_that_begin_after_a_halving_are_half_as_large() {
    let bench = Bench::new(|config| config.sync.max_rows = 1000).await;
    bench.append(ticks(3000)).await;
    let size = Arc::new(RangeSize::default());
    let (sender, mut ranges) = mpsc::channel(1);
    tokio::spawn(Reader::new(bench.shared.clone(), bench.assignment.clone(), 0, Arc::clone(&size)).run(sender));
    assert_eq!(ranges.recv().await.unwrap().rows(), 1000);
    size.halve();
    // The one that was open by then stays as it is.
    let sizes = [ranges.recv().await.unwrap().rows(), ranges.recv().await.unwrap().rows()];
    assert_eq!(sizes[1], 500, "{sizes:?}");
}

/// Waits until health shows this.
async fn shown(shared: &Shared, words: &str) -> Duration {
    let started = Instant::now();
    while !shared.health.failures().values().any(|failure| failure.message.contains(words)) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    started.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_range_that_ended_the_process_three_times_rests_before_the_next_attempt() {
    let bench = Bench::new(|_| ()).await;
    bench.has_pending(3).await;
    let settling = bench.settling().await;
    shown(&bench.shared, "the process ended 3 times while offsets 0..=9").await;
    assert_eq!(bench.attempts().await, 3, "to wait is no attempt");
    // There is no ClickHouse at the address: the attempt itself fails.
    let rested = shown(&bench.shared, "127.0.0.1:1").await;
    // The paused clock runs on while the log writes the attempt down.
    assert!(rested >= Duration::from_secs(59), "{rested:?}");
    assert_eq!(bench.attempts().await, 3, "an attempt that failed has ended nothing");

    bench.shared.stop.signal();
    assert!(!settling.await.unwrap());
    assert_eq!(bench.attempts().await, 3, "nor has a stop in order");
}

/// A server that accepts connections and never responds keeps an attempt under way.
#[tokio::test]
async fn an_attempt_is_written_down_before_it_begins_and_taken_back_when_the_partition_is() {
    let mut bench = Bench::new(|_| ()).await;
    let silent = bench.on_a_server().await;
    bench.has_pending(1).await;
    let settling = bench.settling().await;
    let _connection = silent.accept().await.unwrap();
    assert_eq!(bench.attempts().await, 2, "it is on its way");
    timeout(Duration::from_secs(5), bench.assignment.lease.end()).await.expect("it is let go at once");
    assert_eq!(bench.attempts().await, 1, "that the partition was taken away is no crash");
    assert!(!settling.is_finished(), "it waits for its end");
    settling.abort();
}

#[tokio::test]
async fn every_try_at_such_a_range_is_an_attempt() {
    let mut bench = Bench::new(|_| ()).await;
    let server = bench.on_a_server().await;
    bench.has_pending(1).await;
    let settling = bench.settling().await;
    // The first try fails, the second is on its way.
    drop(server.accept().await.unwrap());
    let _connection = timeout(Duration::from_secs(30), server.accept()).await.expect("another try").unwrap();
    assert_eq!(bench.attempts().await, 2, "it may be the one that ends the process");
    settling.abort();
}

/// ClickHouse is away: the first try has failed, and the attempt is removed.
#[tokio::test]
async fn a_range_that_waits_for_its_next_try_holds_no_lease_when_the_work_is_to_end() {
    for outdated in [false, true] {
        let bench = Bench::new(|_| ()).await;
        bench.has_pending(1).await;
        let settling = bench.settling().await;
        shown(&bench.shared, "127.0.0.1:1").await;
        while bench.attempts().await != 1 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let lease = &bench.assignment.lease;
        let ends = async {
            if outdated {
                lease.outdate();
                lease.outdated().await;
            } else {
                lease.end().await;
            }
        };
        timeout(Duration::from_secs(30), ends).await.expect("whoever waits for the end of the work gets it");
        settling.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn without_memory_ranges_are_smaller_and_go_on() {
    const RECORDS: u64 = 100_000;
    let bench = Bench::new(|_| ()).await;
    bench.append((0..RECORDS).map(|number| format!(r#"{{"number":{number:<21}}}"#))).await;
    let shared = Shared { memory: Share::new(64 << 20), ..bench.shared.clone() };
    let others = shared.memory.try_reserve(64 << 20).unwrap();
    let mut ranges = bench.read_with(&shared);

    // The spare memory of every reader, and no more.
    let mut undelivered = Vec::new();
    let mut bytes = 0;
    let waits = Duration::from_mins(5);
    while let Ok(range) = timeout(waits, ranges.recv()).await {
        let range = range.unwrap();
        bytes += range.body.len();
        undelivered.push(range);
    }
    assert!((1..=3 << 20).contains(&bytes), "{bytes} in {} ranges", undelivered.len());
    let mut next = undelivered.last().unwrap().last + 1;
    assert!(next < RECORDS);
    undelivered.clear();
    let range = timeout(waits, ranges.recv()).await.expect("what was delivered makes room").unwrap();
    assert_eq!(range.first, next);
    next = range.last + 1;

    drop(others);
    while next < RECORDS {
        let range = ranges.recv().await.unwrap();
        assert_eq!(range.first, next);
        next = range.last + 1;
    }
    drop(range);
    assert_eq!(shared.memory.reserved(), 0, "all of it is given back");
}

#[tokio::test(start_paused = true)]
async fn a_range_takes_the_memory_of_its_columns_and_not_of_its_records() {
    let (bench, shared) = Bench::of_wide_json(20_000).await;
    let mut ranges = bench.read_with(&shared);
    // Twenty megabytes of JSON, a quarter of one of numbers.
    let both = [ranges.recv().await.unwrap(), ranges.recv().await.unwrap()];
    assert_eq!(both.each_ref().map(Prepared::rows), [10_000, 10_000]);
    drop(both);
    assert_eq!(shared.memory.reserved(), 0, "all of it is given back");
}

#[tokio::test(start_paused = true)]
async fn a_backlog_waits_its_turn_for_whole_ranges_and_for_those_who_keep_the_memory_once() {
    let (bench, shared) = Bench::of_wide_json(60_000).await;
    let others = shared.memory.try_reserve(4 << 20).unwrap();
    let started = Instant::now();
    let mut ranges = bench.read_with(&shared);
    let release = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(5)).await;
        drop(others);
    });
    let range = ranges.recv().await.unwrap();
    assert_eq!(range.rows(), 10_000, "after {:?}", started.elapsed());
    release.await.unwrap();
    drop(range);

    // Whoever waits for memory comes before a range that begins later; those that are ready have theirs.
    let mut others = std::pin::pin!(shared.memory.reserve(4 << 20));
    let _others = loop {
        tokio::select! {
            biased;
            others = &mut others => break others,
            range = ranges.recv() => drop(range.unwrap()),
        }
    };
    // One may be open, and the other waits in vain.
    drop(ranges.recv().await.unwrap());
    let mut last = ranges.recv().await.unwrap().last;
    let started = Instant::now();
    for _ in 0..2 {
        let small = ranges.recv().await.unwrap();
        assert!(small.rows() < 10_000 && small.first == last + 1, "{small:?} after {last}");
        last = small.last;
    }
    assert_eq!(started.elapsed(), Duration::ZERO, "it is waited for once");
}

#[tokio::test(start_paused = true)]
async fn what_a_range_of_a_backlog_leaves_of_a_read_waits_its_turn_too() {
    let (bench, shared) = Bench::of_wide_json(20_000).await;
    let mut ranges = bench.read_with(&shared);
    let range = ranges.recv().await.unwrap();
    assert_eq!(range.rows(), 10_000);
    drop(range);
    let _others = shared.memory.try_reserve(4 << 20).unwrap();
    let started = Instant::now();
    let rest = ranges.recv().await.unwrap();
    assert!(rest.rows() < 1_000, "no more than what was read");
    assert_eq!(started.elapsed(), Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_the_wait_for_memory() {
    let (bench, shared) = Bench::of_wide_json(10_000).await;
    let _others = shared.memory.try_reserve(4 << 20).unwrap();
    let mut ranges = bench.read_with(&shared);
    let started = Instant::now();
    let early = timeout(Duration::from_secs(1), ranges.recv()).await;
    assert!(early.is_err(), "it waits: {early:?}");
    shared.stop.signal();
    assert!(ranges.recv().await.is_some_and(|range| range.rows() > 0));
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

/// Offsets 0 to 3, of which 2 does not fit.
async fn with_a_misfit(bench: &Bench) {
    let payloads = ticks(2).chain(std::iter::once(r#"{"number":"three"}"#.to_owned())).chain(ticks(1));
    bench.append(payloads).await;
}

#[tokio::test]
async fn a_record_that_does_not_fit_is_a_dead_letter_before_its_range_is_handed_on() {
    let bench = Bench::new(|config| config.sync.max_delay = Duration::from_millis(1)).await;
    with_a_misfit(&bench).await;
    let mut ranges = bench.read();
    let range = ranges.recv().await.unwrap();
    assert_eq!((range.first, range.last, &*range.offsets), (0, 3, [0, 1, 3].as_slice()), "it is spanned and no row");
    let letters = bench.letters().await;
    let [letter] = letters.as_slice() else { panic!("{letters:?}") };
    assert_eq!(letter.key, bench.assignment.letter_key(2));
    assert_eq!((&letter.payload[..], letter.details.code), (&br#"{"number":"three"}"#[..], None));
    assert_eq!(letter.details.errors[0].pointer, "/number");
    assert!(!letter.details.maybe_stored && letter.details.timestamp > 0);
    let label = LetterLabel { table: "ticks".to_owned(), reason: LetterReason::Invalid };
    assert_eq!(bench.shared.metrics.records_dead_lettered.get_or_create(&label).get(), 1);
}

#[tokio::test]
async fn a_range_of_dead_letters_only_has_no_rows_and_no_body() {
    let bench = Bench::new(|config| config.sync.max_rows = 2).await;
    bench.append(["{}", "{}"].map(str::to_owned).into_iter()).await;
    let range = bench.read().recv().await.unwrap();
    assert_eq!((range.first, range.last, range.rows(), range.body.len()), (0, 1, 0, 0));
    assert_eq!(bench.letters().await.len(), 2);
}

#[tokio::test]
async fn a_range_that_is_read_again_has_the_same_bytes_without_its_dead_letters() {
    let bench = Bench::new(|config| config.sync.max_delay = Duration::from_millis(1)).await;
    with_a_misfit(&bench).await;
    let range = bench.read().recv().await.unwrap();
    let courier = bench.courier().await;
    let again = courier.prepare_again(range.first, range.last).await.unwrap();
    assert_eq!((again.offsets, again.body), (range.offsets, range.body));

    // A row that ClickHouse refused: no longer one of the range, whether it is in free batching or read again.
    let record = courier.read_again(1, 1).await.unwrap().remove(0);
    let answer = ClickHouseError::Exception { code: 469, text: "Code: 469. No".to_owned() };
    let letter = bench.assignment.refused_row(&record, &answer, false);
    bench.shared.bury(std::slice::from_ref(&letter)).await.unwrap();
    bench.shared.backend.end_dead_letters(&[letter.key], Ending::Dropped).await.unwrap();
    let again = courier.prepare_again(range.first, range.last).await.unwrap();
    assert_eq!(&*again.offsets, [0, 3], "also when the letter has ended");
    let read = bench.read().recv().await.unwrap();
    assert_eq!((read.offsets, read.body), (again.offsets, again.body));
}

#[tokio::test]
async fn a_worker_that_can_not_begin_shows_its_lag_all_the_same() {
    let bench = Bench::new(|_| ()).await;
    bench.append(ticks(3)).await;
    let label = LagLabel { stream: "ticks".to_owned(), table: "ticks".to_owned(), partition: 0 };
    // There is no ClickHouse at the address.
    let worker = Worker::spawn(bench.shared.clone(), bench.assignment.clone());
    let metrics = &bench.shared.metrics;
    while metrics.lag_records.get_or_create(&label).get() != 3 || metrics.lag_seconds.get_or_create(&label).get() <= 0.0
    {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    worker.abort();
}

#[tokio::test]
async fn the_same_range_gives_the_same_bytes_and_the_same_token() {
    let bench = Bench::new(|config| config.sync.max_rows = 10).await;
    bench.append(ticks(20)).await;
    let mut once = bench.read();
    let mut again = bench.read();
    for _ in 0..2 {
        let (a, b) = (once.recv().await.unwrap(), again.recv().await.unwrap());
        assert_eq!(a.body, b.body);
        assert_eq!(bench.assignment.token(a.first, a.last), bench.assignment.token(b.first, b.last));
    }
    assert_ne!(bench.assignment.token(0, 9), bench.assignment.token(10, 19));
}

#[tokio::test]
async fn a_cursor_that_does_not_belong_to_the_topic_is_refused_with_the_numbers() {
    let bench = Bench::new(|_| ()).await;
    let epoch = bench.assignment.storage.epoch;
    let open = async |epoch| {
        let mut assignment = bench.assignment.clone();
        assignment.storage.epoch = epoch;
        CursorKeeper::open(&bench.shared, &assignment).await
    };
    let cursor = open(epoch).await.unwrap();
    let error = open(epoch ^ 1).await.err().unwrap().to_string();
    assert!(error.contains(&format!("{epoch:016x}")), "{error}");
    cursor.update(|cursor| cursor.next = 7).await;
    let error = open(epoch).await.err().unwrap().to_string();
    assert!(error.contains("is at 7, the partition holds 0..0"), "{error}");
}

/// A group revokes a partition while its cursor is being committed.
#[tokio::test]
async fn a_partition_is_let_go_only_once_the_commit_on_its_way_is_answered_and_none_begins_then() {
    let bench = Bench::new(|_| {}).await;
    let (events, given) = mpsc::unbounded_channel();
    let commits = Arc::new(Semaphore::new(0));
    let double = Arc::new(Double {
        assignments: Some(Assignments::new(given)).into(),
        commits: Arc::clone(&commits),
        ..Double::of(Arc::clone(&bench.shared.backend))
    });
    let shared = Shared { backend: Arc::clone(&double) as Arc<dyn Backend>, ..bench.shared.clone() };
    let _roster = bench.roster(&shared).await;
    events.send(AssignmentEvent::Assigned { topic: TOPIC.to_owned(), partition: 0 }).unwrap();
    let begun = || double.commits_begun.load(Ordering::SeqCst);
    while begun() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let (done, mut over) = oneshot::channel();
    events.send(AssignmentEvent::Revoked { topic: TOPIC.to_owned(), partition: 0, done }).unwrap();
    assert!(timeout(Duration::from_millis(300), &mut over).await.is_err(), "the commit is on its way");
    commits.add_permits(1);
    timeout(Duration::from_secs(30), over).await.unwrap().unwrap();
    let written = bench.shared.backend.cursor("test/ticks", TOPIC, 0).await.unwrap();
    assert!(written.is_some(), "it was answered before");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(begun(), 1, "the worker has ended");
}

#[tokio::test]
async fn once_the_lease_is_over_nothing_is_committed_and_no_insert_begins() {
    let bench = Bench::new(|_| {}).await;
    bench.append((0..3).map(|number| format!("{{\"number\":{number}}}"))).await;
    let courier = bench.courier().await;
    bench.assignment.lease.end().await;
    let commit = courier.cursor.update(|cursor| cursor.next = 3);
    assert!(timeout(Duration::from_millis(500), commit).await.is_err(), "it waits for its end");
    let written = bench.shared.backend.cursor("test/ticks", TOPIC, 0).await.unwrap().unwrap();
    assert_eq!(written.next, 0);
    let sent = courier.send("ticks", None, Bytes::new(), &super::settings::Settings::known_to(&[].into())).await;
    assert!(matches!(sent, Err(super::SyncError::Revoked { partition: 0, .. })), "{sent:?}");
    assert!(matches!(courier.still_fresh(), Err(super::SyncError::Stale { .. })), "the table was never asked");
}

/// The offsets of a range belong to other records now.
#[tokio::test]
async fn a_range_is_not_read_again_out_of_a_topic_that_was_made_anew() {
    let bench = Bench::new(|_| {}).await;
    bench.append(ticks(3)).await;
    assert_eq!(bench.courier().await.read_again(0, 2).await.unwrap().len(), 3);
    let made_anew = Some(bench.assignment.storage.epoch ^ 1);
    let double = Double { made_anew, ..Double::of(Arc::clone(&bench.shared.backend)) };
    let shared = Shared { backend: Arc::new(double), ..bench.shared.clone() };
    let read = bench.courier_with(&shared).await.read_again(0, 2).await;
    assert!(matches!(read, Err(super::SyncError::MadeAnew { partition: 0, .. })), "{read:?}");
    timeout(Duration::from_secs(30), bench.assignment.lease.outdated()).await.expect("the worker begins anew");
}
