//! The demonstration: boot on a fresh directory, send a month of flights over HTTP, wait until all are rows, and compare
//! what ClickHouse says of them with what the file says.

use std::{
    collections::BTreeMap,
    error::Error,
    io::{self, Write as _},
    net::SocketAddr,
    process::ExitCode,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, StatusCode, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use indicatif::{ProgressBar, ProgressStyle};
use moose_runtime::{
    app::{AppBuilder, RunningApp},
    config::Config,
};
use tokio::{net::TcpStream, time::sleep};

use crate::source::{self, Totals};

/// Records in one request.
const RECORDS_PER_REQUEST: usize = 1_000;

/// How long the last record may take to become a row before the demonstration has failed.
const DEADLINE: Duration = Duration::from_mins(1);

/// How often it is asked whether all are there.
const POLL: Duration = Duration::from_millis(20);

/// Why the demonstration failed; every text is for the person who ran it.
#[derive(Debug, thiserror::Error)]
enum DemoError {
    #[error("the front door answered {status}: {body}")]
    Refused { status: StatusCode, body: String },
    #[error("{found} of {expected} flights are queryable after {DEADLINE:?}")]
    TooSlow { found: u64, expected: u64 },
    #[error("carrier {carrier}: the table says {found:?}, the file says {expected:?}")]
    Different { carrier: String, found: Totals, expected: Totals },
}

/// Runs the demonstration. It succeeds only if every flight of the file is a row, with its nulls as NULL.
pub(crate) fn main(app: AppBuilder) -> ExitCode {
    let result = tokio::runtime::Runtime::new().map_err(Into::into).and_then(|runtime| runtime.block_on(demo(app)));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn demo(app: AppBuilder) -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let _ = writeln!(io::stderr(), "booting on a fresh directory: {}", directory.path().display());
    let app = app.config(config(&directory)).start().await?;
    let result = run(&app).await;
    let stopped = app.stop().await;
    writeln!(io::stdout(), "{}", result?)?;
    stopped?;
    Ok(())
}

/// Everything in `directory`, on ports that are free: the demonstration can run beside a `dev`, and twice.
fn config(directory: &tempfile::TempDir) -> Config {
    let mut config = Config::default();
    let free_port = SocketAddr::from(([127, 0, 0, 1], 0));
    directory.path().join("data").clone_into(&mut config.data_dir);
    "flights-demo".clone_into(&mut config.app.name);
    config.http.listen = free_port;
    config.management.listen = free_port;
    config.engine.listen = free_port;
    config
}

/// Sends everything, waits for it, compares it, and answers the report.
async fn run(app: &RunningApp) -> Result<String, Box<dyn Error>> {
    let text = source::text()?;
    let expected = source::totals(&text)?;
    let count = expected.values().map(|totals| totals.flights).sum();

    let start = Instant::now();
    send(app.http_address(), &text, count).await?;
    let accepted = start.elapsed();
    wait_until_queryable(app, count).await?;
    let queryable = start.elapsed();

    let found = totals_in_table(app).await?;
    compare(&found, &expected)?;
    Ok(report(&found, accepted, queryable))
}

/// Posts all records over one connection.
async fn send(door: SocketAddr, text: &Bytes, count: u64) -> Result<(), Box<dyn Error>> {
    let stream = TcpStream::connect(door).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let style = ProgressStyle::with_template("sending  {wide_bar} {human_pos}/{human_len} flights  {per_sec}")?;
    let progress = ProgressBar::new(count).with_style(style);
    for (body, records) in source::requests(text, RECORDS_PER_REQUEST) {
        let request = Request::post("/ingest/flights")
            .header(header::HOST, door.to_string())
            .header(header::CONTENT_TYPE, "application/x-ndjson")
            .body(Full::new(body))?;
        sender.ready().await?;
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        if status != StatusCode::OK {
            return Err(DemoError::Refused { status, body: String::from_utf8_lossy(&body).into_owned() }.into());
        }
        progress.inc(records);
    }
    progress.finish();
    drop(sender);
    connection.await??;
    Ok(())
}

async fn wait_until_queryable(app: &RunningApp, expected: u64) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    loop {
        let found = app.query("SELECT count() FROM flights").fetch_one::<u64>().await?;
        if found >= expected {
            return Ok(());
        }
        if start.elapsed() > DEADLINE {
            return Err(DemoError::TooSlow { found, expected }.into());
        }
        sleep(POLL).await;
    }
}

