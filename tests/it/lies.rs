//! Answers that lie: whatever stands between us and ClickHouse says, every record is a row once, in the table and in the
//! view behind it, and what is sent again has the same token.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use hyper::StatusCode;
use moose_runtime::app::RunningApp;
use moose_tests::{
    is_full,
    load::each_is_a_row_once,
    pipelines::NUMBERS,
    proxy::{Canned, Fault, Recorded, RuleHandle, insert_into},
    random::Random,
    wait::eventually,
};

use crate::stage::{LATE, SOON, Stage, post_numbers};

/// What a proxy says that has nothing to say.
const PAGE: &str = "<html><body>Please log in to use this network.</body></html>";

/// Records of a range.
const RANGE: u64 = 100;

/// A table, with or without a view behind it, and an application that fills it.
struct Scene {
    stage: Stage,
    app: RunningApp,
    has_view: bool,
    posted: u64,
}

impl Scene {
    async fn new(name: &str, has_view: bool) -> Self {
        Self::with(name, has_view, "id").await
    }

    /// With a view that computes `id` so.
    async fn with(name: &str, has_view: bool, id: &str) -> Self {
        let stage = Stage::named(&format!("lies_{name}_{}", if has_view { "view" } else { "table" })).await;
        let mut config = stage.config();
        config.sync.max_rows = usize::try_from(RANGE).expect("a small number");
        config.sync.max_delay = Duration::from_mins(1);
        let app = stage.start_with(&[&NUMBERS], config).await;
        if has_view {
            let settings = "SETTINGS non_replicated_deduplication_window = 1000";
            stage.sql(&format!("CREATE TABLE target (id UInt64) ENGINE = MergeTree ORDER BY id {settings}")).await;
            stage.sql(&format!("CREATE MATERIALIZED VIEW view TO target AS SELECT {id} AS id FROM numbers")).await;
        }
        Self { stage, app, has_view, posted: 0 }
    }

    /// Posts one range.
    async fn post(&mut self) {
        post_numbers(&self.app, self.posted..self.posted + RANGE).await;
        self.posted += RANGE;
    }

    /// Every record that was posted is a row once, wherever it belongs.
    async fn is_exact(&self) {
        let posted: BTreeSet<u64> = (0..self.posted).collect();
        let url = self.stage.url();
        each_is_a_row_once(&url, "numbers", &posted, LATE).await;
        assert_eq!(self.stage.sql("SELECT countIf(small != id % 256) FROM numbers").await, "0");
        if self.has_view {
            each_is_a_row_once(&url, "target", &posted, LATE).await;
        }
    }

    /// Waits until every range has passed, by the cursor.
    async fn is_settled(&self) {
        self.stage.has_passed(&self.app, self.posted).await;
    }

    async fn end(self) {
        self.app.stop().await.expect("an orderly stop");
        let posted: BTreeSet<u64> = (0..self.posted).collect();
        each_is_a_row_once(&self.stage.url(), "numbers", &posted, SOON).await;
        self.stage.sql(&format!("DROP DATABASE {}", self.stage.database)).await;
    }
}

/// What a lie has done to the INSERT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    /// It never came to the server.
    None,
    /// The server has stored it.
    Stored,
    /// Nobody knows: the server may still be at it.
    Unknown,
}

/// An answer of ClickHouse's own, with an exception or none.
fn of_clickhouse(body: &'static str, code: Option<&str>) -> Canned {
    let mut headers = vec![("x-clickhouse-query-id", "1".to_owned())];
    headers.extend(code.map(|code| ("x-clickhouse-exception-code", code.to_owned())));
    Canned { status: StatusCode::OK, headers, body: body.into() }
}

