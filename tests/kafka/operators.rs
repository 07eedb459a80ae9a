//! What operators and other clients do to topics under a pipeline: more partitions, records deleted, topics made anew,
//! transactions and compaction. Either the pipeline goes on rightly, or it holds and says what to do.

use std::{collections::BTreeSet, fs, net::SocketAddr, time::Duration};

use moose_tests::{
    http,
    load::{Load, each_is_a_row_once},
    process::{Launch, Process},
    wait::eventually,
};
use rdkafka::{
    ClientConfig, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer as _},
    producer::{FutureProducer, FutureRecord, Producer as _},
};
use serde_json::{Value, json};

use crate::{
    pipeline::STEADY,
    stage::{LATE, Stage},
    topics::{number, send},
};

pub(crate) async fn post(process: &mut Process, ids: std::ops::Range<u64>) {
    let addresses = process.addresses(LATE).await;
    let body = ids.map(number).collect::<Vec<_>>().join("\n");
    let answer = http::post(&format!("http://{}/ingest/numbers", addresses.http), "application/x-ndjson", body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// How many partitions of numbers a running pipeline accounts for.
pub(crate) async fn accounts_of_numbers(management: SocketAddr) -> usize {
    let answer = http::get(&format!("http://{management}/accounting")).await.json();
    let accounts = answer.get("accounts").and_then(Value::as_array).expect("accounts");
    accounts.iter().filter(|account| account.get("table") == Some(&json!("numbers"))).count()
}

pub(crate) fn end(mut process: Process) {
    process.interrupt();
    assert!(process.wait(LATE).success(), "{}", process.output());
}

impl Stage {
    /// Whether the broker has the record in a file of the topic's.
    fn is_stored(&self, id: u64) -> bool {
        let wanted = number(id);
        let files = fs::read_dir(self.directory.path().join("broker/data/numbers-0")).expect("the partition's files");
        files.flatten().filter(|file| file.path().extension().is_some_and(|extension| extension == "log")).any(|file| {
            // One that went away meanwhile has nothing.
            let bytes = fs::read(file.path()).unwrap_or_default();
            bytes.windows(wanted.len()).any(|window| window == wanted.as_bytes())
        })
    }

    pub(crate) async fn rows_are(&self, ids: impl IntoIterator<Item = u64>) {
        each_is_a_row_once(&self.url(), "numbers", &ids.into_iter().collect(), LATE).await;
    }

    fn member(&self, group: &str) -> BaseConsumer {
        ClientConfig::new().set("bootstrap.servers", self.address()).set("group.id", group).create().expect("a client")
    }

    /// The group's offset in the first partition of numbers, with its metadata.
    fn offset_of(&self, group: &str) -> TopicPartitionList {
        let mut place = TopicPartitionList::new();
        place.add_partition("numbers", 0);
        self.member(group).committed_offsets(place, LATE).expect("the group's offset")
    }

    /// Writes it back, as a copy of the group's offsets does. Those who died are in the group until their session ends.
    async fn restore_offset(&self, group: &str, offset: &TopicPartitionList) {
        let member = self.member(group);
        eventually(LATE, || async { member.commit(offset, CommitMode::Sync).map_err(|error| error.to_string()) }).await;
    }

    /// What `check --counts` says of the table, which must agree with the stream.
    pub(crate) fn counts(&self, name: &str) -> Value {
        Stage::counts_with(&self.copy(name))
    }

    fn counts_with(launch: &Launch) -> Value {
        let launch = launch.clone().argument("check").argument("--counts").argument("--json");
        let run = launch.command().output().expect("the command runs");
        let document: Value = serde_json::from_slice(&run.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&run.stderr)));
        assert_eq!(document.get("agreed"), Some(&json!(true)), "{document:#}");
        let accounts = document.get("accounts").and_then(Value::as_array).expect("accounts");
        accounts.iter().find(|account| account.get("table") == Some(&json!("numbers"))).cloned().expect("an account")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_that_are_added_under_load_are_read_and_nothing_is_lost() {
    let Some(stage) = Stage::new().await else { return };
    stage.make_topic("numbers", 2).await;
    let mut process = stage.copy("one").start();
    let addresses = process.addresses(LATE).await;
    let load = Load::start(format!("http://{}/ingest/numbers", addresses.http), 0, STEADY);
    process.printed("flushed", LATE).await;
    stage.grow_topic("numbers", 4).await;
    let producer = stage.producer(None);
    let mut kept = BTreeSet::new();
    for id in 0..100_u64 {
        let (partition, id) = (if id % 2 == 0 { 2 } else { 3 }, 1_000_000_000 + id);
        send(&producer, partition, None, id).await;
        kept.insert(id);
    }
    let new = "SELECT count(), uniqExact(_stream_partition) FROM numbers WHERE id >= 1000000000";
    stage.shows(new, "100\t2").await;
    // The door spreads its records over all of them, without a restart.
    stage.shows("SELECT uniqExact(_stream_partition) FROM numbers WHERE id < 1000000000", "4").await;
    let sent = load.stop().await;
    assert_eq!(sent.refused, 0, "{}", process.output());
    kept.extend(sent.kept);
    stage.rows_are(kept.iter().copied()).await;
    // It counts, measures and watches them too.
    assert_eq!(accounts_of_numbers(addresses.management).await, 4);
    let metrics = http::get(&format!("http://{}/metrics", addresses.management)).await.text();
    assert!(metrics.contains("moose_lag_records{stream=\"numbers\",table=\"numbers\",partition=\"3\"}"), "{metrics}");
    stage.counts("one");
    end(process);

    // The next start knows them all, and goes on where they were.
    let mut process = stage.copy("one").start();
    post(&mut process, 2_000_000_000..2_000_000_100).await;
    kept.extend(2_000_000_000..2_000_000_100);
    stage.rows_are(kept).await;
    stage.shows("SELECT uniqExact(_stream_partition) FROM numbers WHERE id >= 2000000000", "4").await;
    end(process);
    stage.counts("one");
}

/// An INSERT is in the table and the copy dies before it knows; then retention takes a part of the range.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_deleted_below_the_cursor_are_a_hold_until_told_where_to_go_on() {
    let Some(stage) = Stage::new().await else { return };
    let mut process = stage.copy("one").start();
    post(&mut process, 0..10).await;
    stage.rows_are(0..10).await;
    end(process);

    let armed = stage.directory.path().join("armed");
    fs::create_dir(&armed).expect("a directory");
    let launch = stage.copy("one").environment("FAULT_POINT", "insert.answered:1");
    let mut process = launch.environment("FAULT_POINT_DIR", &armed.to_string_lossy()).start();
    post(&mut process, 10..20).await;
    eventually(LATE, || async { if armed.join("reached").exists() { Ok(()) } else { Err("not reached".to_owned()) } })
        .await;
    process.kill();
    stage.delete_below(14).await;
    let process = stage.copy("one").start();
    process.printed("partition 0, which holds 14..20: offsets 10..14 were deleted", LATE).await;
    process.printed("`--from earliest`", LATE).await;
    end(process);
    let from = |from: &str| stage.copy("one").argument("dev").argument("--from").argument(from).start();
    let mut process = from("earliest");
    post(&mut process, 20..25).await;
    // What was left of the range is known to be in the table.
    stage.rows_are(0..25).await;
    end(process);
    stage.counts("one");

    stage.write(100..105).await;
    stage.delete_below(28).await;
    let mut process = stage.copy("one").start();
    process.printed("partition 0, which holds 28..30: offsets 25..28 were deleted", LATE).await;
    // The door is open all the same.
    post(&mut process, 30..31).await;
    end(process);
    let mut process = from("next");
    process.printed("going on as told", LATE).await;
    post(&mut process, 31..35).await;
    stage.rows_are((0..25).chain(31..35)).await;
    end(process);
    stage.shows("SELECT uniqExact(_stream_epoch) FROM numbers", "1").await;
}

/// The application has another name, and so another group, of which the brokers know nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_under_another_name_is_a_hold_until_it_adopts_what_it_was() {
    let Some(stage) = Stage::new().await else { return };
    let named = |name: &str| stage.copy(name).environment("MOOSE_APP__NAME", name);
    let mut process = named("first").start();
    post(&mut process, 0..30).await;
    stage.rows_are(0..30).await;
    end(process);
    let mut process = named("second").start();
    post(&mut process, 30..40).await;
    process.printed("`readers adopt first/numbers`", LATE).await;
    stage.shows("SELECT count() FROM numbers", "30").await;
    let readers = |what: &[&str]| {
        let launch = named("second").argument("readers");
        what.iter().fold(launch, |launch, argument| launch.argument(argument)).command().output().expect("it runs")
    };
    let listed = String::from_utf8_lossy(&readers(&["list"]).stdout).into_owned();
    assert!(listed.contains("first/numbers at 30 of 40, lag 10, not declared"), "{listed}");
    let adopted = readers(&["adopt", "first"]);
    assert!(adopted.status.success(), "{}", String::from_utf8_lossy(&adopted.stderr));
    stage.rows_are(0..40).await;
    end(process);
    // It has the place for good, and the other one none.
    let mut process = named("second").start();
    post(&mut process, 40..45).await;
    stage.rows_are(0..45).await;
    end(process);
    let mut process = named("first").start();
    process.addresses(LATE).await;
    process.printed("`readers adopt second/numbers`", LATE).await;
    end(process);
    stage.shows("SELECT uniqExact(_stream_epoch) FROM numbers", "1").await;
}

