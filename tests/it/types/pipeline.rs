//! Column types through a running pipeline: the front door, the stream, the sync and the table.

use std::{collections::BTreeMap, net::Ipv4Addr};

use moose_runtime::{declare::Resource as _, prelude::*, record::Int256, record::column::Point};
use moose_tests::{
    http,
    pipelines::{EVENTS, EVERYTHING, NUMBERS},
};
use serde_json::{Value, json};

use crate::stage::{SOON, Stage, ingest};

/// How an order stands.
#[derive(OlapType)]
#[serde(rename_all = "snake_case")]
enum State {
    Open = 1,
    Shipped = 2,
}

/// A line of an order.
#[derive(OlapType)]
struct Line {
    article: String,
    pieces: u16,
}

/// How it was paid.
#[derive(OlapType)]
#[serde(untagged)]
#[expect(dead_code, reason = "only JSON makes them")]
enum Paid {
    Number(i64),
    Text(String),
    Nothing,
}

/// A record with what a struct can say beyond plain types.
#[derive(OlapRecord)]
struct Order {
    #[key]
    id: u32,
    #[olap(decimal(18, 2))]
    total: Decimal,
    balance: Int256,
    #[olap(fixed = 2)]
    country: String,
    state: State,
    maybe_state: Option<State>,
    address: Line,
    #[olap(nested)]
    lines: Vec<Line>,
    notes: BTreeMap<String, Vec<u8>>,
    client: Ipv4Addr,
    place: Point,
    at: NaiveTime,
    #[olap(compact)]
    since: DateTime<Utc>,
    paid: Paid,
    extra: Value,
}

static ORDERS: IngestPipeline<Order> = IngestPipeline::new("orders").ingest_api(true).stream(true).table(true);

#[tokio::test]
async fn nested_and_composed_types_pass_a_running_pipeline() {
    let stage = Stage::new().await;
    let app = stage.start(&[&ORDERS]).await;
    let rows: Vec<Value> = (0..100_u32)
        .map(|id| {
            let line = |at: u32| json!({ "article": format!("a{at}"), "pieces": at });
            json!({
                "id": id, "total": format!("{id}.25"), "balance": "-57896044618658097711785492504343953926634992332820282019728792003956564819968",
                "country": "DE", "state": if id % 2 == 0 { "open" } else { "shipped" },
                "maybe_state": (id % 3 == 0).then_some("open"), "address": line(id),
                "lines": (0..id % 4).map(line).collect::<Vec<_>>(), "notes": { "b": [1, 2], "a": [] },
                "client": "192.168.0.1", "place": [1.5, -2.5], "at": "12:30:00.250", "since": "2024-02-29T12:00:00Z",
                "paid": if id % 2 == 0 { json!(i64::from(id)) } else { json!("cash") }, "extra": { "deep": { "er": id } },
            })
        })
        .collect();
    let body = rows.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    let answer = http::post(&ingest(&app, "orders"), "application/x-ndjson", body).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (200, format!("{{\"accepted\":{}}}", rows.len())));
    stage.shows("SELECT count() FROM orders", &rows.len().to_string(), SOON).await;
    assert_eq!(app.health().failures().len(), 0, "the table is as declared");
    let last = stage.sql("SELECT total, balance, country, state, maybe_state, address, lines, notes, client, place, at, since, paid, extra FROM orders WHERE id = 99 FORMAT TSVRaw").await;
    assert_eq!(
        last,
        "99.25\t-57896044618658097711785492504343953926634992332820282019728792003956564819968\tDE\tshipped\topen\t('a99',99)\t\
         [('a0',0),('a1',1),('a2',2)]\t{'a':[],'b':[1,2]}\t192.168.0.1\t(1.5,-2.5)\t12:30:00.250\t2024-02-29 12:00:00\tcash\t\
         {\"deep\":{\"er\":99}}"
    );
    app.stop().await.expect("an orderly stop");
}