/// All the ways in which an answer can lie.
fn lies() -> Vec<(String, Fault, Effect)> {
    let mut lies = vec![
        ("connection closed".to_owned(), Fault::Refuse, Effect::None),
        ("body cut at its beginning".to_owned(), Fault::CutRequest { after: 20 }, Effect::None),
        ("body cut in the middle".to_owned(), Fault::CutRequest { after: 1500 }, Effect::None),
        ("answer dropped".to_owned(), Fault::DropAnswer, Effect::Stored),
        ("answer cut".to_owned(), Fault::CutAnswer { after: 0 }, Effect::Stored),
        ("abandoned".to_owned(), Fault::Abandon, Effect::Unknown),
    ];
    let code = StatusCode::from_u16;
    let mut canned = vec![
        ("200 with an exception in the body".to_owned(), of_clickhouse("Code: 241. DB::Exception: Memory limit", None)),
        ("200 with an exception header".to_owned(), of_clickhouse("", Some("159"))),
        ("200 with a page".to_owned(), Canned::plain(StatusCode::OK, PAGE)),
        ("200 with nothing".to_owned(), Canned::plain(StatusCode::OK, "")),
        ("500 of ClickHouse".to_owned(), Canned::exception(StatusCode::INTERNAL_SERVER_ERROR, 159, "Timeout exceeded")),
    ];
    for status in [429, 502, 503, 504] {
        canned.push((status.to_string(), Canned::plain(code(status).expect("a status"), PAGE)));
    }
    for (name, answer) in canned {
        lies.push((format!("{name}, not passed on"), Fault::Answer(answer.clone()), Effect::None));
        lies.push((format!("{name}, stored"), Fault::Lie(answer), Effect::Stored));
    }
    lies
}

/// Each lie, told `times` times in a row about one range.
async fn every_lie(name: &str, has_view: bool, times: usize) {
    let mut scene = Scene::new(name, has_view).await;
    for (lie, fault, effect) in lies() {
        let before = scene.stage.proxy.inserts("numbers").len();
        let rule = scene.stage.proxy.when(insert_into("numbers")).times(times).make(fault);
        scene.post().await;
        scene.is_exact().await;
        scene.is_settled().await;
        rule.remove();
        let inserts = scene.stage.proxy.inserts("numbers").split_off(before);
        one_token_and_the_same_bytes(&lie, &inserts);
        // Without a view the table is asked, has everything, and nothing is sent again.
        let expected = match effect {
            Effect::None => times + 1..=times + 1,
            Effect::Stored if has_view => times + 1..=times + 1,
            Effect::Stored => 1..=1,
            Effect::Unknown => 1..=times + 1,
        };
        assert!(expected.contains(&inserts.len()), "{lie}: {} INSERTs, wanted {expected:?}", inserts.len());
    }
    scene.end().await;
}

fn one_token_and_the_same_bytes(lie: &str, inserts: &[Recorded]) {
    let [first, retries @ ..] = inserts else { panic!("{lie}: no INSERT at all") };
    assert!(first.fault.is_some(), "{lie}: it was told");
    for retry in retries {
        assert_eq!((retry.token(), retry.body_digest), (first.token(), first.body_digest), "{lie}");
    }
}

#[tokio::test]
async fn every_lie_about_a_table() {
    tokio::join!(every_lie("once", false, 1), every_lie("again", false, 3));
}

#[tokio::test]
async fn every_lie_about_a_table_with_a_view() {
    tokio::join!(every_lie("once", true, 1), every_lie("again", true, 3));
}

/// An INSERT that comes to the server only after its range was settled: the token of the range catches it.
async fn late(has_view: bool) {
    let mut scene = Scene::new("late", has_view).await;
    let late = scene.stage.proxy.when(insert_into("numbers")).times(1).make(Fault::Late);
    let begun = Instant::now();
    scene.post().await;
    scene.is_exact().await;
    scene.is_settled().await;
    assert!(begun.elapsed() > Duration::from_secs(10), "it had its time: {:?}", begun.elapsed());
    let inserts = scene.stage.proxy.inserts("numbers");
    assert_eq!(inserts.len(), 2, "given up once");
    one_token_and_the_same_bytes("late", &inserts);
    assert!(!scene.stage.proxy.matching(|request| request.path == "/ping").is_empty());
    late.release();
    finished(&late).await;
    scene.is_exact().await;
    scene.post().await;
    scene.is_exact().await;
    scene.end().await;
}

async fn finished(rule: &RuleHandle) {
    eventually(LATE, || async { if rule.finished() == 1 { Ok(()) } else { Err("not answered by the server yet") } })
        .await;
}

#[tokio::test]
async fn an_insert_that_is_silent_beside_answered_pings_is_given_up_and_stores_nothing_when_it_comes_late() {
    tokio::join!(late(false), late(true));
}

#[tokio::test]
async fn a_range_is_settled_while_the_server_still_runs_its_insert() {
    // A hundred times 25 milliseconds, in the view or in the table itself.
    let view = async {
        let mut scene = Scene::with("running", true, "id + sleepEachRow(0.025)").await;
        still_running(&mut scene).await;
        scene.end().await;
    };
    let table = async {
        let mut scene = Scene::new("running", false).await;
        scene.stage.sql("ALTER TABLE numbers ADD CONSTRAINT slow CHECK sleepEachRow(0.025) = 0").await;
        still_running(&mut scene).await;
        scene.end().await;
    };
    tokio::join!(view, table);
}

