//! The front door: events one a request over many connections, and a thousand a request.

use std::{
    fs::File,
    io::Write as _,
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use moose_runtime::record::{Batch, ErasedBatch as _};

use crate::{
    client::Client,
    records::{Event, Shape, event, lines},
    report::{Figure, Report, Spread, Wanted},
    stage::{Running, Stage, float},
};

/// Clients, each with a connection that is kept.
const CONNECTIONS: u64 = 64;
/// Events of a request of `ingest-ndjson`.
const EVENTS: u64 = 1_000;
/// How long each is measured.
const TIME: Duration = Duration::from_secs(5);
/// How long requests go before it.
const WARM: Duration = Duration::from_millis(500);
const PATH: &str = "/ingest/events";

/// What clients were answered.
struct Answers {
    /// Requests a second.
    rate: f64,
    /// Seconds at 0.5, 0.99, 0.999.
    quantiles: [f64; 3],
    /// Requests, with those before the measurement.
    requests: u64,
}

/// Sends bodies over all connections at once, each again as soon as it is answered.
async fn load(address: SocketAddr, content_type: &'static str, bodies: fn(u64) -> Bytes) -> Answers {
    let clients: Vec<_> = (0..CONNECTIONS)
        .map(|client| {
            // Made before: what a client costs is not the server's.
            let bodies = (0..8).map(|number| bodies(client * 8 + number));
            let requests: Vec<Bytes> = bodies.map(|body| Client::request(PATH, content_type, &body)).collect();
            tokio::spawn(async move {
                let mut connection = Client::open(address).await;
                let (begin, mut times, mut count) = (Instant::now() + WARM, Vec::new(), 0);
                for request in requests.iter().cycle() {
                    let sent = Instant::now();
                    connection.send(request).await;
                    let answered = Instant::now();
                    count += 1;
                    if sent >= begin {
                        times.push(answered.duration_since(sent).as_secs_f64());
                    }
                    if answered >= begin + TIME {
                        break;
                    }
                }
                (times, count)
            })
        })
        .collect();
    let (mut times, mut requests) = (Vec::new(), 0);
    for client in clients {
        let (of_client, sent): (Vec<f64>, u64) = client.await.expect("a client that ends");
        times.extend(of_client);
        requests += sent;
    }
    times.sort_by(f64::total_cmp);
    let at = |thousandths: usize| times.get((times.len() - 1) * thousandths / 1000).copied().unwrap_or(f64::NAN);
    let rate = float(times.len() as u64) / TIME.as_secs_f64();
    Answers { rate, quantiles: [at(500), at(990), at(999)], requests }
}

/// A pipeline under a load; all of what it accepted must become rows where it has a table.
async fn pipeline(stage: &Stage, shape: Shape, events: u64) -> Answers {
    let data = stage.place("data");
    let mut running = Running::start(&stage.launch(shape, &data), &data).await;
    let answers = if events == 1 {
        load(running.addresses.http, "application/json", one).await
    } else {
        load(running.addresses.http, "application/x-ndjson", many).await
    };
    if shape == Shape::Events {
        let accepted = answers.requests * events;
        running.until_confirmed(accepted).await;
        running.end(shape, accepted).await;
    } else {
        running.interrupt();
    }
    answers
}

fn one(number: u64) -> Bytes {
    Bytes::from(event(number))
}

fn many(number: u64) -> Bytes {
    Bytes::from(lines(number * EVENTS..(number + 1) * EVENTS))
}

/// Seconds that writing a few bytes durably takes, the median of many.
fn fsync(stage: &Stage) -> f64 {
    let mut file = File::create(stage.place("fsync").join("file")).expect("a file in the run's directory");
    let times: Vec<f64> = (0..200)
        .map(|_| {
            let started = Instant::now();
            file.write_all(&[1; 256]).expect("room for a few bytes");
            file.sync_data().expect("a disk that takes them");
            started.elapsed().as_secs_f64()
        })
        .collect();
    Spread::of(&times).median
}

pub(crate) async fn single(stage: &Stage, rounds: usize, report: &mut Report) {
    let (mut with_table, mut door, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    let mut fsyncs = Vec::new();
    for _ in 0..rounds {
        let (process, address) = stage.bare().await;
        bare.push(load(address, "application/json", one).await);
        process.kill();
        fsyncs.push(fsync(stage));
        with_table.push(pipeline(stage, Shape::Events, 1).await);
        door.push(pipeline(stage, Shape::Door, 1).await);
    }
    let rates = |answers: &[Answers]| answers.iter().map(|answers| answers.rate).collect::<Vec<_>>();
    let beside = rates(&bare);
    let figure = Figure::new("ingest-single", "events/s", rates(&with_table)).beside("bare handler", &beside);
    report.add(figure.wanted(Wanted::Ratio(0.6)));
    report.add(
        Figure::new("ingest-single, stream without a table", "events/s", rates(&door)).beside("bare handler", &beside),
    );
    for (place, name) in ["p50", "p99", "p99.9"].into_iter().enumerate() {
        let of = |answers: &[Answers]| -> Vec<f64> {
            answers.iter().filter_map(|answers| answers.quantiles.get(place)).map(|time| time * 1000.0).collect()
        };
        let theirs = of(&bare);
        let figure =
            Figure::new(format!("ingest-single: {name}"), "ms", of(&with_table)).beside("bare handler", &theirs);
        report.add(if name == "p99" {
            let most = 3.0 * Spread::of(&theirs).median + Spread::of(&fsyncs).median * 1000.0;
            figure.wanted(Wanted::AtMost(most))
        } else {
            figure
        });
    }
    report.add(Figure::new("an fsync", "ms", fsyncs.iter().map(|time| time * 1000.0).collect()));
}

pub(crate) async fn ndjson(stage: &Stage, rounds: usize, report: &mut Report) {
    let texts: Vec<String> = (0..100_000).map(event).collect();
    let records: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
    let (mut with_table, mut door, mut decoding) = (Vec::new(), Vec::new(), Vec::new());
    let mut latencies = Vec::new();
    for _ in 0..rounds {
        let started = Instant::now();
        for _ in 0..10 {
            Batch::<Event>::default().decode(&records, usize::MAX, &mut Vec::new());
        }
        decoding.push(10.0 * float(records.len() as u64) / started.elapsed().as_secs_f64());
        let answers = pipeline(stage, Shape::Events, EVENTS).await;
        with_table.push(answers.rate * float(EVENTS));
        latencies.push(answers.quantiles);
        door.push(pipeline(stage, Shape::Door, EVENTS).await.rate * float(EVENTS));
    }
    let beside = "decoding alone, one core";
    let figure = Figure::new("ingest-ndjson", "events/s", with_table).beside(beside, &decoding);
    report.add(figure.wanted(Wanted::Ratio(0.6)));
    report.add(Figure::new("ingest-ndjson, stream without a table", "events/s", door).beside(beside, &decoding));
    for (place, name) in ["p50", "p99", "p99.9"].into_iter().enumerate() {
        let times = latencies.iter().filter_map(|quantiles| quantiles.get(place)).map(|time| time * 1000.0).collect();
        report.add(Figure::new(format!("ingest-ndjson: {name}"), "ms", times));
    }
}