/// Its own records lie in a topic with another id, as after a move to another cluster, and the group's offset with its
/// metadata came along. One range is in the table, and the copy has died before it knew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_was_moved_is_a_hold_and_goes_on_where_it_was() {
    let Some(stage) = Stage::new().await else { return };
    stage.make_topic("numbers", 1).await;
    let launch = stage.copy("one").environment("MOOSE_APP__NAME", "shop");
    let mut process = launch.start();
    process.addresses(LATE).await;
    stage.write(0..10).await;
    stage.rows_are(0..10).await;
    end(process);
    let armed = stage.directory.path().join("armed");
    fs::create_dir(&armed).expect("a directory");
    let halted = launch.clone().environment("FAULT_POINT", "insert.answered:1");
    let mut process = halted.environment("FAULT_POINT_DIR", &armed.to_string_lossy()).start();
    process.addresses(LATE).await;
    stage.write(10..20).await;
    eventually(LATE, || async { if armed.join("reached").exists() { Ok(()) } else { Err("not reached".to_owned()) } })
        .await;
    process.kill();
    stage.shows("SELECT count() FROM numbers", "20").await;

    let offset = stage.offset_of("shop/numbers");
    stage.delete_topic("numbers").await;
    stage.make_topic("numbers", 1).await;
    // The last of them were on their way when the cluster was lost.
    stage.write(0..20).await;
    stage.write(20..25).await;
    stage.restore_offset("shop/numbers", &offset).await;
    let mut process = launch.start();
    process.printed("is not the one that `shop/numbers` has read", LATE).await;
    process.printed("`--from next` to go on at 10", LATE).await;
    // The door is open.
    post(&mut process, 25..30).await;
    end(process);
    stage.shows("SELECT count() FROM numbers", "20").await;

    let mut process = launch.clone().argument("dev").argument("--from").argument("next").start();
    stage.rows_are(0..30).await;
    post(&mut process, 30..35).await;
    stage.rows_are(0..35).await;
    end(process);
    // And from now on without being told.
    let mut process = launch.start();
    post(&mut process, 35..40).await;
    stage.rows_are(0..40).await;
    end(process);
    stage.shows("SELECT uniqExact(_stream_epoch) FROM numbers", "1").await;
    Stage::counts_with(&launch);
}