/// The connection ends while the server is at the INSERT, so that the settling overtakes it or meets it.
async fn still_running(scene: &mut Scene) {
    let abandoned = scene.stage.proxy.when(insert_into("numbers")).times(1).make(Fault::Abandon);
    scene.post().await;
    eventually(SOON, || async {
        let sent = scene.stage.proxy.inserts("numbers").len();
        if sent >= 2 { Ok(()) } else { Err("not sent again yet") }
    })
    .await;
    assert_eq!(abandoned.finished(), 0, "the first one still runs");
    finished(&abandoned).await;
    scene.is_settled().await;
    scene.is_exact().await;
    let inserts = scene.stage.proxy.inserts("numbers");
    one_token_and_the_same_bytes("still running", &inserts);
}

#[tokio::test]
async fn a_probe_that_is_answered_with_nothing_or_in_part_stores_nothing_twice() {
    let mut scene = Scene::new("probe", false).await;
    let probe = |request: &Recorded| request.statement.contains("_stream_offset BETWEEN");
    let settings = |request: &Recorded| request.statement.contains("FROM system.settings");
    for fault in [
        Fault::Answer(of_clickhouse("", None)),
        Fault::Answer(Canned::plain(StatusCode::OK, PAGE)),
        Fault::Answer(of_clickhouse("[\"0\"]\n[\"1\"]\n", None)),
        Fault::Answer(of_clickhouse(
            r#"{"meta":[],"data":[],"rows":0,"exception":"Code: 241. DB::Exception: no"}"#,
            None,
        )),
        Fault::CutAnswer { after: 300 },
    ] {
        let before = scene.stage.proxy.inserts("numbers").len();
        // Twice, because it is the second look that would call a token burnt.
        scene.stage.proxy.when(insert_into("numbers")).times(1).make(Fault::DropAnswer);
        let rules = [
            scene.stage.proxy.when(probe).times(2).make(fault.clone()),
            scene.stage.proxy.when(settings).times(2).make(fault),
        ];
        scene.post().await;
        scene.is_exact().await;
        eventually(LATE, || async {
            if rules.iter().all(|rule| rule.hits() == 2) { Ok(()) } else { Err("lies left") }
        })
        .await;
        scene.is_settled().await;
        let inserts = scene.stage.proxy.inserts("numbers").split_off(before);
        assert!(inserts.iter().all(|insert| insert.token() == inserts[0].token() && !insert.token().is_empty()));
    }
    scene.end().await;
}

/// How many ranges are sent through a proxy that lies at random.
fn ranges() -> u64 {
    if is_full() { 400 } else { 40 }
}

/// Makes a fault of so many in a hundred of what `predicate` takes.
fn at_random(
    stage: &Stage,
    random: &Arc<Mutex<Random>>,
    percent: u64,
    predicate: fn(&Recorded) -> bool,
    fault: Fault,
) -> RuleHandle {
    let random = Arc::clone(random);
    let chosen = move |request: &Recorded| {
        predicate(request) && random.lock().expect("no panic under the lock").below(100) < percent
    };
    stage.proxy.when(chosen).make(fault)
}

async fn random_lies(random: &Arc<Mutex<Random>>, has_view: bool) {
    let mut scene = Scene::new("random", has_view).await;
    let is_insert = |request: &Recorded| request.insert_table() == Some("numbers");
    let is_query = |request: &Recorded| request.path != "/ping" && request.insert_table().is_none();
    let mut rules = Vec::new();
    for (_, fault, _) in lies() {
        rules.push(at_random(&scene.stage, random, 2, is_insert, fault));
    }
    for fault in [
        Fault::Refuse,
        Fault::DropAnswer,
        Fault::CutAnswer { after: 100 },
        Fault::Answer(of_clickhouse("", None)),
        Fault::Answer(Canned::plain(StatusCode::BAD_GATEWAY, PAGE)),
        Fault::Answer(Canned::plain(StatusCode::OK, PAGE)),
    ] {
        rules.push(at_random(&scene.stage, random, 1, is_query, fault));
    }
    for _ in 0..ranges() {
        scene.post().await;
    }
    scene.is_exact().await;
    scene.is_settled().await;
    rules.iter().for_each(RuleHandle::remove);
    scene.is_exact().await;
    let told = scene.stage.proxy.matching(|request| request.fault.is_some()).len();
    let inserts = scene.stage.proxy.inserts("numbers");
    let tokens: BTreeSet<&str> = inserts.iter().map(Recorded::token).collect();
    eprintln!("{} ranges, {} INSERTs under {} tokens, {told} lies", ranges(), inserts.len(), tokens.len());
    assert_eq!(tokens.len() as u64, ranges(), "one token for each range, whatever was said");
    assert!(told as u64 > ranges() / 4, "too few lies for the test to mean something");
    scene.end().await;
}

