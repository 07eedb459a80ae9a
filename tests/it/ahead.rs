//! INSERTs that are sent ahead of their turn, all but the last byte: nothing of them is stored before it, nothing else waits
//! for it, and what is taken back leaves nothing behind.

use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::StatusCode;
use moose_runtime::{
    config::Config,
    internal::clickhouse::{Ahead, Client, Patience, insert::Insert},
};
use moose_tests::{
    pipelines::NUMBERS,
    proxy::{Canned, Fault, Recorded, insert_into},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use crate::{
    delivery::offsets,
    stage::{LATE, SOON, Stage, post_numbers},
};

/// Every number once.
const ONCE: &str = "SELECT count(), uniqExact(id) FROM numbers";
/// INSERTs of the test's database that the server has begun.
const BEGUN: &str = "SELECT count() FROM system.processes \
                     WHERE query_kind = 'Insert' AND current_database = currentDatabase()";

/// So many numbers take more than that.
const MANY: u64 = 40_000;

/// A table of numbers, and INSERTs into it by hand.
struct Table {
    stage: Stage,
    client: Client,
    columns: Vec<String>,
}

impl Table {
    async fn new() -> Self {
        let stage = Stage::new().await;
        stage.sql("CREATE TABLE numbers (id UInt64) ENGINE = MergeTree ORDER BY id").await;
        let mut config = Config::default();
        config.clickhouse.database.clone_from(&stage.database);
        let client = Client::new(&stage.engine.url(), &config.clickhouse).expect("an address");
        Self { stage, client, columns: vec!["id".to_owned()] }
    }

    /// One Native block with these numbers.
    fn insert(&self, ids: std::ops::Range<u64>) -> Insert<'_> {
        let mut body = vec![1];
        let mut count = ids.end - ids.start;
        while count >= 128 {
            body.push(u8::try_from(count % 128).expect("seven bits") | 128);
            count /= 128;
        }
        body.push(u8::try_from(count).expect("seven bits"));
        for text in ["id", "UInt64"] {
            body.push(u8::try_from(text.len()).expect("short"));
            body.extend_from_slice(text.as_bytes());
        }
        body.extend(ids.flat_map(u64::to_le_bytes));
        Insert { table: "numbers", columns: &self.columns, settings: &[], token: None, body: Bytes::from(body) }
    }

    /// An INSERT of many numbers that is sent ahead and that the server has begun: of a body it reads 256 KiB before it
    /// does, because the statement may be in there.
    async fn ahead(&self) -> Ahead {
        let ahead = self.client.insert().send_ahead(&self.insert(0..MANY)).expect("a place");
        self.stage.shows(BEGUN, "1", SOON).await;
        ahead
    }
}

#[tokio::test]
async fn nothing_is_stored_before_the_end_and_nothing_waits_for_it() {
    let table = Table::new().await;
    let (stage, inserts) = (&table.stage, table.client.insert());
    let ahead = table.ahead().await;
    inserts.send(&table.insert(MANY..MANY + 10), &Patience::default()).await.expect("another INSERT passes");
    stage.sql("ALTER TABLE numbers MODIFY COMMENT 'so does a change of the table'").await;
    assert_eq!(stage.sql(ONCE).await, "10\t10");
    let answer = inserts.send_end(ahead, &Patience::default()).await.expect("nothing has cut it off");
    answer.expect("it is taken");
    assert_eq!(stage.sql(ONCE).await, "40010\t40010");
}

#[tokio::test]
async fn a_small_one_is_begun_only_with_its_end_and_taken_all_the_same() {
    let table = Table::new().await;
    let (stage, inserts) = (&table.stage, table.client.insert());
    let kept = inserts.send_ahead(&table.insert(0..100)).expect("a place");
    let dropped = inserts.send_ahead(&table.insert(100..200)).expect("a place");
    // Not a wait for anything: nothing is to come.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(stage.sql(BEGUN).await, "0");
    drop(dropped);
    inserts.send_end(kept, &Patience::default()).await.expect("nothing has cut it off").expect("it is taken");
    assert_eq!(stage.sql(ONCE).await, "100\t100");
}

#[tokio::test]
async fn a_turn_that_takes_longer_than_its_insert_waits_is_sent_anew_and_exact() {
    let stage = Stage::new().await;
    let mut config = stage.config();
    config.sync.max_rows = 1000;
    let app = stage.start_with(&[&NUMBERS], config).await;
    // Twice as long as an INSERT waits for its turn; beyond that a server would lose its own patience, at 30 s.
    let hold = Duration::from_secs(10);
    stage.proxy.when(insert_into("numbers")).times(1).make(Fault::Delay(hold));
    post_numbers(&app, 0..3000).await;
    stage.shows(ONCE, "3000\t3000", LATE).await;
    let inserts = stage.proxy.inserts("numbers");
    let [one, two, three] = inserts.as_slice() else {
        panic!("three INSERTs that were complete, not {}", inserts.len())
    };
    assert_eq!([one, two, three].map(offsets), ["0-999", "1000-1999", "2000-2999"]);
    assert!(two.arrived >= answered(one), "taken back, and sent anew at its turn");
    app.stop().await.expect("an orderly stop");
}