/// Rows at the bounds of every type, and an ordinary one.
fn edges() -> Vec<Value> {
    let low = json!({
        "id": 0, "text": "", "truth": false,
        "int8": i8::MIN, "int16": i16::MIN, "int32": i32::MIN, "int64": i64::MIN,
        "uint8": 0, "uint16": 0, "uint32": 0, "uint64": 0,
        "float32": -3.402_823_5e38, "float64": f64::MIN,
        "time": "1900-01-01T00:00:00.000Z", "date": "1900-01-01", "uuid": "00000000-0000-0000-0000-000000000000",
        "label": "", "maybe_text": null, "maybe_int64": null, "maybe_time": null, "maybe_label": null,
        "texts": [], "maybes": [], "matrix": [],
    });
    let high = json!({
        "id": 1, "text": "\u{0}\u{7f}\t\n\\'\"\u{e9}\u{10ffff}", "truth": true,
        "int8": i8::MAX, "int16": i16::MAX, "int32": i32::MAX, "int64": i64::MAX,
        "uint8": u8::MAX, "uint16": u16::MAX, "uint32": u32::MAX, "uint64": u64::MAX,
        "float32": 3.402_823_5e38, "float64": f64::MAX,
        "time": "2299-12-31T23:59:59.999Z", "date": "2299-12-31", "uuid": "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "label": "\u{0}", "maybe_text": "", "maybe_int64": i64::MAX, "maybe_time": "1969-12-31T23:59:59.999Z",
        "maybe_label": "", "texts": ["", "a", "\u{1f980}"], "maybes": [null, i32::MIN, null],
        "matrix": [[], [0, 65535], [], [1]],
    });
    let ordinary = json!({
        "id": 2, "text": "plain", "truth": true,
        "int8": -1, "int16": -2, "int32": -3, "int64": -4, "uint8": 1, "uint16": 2, "uint32": 3, "uint64": 4,
        "float32": 0.1, "float64": 0.1,
        "time": "2024-02-29T12:34:56.789Z", "date": "2024-02-29", "uuid": "123e4567-e89b-12d3-a456-426614174000",
        "label": "often", "maybe_text": "there", "maybe_int64": 0, "maybe_time": "1970-01-01T00:00:00.000Z",
        "maybe_label": "often", "texts": ["x"], "maybes": [7], "matrix": [[1, 2, 3]],
    });
    vec![low, high, ordinary]
}

/// Rows of scattered values: many labels, so that a dictionary outgrows one byte; arrays of all lengths.
fn scattered(ids: std::ops::Range<u32>) -> impl Iterator<Item = Value> {
    ids.map(|id| {
        // Knuth's multiplicative step: the same values in every run.
        let n = u64::from(id).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let signed = n.cast_signed();
        let length = usize::try_from(n % 5).expect("a small number");
        json!({
            "id": id, "text": format!("text {n}"), "truth": n.is_multiple_of(3),
            "int8": signed % 100, "int16": signed % 30_000, "int32": -i64::from(id),
            "int64": signed, "uint8": n % 256, "uint16": n % 65_536, "uint32": n >> 32, "uint64": n,
            "float32": f64::from(id % 4096) / 8.0, "float64": f64::from(id) / 1024.0,
            "time": format!("20{:02}-{:02}-{:02}T{:02}:00:00.{:03}Z", n % 100, n % 12 + 1, n % 28 + 1, n % 24, n % 1000),
            "date": format!("19{:02}-{:02}-{:02}", n % 100, n % 12 + 1, n % 28 + 1),
            "uuid": format!("{n:016x}{n:016x}").chars().enumerate().fold(String::new(), |mut text, (at, digit)| {
                if [8, 12, 16, 20].contains(&at) {
                    text.push('-');
                }
                text.push(digit);
                text
            }),
            "label": format!("label {}", n % 400),
            "maybe_text": (n % 2 == 0).then(|| format!("{n}")), "maybe_int64": (n % 3 == 0).then_some(id),
            "maybe_time": (n % 5 == 0).then_some("2024-01-01T00:00:00.001Z"),
            "maybe_label": (n % 7 != 0).then(|| format!("maybe {}", n % 300)),
            "texts": vec![format!("{n}"); length],
            "maybes": (0..length).map(|at| (at % 2 == 0).then_some(at)).collect::<Vec<_>>(),
            "matrix": (0..length).map(|at| vec![at; at]).collect::<Vec<_>>(),
        })
    })
}