/// What lies in the topic is older than its id, and a part of what was read is not there: a mirror that lagged behind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mirror_that_lags_is_a_hold_and_not_read_once_more() {
    let Some(stage) = Stage::new().await else { return };
    stage.make_topic("numbers", 1).await;
    let launch = stage.copy("one").environment("MOOSE_APP__NAME", "shop");
    let mut process = launch.start();
    process.addresses(LATE).await;
    stage.write(0..10).await;
    stage.rows_are(0..10).await;
    end(process);
    let offset = stage.offset_of("shop/numbers");
    stage.delete_topic("numbers").await;
    stage.make_topic("numbers", 1).await;
    stage.write_from_before(0..8).await;
    stage.write(8..9).await;
    stage.restore_offset("shop/numbers", &offset).await;
    let process = launch.start();
    process.printed("it was read up to 10", LATE).await;
    end(process);
    let mut process = launch.argument("dev").argument("--from").argument("next").start();
    process.printed("going on as told", LATE).await;
    post(&mut process, 20..25).await;
    stage.rows_are((0..10).chain(20..25)).await;
    end(process);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_was_made_anew_while_nobody_looked_is_read_from_its_start_under_a_new_epoch() {
    let Some(stage) = Stage::new().await else { return };
    stage.make_topic("numbers", 1).await;
    let launch = stage.copy("one").environment("MOOSE_APP__NAME", "shop");
    let mut process = launch.start();
    post(&mut process, 0..10).await;
    stage.rows_are(0..10).await;
    end(process);
    for round in [1, 2] {
        let offset = stage.offset_of("shop/numbers");
        stage.delete_topic("numbers").await;
        stage.make_topic("numbers", 1).await;
        if round == 2 {
            // Not every broker takes a group's offsets away together with the topic.
            stage.restore_offset("shop/numbers", &offset).await;
        }
        // Fewer than were read of the one before, then more.
        let ids = if round == 1 { 100..105 } else { 200..230 };
        stage.write(ids).await;
        let mut process = launch.start();
        post(&mut process, 1000 * round..1000 * round + 5).await;
        if round == 2 {
            // It could be the old one, moved here: nobody was there to see.
            process.printed("is not the one that `shop/numbers` has read", LATE).await;
            end(process);
            process = launch.clone().argument("dev").argument("--from").argument("earliest").start();
        }
        let more = if round == 1 { 0..0 } else { 200..230 };
        let second = if round == 1 { 0..0 } else { 2000..2005 };
        stage.rows_are((0..10).chain(100..105).chain(1000..1005).chain(more).chain(second)).await;
        end(process);
    }
    stage.shows("SELECT uniqExact(_stream_epoch) FROM numbers", "3").await;
}