#[tokio::test]
async fn lies_at_random_under_load() {
    let random = Arc::new(Mutex::new(Random::seeded()));
    tokio::join!(random_lies(&random, false), random_lies(&random, true));
}

/// An INSERT into the table or into one of its trials.
fn is_about_numbers(request: &Recorded) -> bool {
    request.insert_table().is_some_and(|table| table.starts_with("numbers"))
}

fn is_of_a_trial(request: &Recorded) -> bool {
    request.insert_table().is_some_and(|table| table.starts_with("numbers__trial_"))
}

fn refuses(code: u32, text: &str) -> Fault {
    Fault::Answer(Canned::exception(StatusCode::INTERNAL_SERVER_ERROR, code, text))
}

impl Scene {
    /// Nothing that came became a dead letter.
    async fn has_no_dead_letters(self) {
        self.is_settled().await;
        self.is_exact().await;
        self.app.stop().await.expect("an orderly stop");
        let letters = self.stage.dead_letters().await;
        assert!(letters.is_empty(), "{letters:?}");
    }
}

/// Most INSERTs are refused with this code for a while.
async fn troubled(name: &str, code: u32, text: &'static str) {
    let mut scene = Scene::new(name, false).await;
    scene.post().await;
    let random = Arc::new(Mutex::new(Random::seeded()));
    let rule = at_random(&scene.stage, &random, 85, is_about_numbers, refuses(code, text));
    for _ in 0..if is_full() { 60 } else { 10 } {
        scene.post().await;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    rule.remove();
    assert!(rule.hits() > 2, "{code}: it was not refused often enough for the test to mean something");
    scene.has_no_dead_letters().await;
}

#[tokio::test]
async fn a_server_in_trouble_refuses_no_row() {
    tokio::join!(
        troubled(
            "open",
            76,
            "Cannot open file /var/lib/clickhouse/store/x: , errno: 24, strerror: Too many open files"
        ),
        troubled("read", 74, "Cannot read from file 12, errno: 5, strerror: Input/output error"),
        troubled("write", 75, "Cannot write to file 12, errno: 28, strerror: No space left on device"),
        troubled("space", 243, "Cannot reserve 1.00 MiB, not enough space"),
        troubled("logic", 49, "Bad cast from type A to B"),
        troubled("checksum", 40, "Checksum doesn't match: corrupted data"),
        troubled("future", 1150, "SOMETHING_NEW"),
    );
}

/// What refuses everything for a while, which begins in the midst of a trial and ends there or later.
#[tokio::test]
async fn rows_are_refused_only_twice_and_only_while_others_are_taken() {
    let text = "Constraint `good` for table is violated";
    let trial = async |name, first: usize, second: usize, refused: [usize; 2]| {
        let mut scene = Scene::new(name, false).await;
        scene.post().await;
        scene.is_settled().await;
        let proxy = &scene.stage.proxy;
        proxy.when(insert_into("numbers")).times(2).make(refuses(469, text));
        // A sample is taken, the whole is refused, its left half taken; from then on nothing is for so many INSERTs.
        proxy.when(is_of_a_trial).skip(1).times(1).make(refuses(469, text));
        let rules = [
            proxy.when(is_of_a_trial).skip(2).times(first).make(refuses(469, text)),
            // Of those that are left: after the sample, the left half, and a control row.
            proxy.when(is_of_a_trial).skip(3).times(second).make(refuses(469, text)),
        ];
        scene.post().await;
        scene.is_settled().await;
        assert_eq!(rules.map(|rule| rule.hits()), refused, "{name}");
        scene.has_no_dead_letters().await;
    };
    // The right half is known to be refused: its 50 rows are asked for in the 98 halves within it. Then a control row must
    // be taken, the 50 are asked for again, and a control row once more.
    tokio::join!(
        trial("first", 98, 0, [98, 0]),
        trial("all", 98 + 1 + 50, 0, [98 + 1, 0]),
        trial("second", 98, usize::MAX, [98, 50 + 1]),
    );
}
