//! How long after its answer an event is a row that queries see, under a steady load.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use hyper::Method;
use moose_tests::process::ENGINE_PASSWORD;

use crate::{
    connection::Connection,
    records::{Shape, lines},
    report::{Figure, Report, Wanted},
    stage::{Running, Stage, float},
};

/// Events of a request; one is sent every ten milliseconds: 10,000 events a second.
const EVENTS: u64 = 100;
const EVERY: Duration = Duration::from_millis(10);
/// How long they are sent.
const TIME: Duration = Duration::from_secs(10);
/// How often the table is looked at.
const LOOK: Duration = Duration::from_millis(10);

pub(crate) async fn measure(stage: &Stage, rounds: usize, report: &mut Report) {
    let (mut middle, mut late) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let mut times = round(stage).await;
        times.sort_by(f64::total_cmp);
        let at = |hundredths: usize| times.get((times.len() - 1) * hundredths / 100).copied().unwrap_or(f64::NAN);
        middle.push(at(50));
        late.push(at(99));
    }
    report.add(Figure::new("freshness: p50", "s", middle).wanted(Wanted::AtMost(1.1)));
    report.add(Figure::new("freshness: p99", "s", late).wanted(Wanted::AtMost(1.6)));
}

/// For each request, the time from its answer until the table has as many rows as were answered until then: there is one
/// partition, and one client, so rows become visible in the order of the answers.
async fn round(stage: &Stage) -> Vec<f64> {
    let data = stage.place("data");
    let running = Running::start(&stage.launch(Shape::Events, &data), &data).await;
    let answered: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let client = tokio::spawn({
        let (answered, address) = (Arc::clone(&answered), running.addresses.http);
        async move {
            let mut connection = Connection::open(address).await;
            let mut ticks = tokio::time::interval(EVERY);
            let begun = Instant::now();
            let mut number = 0;
            while begun.elapsed() < TIME {
                ticks.tick().await;
                let body = Bytes::from(lines(number * EVENTS..(number + 1) * EVENTS));
                connection.post("/ingest/events", "application/x-ndjson", body).await;
                answered.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
                number += 1;
            }
            number
        }
    });
    let engine = running.addresses.engine.expect("an embedded engine");
    let mut looking = Connection::open(engine).await;
    let path = format!("/?user=moose&password={ENGINE_PASSWORD}");
    let (mut times, mut sent) = (Vec::new(), None);
    let mut client = Some(client);
    let end = Instant::now() + TIME * 3;
    while sent.is_none_or(|sent| (times.len() as u64) < sent) {
        assert!(Instant::now() < end, "{} requests are rows", times.len());
        let query = Bytes::from_static(b"SELECT count() FROM moose.events");
        let (status, rows) = looking.send(Method::POST, &path, "text/plain", query).await;
        assert!(status.is_success(), "{}", String::from_utf8_lossy(&rows));
        let rows: u64 = String::from_utf8_lossy(&rows).trim().parse().expect("a count");
        let now = Instant::now();
        let visible = usize::try_from(rows / EVENTS).expect("not that many");
        let answered = answered.lock().unwrap_or_else(PoisonError::into_inner).clone();
        while times.len() < visible.min(answered.len()) {
            let Some(answer) = answered.get(times.len()) else { break };
            times.push(now.duration_since(*answer).as_secs_f64());
        }
        if client.as_ref().is_some_and(tokio::task::JoinHandle::is_finished)
            && let Some(client) = client.take()
        {
            sent = Some(client.await.expect("a client that ends"));
        }
        tokio::time::sleep(LOOK).await;
    }
    let rows = sent.unwrap_or_default() * EVENTS;
    running.end(Shape::Events, rows).await;
    println!("freshness: {:.0} events/s were sent", float(rows) / TIME.as_secs_f64());
    times
}