/// Transactions, those that were aborted and those whose markers are the last, then a topic that is compacted; the copy
/// dies with a range written down, and its second reading finds the same records.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transactions_and_compaction_leave_gaps_that_nothing_stumbles_over() {
    let Some(stage) = Stage::new().await else { return };
    let often = [("segment.ms", "1000"), ("min.cleanable.dirty.ratio", "0.01"), ("max.compaction.lag.ms", "1000")];
    let compacted = [&[("cleanup.policy", "compact")], &often[..]].concat();
    stage.make_topic_with("numbers", 1, 1, &compacted).await;
    let producer = stage.producer(Some("transactions"));
    producer.init_transactions(LATE).expect("the broker has a coordinator");
    let transaction = async |ids: std::ops::Range<u64>, keep: bool| {
        producer.begin_transaction().expect("none is open");
        for id in ids {
            send(&producer, 0, Some(&id.to_string()), id).await;
        }
        if keep { producer.commit_transaction(LATE) } else { producer.abort_transaction(LATE) }.expect("it ends");
    };
    let mut kept: BTreeSet<u64> = (0..10).chain(20..30).collect();
    transaction(0..10, true).await;
    transaction(10..20, false).await;
    transaction(20..30, true).await;
    transaction(30..40, false).await;

    let armed = stage.directory.path().join("armed");
    fs::create_dir(&armed).expect("a directory");
    let launch = stage.copy("one").environment("FAULT_POINT", "insert.before:1");
    let mut process = launch.environment("FAULT_POINT_DIR", &armed.to_string_lossy()).start();
    process.addresses(LATE).await;
    eventually(LATE, || async { if armed.join("reached").exists() { Ok(()) } else { Err("not reached".to_owned()) } })
        .await;
    process.kill();
    let mut process = stage.copy("one").start();
    stage.rows_are(kept.iter().copied()).await;
    transaction(50..55, false).await;
    transaction(60..65, true).await;
    kept.extend(60..65);
    stage.rows_are(kept.iter().copied()).await;
    process.addresses(LATE).await;
    end(process);

    // The cursor is where compaction takes records away; of one key the last stays.
    let producer = stage.producer(None);
    for id in 70..80 {
        send(&producer, 0, Some("one key"), id).await;
    }
    kept.insert(79);
    let mut next = 1000;
    while stage.is_stored(70) {
        assert!(next < 2000, "compaction does not come");
        send(&producer, 0, Some(&next.to_string()), next).await;
        kept.insert(next);
        next += 1;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let process = stage.copy("one").start();
    stage.rows_are(kept.iter().copied()).await;
    end(process);
    let line = stage.counts("one");
    assert_eq!((&line["inserted"], &line["counts"]["records"]), (&json!(kept.len()), &json!(kept.len())), "{line}");
    assert!(line["without_record"].as_u64() >= Some(9 + 25 + 5), "{line}");
}