async fn totals_in_table(app: &RunningApp) -> Result<BTreeMap<String, Totals>, Box<dyn Error>> {
    let rows = app
        .query(
            "SELECT CAST(carrier AS String) AS name, count(), countIf(arrDelay IS NULL), ifNull(sum(arrDelay), 0) \
             FROM flights GROUP BY name",
        )
        .fetch_all::<(String, u64, u64, i64)>()
        .await?;
    let totals = |(carrier, flights, without_delay, delay)| (carrier, Totals { flights, without_delay, delay });
    Ok(rows.into_iter().map(totals).collect())
}

fn compare(found: &BTreeMap<String, Totals>, expected: &BTreeMap<String, Totals>) -> Result<(), DemoError> {
    let carriers = found.keys().chain(expected.keys());
    for carrier in carriers {
        let totals = |side: &BTreeMap<String, Totals>| side.get(carrier).copied().unwrap_or_default();
        let (found, expected) = (totals(found), totals(expected));
        if found != expected {
            return Err(DemoError::Different { carrier: carrier.clone(), found, expected });
        }
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "the numbers are for reading, and far below 2^52")]
fn report(totals: &BTreeMap<String, Totals>, accepted: Duration, queryable: Duration) -> String {
    let mut lines = vec!["carrier  flights  mean arrival delay  without arrival".to_owned()];
    let mut carriers: Vec<_> = totals.iter().collect();
    carriers.sort_by_key(|(_, totals)| std::cmp::Reverse(totals.flights));
    let mut all = Totals::default();
    for (carrier, totals) in carriers {
        lines.push(line(carrier, totals));
        all.flights += totals.flights;
        all.without_delay += totals.without_delay;
        all.delay += totals.delay;
    }
    lines.push(line("all", &all));
    lines.push(format!(
        "\n{} flights accepted in {:.2} s ({:.0} records/s), all queryable after {:.2} s; every total equals the file's",
        all.flights,
        accepted.as_secs_f64(),
        all.flights as f64 / accepted.as_secs_f64(),
        queryable.as_secs_f64()
    ));
    lines.join("\n")
}

#[expect(clippy::cast_precision_loss, reason = "the numbers are for reading, and far below 2^52")]
fn line(name: &str, totals: &Totals) -> String {
    let arrived = totals.flights - totals.without_delay;
    let mean = if arrived == 0 { "-".to_owned() } else { format!("{:.1} min", totals.delay as f64 / arrived as f64) };
    format!("{name:7}  {:>7}  {mean:>18}  {:>15}", totals.flights, totals.without_delay)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn carrier(flights: u64, without_delay: u64, delay: i64) -> BTreeMap<String, Totals> {
        BTreeMap::from([("UA".to_owned(), Totals { flights, without_delay, delay })])
    }

    #[test]
    fn a_null_that_became_a_zero_is_a_difference() {
        compare(&carrier(10, 2, 80), &carrier(10, 2, 80)).unwrap();
        assert!(compare(&carrier(10, 0, 80), &carrier(10, 2, 80)).is_err());
    }

    #[test]
    fn a_carrier_on_one_side_only_is_a_difference() {
        assert!(compare(&BTreeMap::new(), &carrier(1, 0, 5)).is_err());
        assert!(compare(&carrier(1, 0, 5), &BTreeMap::new()).is_err());
    }

    #[test]
    fn the_mean_is_over_the_flights_that_have_a_delay() {
        assert!(line("UA", &Totals { flights: 10, without_delay: 2, delay: 80 }).contains("10.0 min"));
        assert!(line("UA", &Totals { flights: 1, without_delay: 1, delay: 0 }).contains(" - "));
    }
}