#[tokio::test]
async fn what_is_taken_back_leaves_nothing_behind() {
    let table = Table::new().await;
    drop(table.ahead().await);
    table.stage.shows(BEGUN, "0", SOON).await;
    assert_eq!(table.stage.sql(ONCE).await, "0\t0");
}

#[tokio::test]
async fn a_turn_that_does_not_come_is_not_waited_for() {
    let table = Table::new().await;
    let (stage, inserts) = (&table.stage, table.client.insert());
    let ahead = table.ahead().await;
    // By itself, after five seconds.
    stage.shows(BEGUN, "0", 5 * SOON).await;
    assert!(inserts.send_end(ahead, &Patience::default()).await.is_none(), "there is nothing left to be ended");
    assert_eq!(stage.sql(ONCE).await, "0\t0");
}

/// Answers the head of the first request with an error of ClickHouse, and keeps the connection.
async fn refuse_at_once(listener: TcpListener) {
    let (mut stream, _) = listener.accept().await.expect("a client");
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        assert_ne!(stream.read_buf(&mut head).await.expect("a request"), 0);
    }
    let answer = "HTTP/1.1 404 Not Found\r\nX-ClickHouse-Exception-Code: 60\r\nContent-Length: 0\r\n\r\n";
    stream.write_all(answer.as_bytes()).await.expect("an answer");
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn what_the_server_refuses_before_its_end_counts_for_nothing() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a loopback port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let refusing = tokio::spawn(refuse_at_once(listener));
    let client = Client::new(&url, &Config::default().clickhouse).expect("an address");
    let columns = ["id".to_owned()];
    let body = Bytes::from_static(b"whatever");
    let insert = Insert { table: "numbers", columns: &columns, settings: &[], token: None, body };
    let ahead = client.insert().send_ahead(&insert).expect("a place");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(client.insert().send_end(ahead, &Patience::default()).await.is_none(), "its end was never sent");
    refusing.abort();
}

#[tokio::test]
async fn only_so_many_wait_for_their_turn() {
    let table = Table::new().await;
    let inserts = table.client.insert();
    let places: Vec<_> = (0..4).map(|_| inserts.send_ahead(&table.insert(0..1)).expect("a place")).collect();
    assert!(inserts.send_ahead(&table.insert(0..1)).is_none());
    drop(places);
    assert!(inserts.send_ahead(&table.insert(0..1)).is_some());
}

/// When an answer began to go back.
fn answered(insert: &Recorded) -> Instant {
    insert.complete + insert.duration().expect("an answer")
}

#[tokio::test]
async fn the_next_insert_comes_ahead_and_its_end_only_after_the_answer_before() {
    let stage = Stage::new().await;
    let mut config = stage.config();
    config.sync.max_rows = 1000;
    let app = stage.start_with(&[&NUMBERS], config).await;
    // Shorter than what is sent ahead waits for its turn.
    let hold = Duration::from_secs(4);
    stage.proxy.when(insert_into("numbers")).times(1).make(Fault::Delay(hold));
    post_numbers(&app, 0..3000).await;
    stage.shows(ONCE, "3000\t3000", 2 * SOON).await;
    let inserts = stage.proxy.inserts("numbers");
    let [one, two, three] = inserts.as_slice() else { panic!("three INSERTs, not {}", inserts.len()) };
    assert_eq!([one, two, three].map(offsets), ["0-999", "1000-1999", "2000-2999"]);
    assert!(two.arrived + hold / 4 < answered(one), "sent ahead");
    assert!(two.complete >= answered(one) && three.complete >= answered(two), "one after the other");
    app.stop().await.expect("an orderly stop");
}

#[tokio::test]
async fn after_a_failure_nothing_counts_that_was_sent_ahead() {
    let stage = Stage::new().await;
    let mut config = stage.config();
    config.sync.max_rows = 1000;
    let app = stage.start_with(&[&NUMBERS], config).await;
    // Time for the second to be sent ahead; the first is stored, and told to have failed.
    stage.sql("ALTER TABLE numbers ADD CONSTRAINT slow CHECK sleep(2) = 0").await;
    let failure = Canned::exception(StatusCode::INTERNAL_SERVER_ERROR, 241, "Memory limit exceeded");
    stage.proxy.when(insert_into("numbers")).times(1).make(Fault::Lie(failure));
    post_numbers(&app, 0..2000).await;
    stage.shows(ONCE, "2000\t2000", LATE).await;
    let inserts = stage.proxy.inserts("numbers");
    let [one, two] = inserts.as_slice() else { panic!("two INSERTs that were complete, not {}", inserts.len()) };
    assert_eq!([one, two].map(offsets), ["0-999", "1000-1999"]);
    assert!(two.arrived >= answered(one), "taken back, and sent anew at its turn");
    app.stop().await.expect("an orderly stop");
}