/// A record that just fits its topic, and is no row: its letter is larger, and has room all the same. So has the letter of
/// one that came packed, and what is said of a record with many mistakes is cut.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_has_room_whatever_its_record() {
    let Some(stage) = Stage::new().await else { return };
    let mut process = stage.copy("one").start();
    let addresses = process.addresses(LATE).await;
    // Hardly packs.
    let mut random = moose_tests::random::Random::seeded();
    let noise: String =
        (0..1_048_588 - 100).map(|_| char::from(b' ' + u8::try_from(random.below(90)).expect("small"))).collect();
    let send = async |producer: &FutureProducer, payload: &str| {
        let record = FutureRecord::<str, str>::to("numbers").partition(0).payload(payload);
        producer.send(record, LATE).await.expect("the broker takes it");
    };
    let large = |packed: &str| {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", stage.address()).set("message.max.bytes", "50000000");
        config.set("compression.type", packed).create().expect("a producer")
    };
    send(&large("none"), &noise).await;
    let large = large("zstd");
    send(&large, &format!("{{\"id\":\"{}\"}}", "x".repeat(20_000_000))).await;
    let unknown = "k".repeat(1000);
    let wrong: Vec<String> = (0..200).map(|number| format!("\"{unknown}{number}\":1")).collect();
    send(&large, &format!("{{\"id\":\"no\",{}}}", wrong.join(","))).await;
    stage.write(0..10).await;
    stage.rows_are(0..10).await;
    let ask = r#"{"do":"list","limit":100}"#;
    let answer = http::post_json(&format!("http://{}/dead-letters", addresses.management), ask).await.json();
    let letters = answer["dead_letters"].as_array().expect("a list");
    let offsets: Vec<_> = letters.iter().filter_map(|letter| letter["offset"].as_u64()).collect();
    assert_eq!(offsets, [0, 1, 2]);
    end(process);

    // A topic that somebody made is left as it is, and told.
    stage.delete_topic("numbers.dead-letters").await;
    stage
        .make_topic_with("numbers.dead-letters", 1, 1, &[("cleanup.policy", "compact"), ("max.message.bytes", "1000")])
        .await;
    let run = stage.copy("one").argument("check").command().output().expect("the command runs");
    let told = String::from_utf8_lossy(&run.stdout).into_owned();
    let remedy = "--entity-name numbers.dead-letters --add-config max.message.bytes=16777216";
    assert!(told.contains("takes records of 1000 bytes") && told.contains(remedy), "{told}");
    assert_eq!(run.status.code(), Some(1), "{told}");
    let mut process = stage.copy("one").start();
    stage
        .producer(None)
        .send(FutureRecord::<str, str>::to("numbers").partition(0).payload(&noise[..5000]), LATE)
        .await
        .expect("taken");
    process.printed("is more than topic `numbers.dead-letters` takes", LATE).await;
    stage.set_topic("numbers.dead-letters", &[("cleanup.policy", "compact"), ("max.message.bytes", "16777216")]).await;
    post(&mut process, 10..20).await;
    stage.rows_are(0..20).await;
    end(process);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_above_the_topics_limit_is_its_own_error() {
    let Some(stage) = Stage::new().await else { return };
    let mut process = stage.copy("one").start();
    let addresses = process.addresses(LATE).await;
    let event = |id: &str| {
        format!(
            r#"{{"id":"{id}","userId":"u","timestamp":"2026-01-01T00:00:00Z","eventType":"{}"}}"#,
            if id == "large" { "x".repeat(1_048_588) } else { "click".to_owned() }
        )
    };
    let body = format!("[{},{},{}]", event("small"), event("large"), event("last"));
    let answer = http::post_json(&format!("http://{}/ingest/events", addresses.http), body).await;
    let text = answer.text();
    assert!(text.contains("too_large"), "{} {text}", answer.status);
    stage.shows("SELECT id FROM events ORDER BY id", "last\nsmall").await;
    end(process);
}