/// The row as ClickHouse prints it: numbers by their value, whatever their text.
fn comparable(mut row: Value) -> Value {
    for (column, value) in row.as_object_mut().expect("an object") {
        if column.starts_with("float") {
            let number = value.as_f64().expect("a number");
            #[expect(clippy::cast_possible_truncation, reason = "what the column does")]
            let number = if column == "float32" { f64::from(number as f32) } else { number };
            *value = json!(number);
        }
    }
    row
}

#[tokio::test]
async fn every_type_comes_back_as_it_went_in() {
    let stage = Stage::new().await;
    let app = stage.start(&[&EVERYTHING]).await;
    let rows: Vec<Value> = edges().into_iter().chain(scattered(3..1000)).collect();
    let body = rows.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    let answer = http::post(&ingest(&app, "everything"), "application/x-ndjson", body).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (200, format!("{{\"accepted\":{}}}", rows.len())));
    stage.shows("SELECT count() FROM everything", &rows.len().to_string(), SOON).await;

    let printed = stage
        .sql(
            "SELECT * FROM everything ORDER BY id SETTINGS output_format_json_quote_64bit_integers = 0, \
             date_time_output_format = 'iso' FORMAT JSONEachRow",
        )
        .await;
    let found: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(found.len(), rows.len());
    for (found, sent) in found.into_iter().zip(rows) {
        assert_eq!(comparable(found), comparable(sent));
    }
    app.stop().await.expect("an orderly stop");
}

#[tokio::test]
async fn the_types_of_our_ddl_are_those_of_system_columns() {
    let stage = Stage::new().await;
    let app = stage.start(&[&EVERYTHING, &EVENTS, &NUMBERS]).await;
    for (table, batch) in
        [("everything", EVERYTHING.new_batch()), ("events", EVENTS.new_batch()), ("numbers", NUMBERS.new_batch())]
    {
        let declared: Vec<String> =
            batch.columns().iter().map(|column| format!("{}\t{}", column.name, column.data_type)).collect();
        let query = format!(
            "SELECT name, type FROM system.columns WHERE database = '{}' AND table = '{table}' \
             AND NOT startsWith(name, '_stream_') ORDER BY position FORMAT TSVRaw",
            stage.database
        );
        assert_eq!(stage.sql(&query).await, declared.join("\n"));
    }
    app.stop().await.expect("an orderly stop");
}

#[tokio::test]
async fn the_hidden_columns_name_every_record_and_stay_out_of_sight() {
    let stage = Stage::new().await;
    let app = stage.start(&[&NUMBERS]).await;
    crate::stage::post_numbers(&app, 0..100).await;
    stage.shows("SELECT count() FROM numbers", "100", SOON).await;
    let hidden = "SELECT uniqExact(_stream_epoch), groupUniqArray(_stream_partition), uniqExact(_stream_offset), \
                  min(_stream_offset), max(_stream_offset) FROM numbers";
    assert_eq!(stage.sql(hidden).await, "1\t[0]\t100\t0\t99");
    stage.sql("INSERT INTO numbers VALUES (1000, 1)").await;
    assert_eq!(
        stage.sql("SELECT *, _stream_epoch, _stream_partition, _stream_offset FROM numbers WHERE id = 1000").await,
        format!("1000\t1\t{0}\t{1}\t{0}", u64::MAX, u16::MAX),
        "a row inserted by hand is from no stream"
    );
    app.stop().await.expect("an orderly stop");
}
