//! What the front door says to bad input, end to end: a clear answer, nothing lost, no column shifted.

use bytes::Bytes;
use moose_runtime::app::RunningApp;
use moose_tests::{
    http::{self, Answer},
    pipelines::{EVENTS, NUMBERS},
};
use serde_json::{Value, json};

use crate::stage::{SOON, Stage, ingest};

/// An event with a text of its own in every column.
fn event(id: &str) -> String {
    format!(r#"{{"id":"{id}","userId":"user of {id}","timestamp":"2024-01-15T10:30:00Z","eventType":"type of {id}"}}"#)
}

/// The event with one piece of its text replaced.
fn event_with(id: &str, from: &str, to: &str) -> String {
    let event = event(id);
    assert!(event.contains(from), "the case replaces nothing");
    event.replace(from, to)
}

/// A body and what is to be answered.
struct Case {
    what: &'static str,
    content_type: &'static str,
    body: Bytes,
    status: u16,
    accepted: u64,
    /// Index, pointer and code of each error.
    errors: Vec<(u64, &'static str, &'static str)>,
}

impl Case {
    fn json(what: &'static str, body: impl Into<Bytes>) -> Self {
        Self { what, content_type: "application/json", body: body.into(), status: 400, accepted: 0, errors: Vec::new() }
    }

    fn lines(what: &'static str, body: impl Into<Bytes>) -> Self {
        Self { content_type: "application/x-ndjson", ..Self::json(what, body) }
    }

    fn error(mut self, index: u64, pointer: &'static str, code: &'static str) -> Self {
        self.errors.push((index, pointer, code));
        self
    }

    fn accepts(mut self, accepted: u64) -> Self {
        self.accepted = accepted;
        self.status = if self.errors.is_empty() { 200 } else { 207 };
        self
    }

    fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    async fn check(&self, app: &RunningApp) {
        let answer = http::post(&ingest(app, "events"), self.content_type, self.body.clone()).await;
        let text = answer.text();
        assert_eq!(answer.status.as_u16(), self.status, "{}: {text}", self.what);
        let body = answer.json();
        assert_eq!(body["accepted"].as_u64().unwrap_or(0), self.accepted, "{}: {text}", self.what);
        let errors = body["errors"].as_array().cloned().unwrap_or_default();
        let found: Vec<_> = errors.iter().map(|error| (&error["index"], &error["pointer"], &error["code"])).collect();
        let wanted: Vec<_> = self.errors.iter().map(|(index, pointer, code)| json!([index, pointer, code])).collect();
        let found: Vec<_> = found.into_iter().map(|(index, pointer, code)| json!([index, pointer, code])).collect();
        assert_eq!(found, wanted, "{}: {text}", self.what);
        for error in &errors {
            assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{}: {text}", self.what);
        }
    }
}

fn cases() -> Vec<Case> {
    let invalid_utf8 = |id: &str, from: &str, to: &[u8]| {
        let event = event(id);
        let at = event.find(from).expect("the case replaces nothing");
        [&event.as_bytes()[..at], to, &event.as_bytes()[at + from.len()..]].concat()
    };
    let brackets = format!(r#""unknown":{},"id""#, "[".repeat(30 << 10));
    let nested = format!(r#""unknown":{}{},"id""#, "[".repeat(15 << 10), "]".repeat(15 << 10));
    vec![
        Case::json("not JSON", "hello").error(0, "", "invalid_json"),
        Case::json("nothing", "").error(0, "", "invalid_json"),
        Case::json("half a record", event("half")[..30].to_owned()).error(0, "", "invalid_json"),
        Case::json("not an object", "5").error(0, "", "wrong_type"),
        Case::json("an empty array", "[]").status(200),
        Case::json(
            "one wrong element",
            format!("[{},{},{}]", event("a0"), event_with("a1", "\"user of a1\"", "7"), event("a2")),
        )
        .error(1, "/userId", "wrong_type")
        .accepts(2),
        Case::lines("one wrong line", format!("{}\n{{\n{}\n", event("l0"), event("l2")))
            .error(1, "", "invalid_json")
            .accepts(2),
        Case::json("a missing field", event_with("m", r#""userId":"user of m","#, "")).error(
            0,
            "/userId",
            "missing_field",
        ),
        Case::json("a field twice", event_with("t", r#""userId""#, r#""userId":"first","userId""#)).error(
            0,
            "/userId",
            "duplicate_field",
        ),
        Case::json("a wrong type", event_with("w", "\"type of w\"", "{}")).error(0, "/eventType", "wrong_type"),
        Case::json("a null", event_with("n", "\"type of n\"", "null")).error(0, "/eventType", "wrong_type"),
        Case::json("a day that does not exist", event_with("d", "2024-01-15", "2024-02-31")).error(
            0,
            "/timestamp",
            "invalid_value",
        ),
        Case::json("a time that is no time", event_with("i", "2024-01-15T10:30:00Z", "yesterday")).error(
            0,
            "/timestamp",
            "invalid_value",
        ),
        Case::json("a time outside the column", event_with("o", "2024-01-15", "9999-01-15")).error(
            0,
            "/timestamp",
            "out_of_range",
        ),
        Case::json("everything wrong", r#"{"id":1,"timestamp":"x","eventType":[]}"#)
            .error(0, "/id", "wrong_type")
            .error(0, "/timestamp", "invalid_value")
            .error(0, "/eventType", "wrong_type")
            .error(0, "/userId", "missing_field"),
        Case::json("invalid UTF-8", invalid_utf8("u", "user of u", b"\xff\xfe")).error(0, "", "invalid_utf8"),
        Case::json(
            "invalid UTF-8 in an unknown field",
            invalid_utf8("v", "\"id\"", b"\"unknown\":\"\xc3\x28\",\"id\""),
        )
        .error(0, "", "invalid_utf8"),
        Case::json("30 KB of brackets in an unknown field", event_with("b", "\"id\"", &brackets)).error(
            0,
            "",
            "invalid_json",
        ),
        Case::json("30 KB of nested arrays in an unknown field", event_with("b", "\"id\"", &nested))
            .error(0, "", "too_deep"),
    ]
}

#[tokio::test]
async fn bad_input_is_answered_clearly_and_shifts_no_column() {
    let stage = Stage::new().await;
    let app = stage.start(&[&EVENTS]).await;
    for case in cases() {
        case.check(&app).await;
    }
    http::post_json(&ingest(&app, "events"), event("last")).await;
    let rows = "SELECT id FROM events ORDER BY id FORMAT TSV";
    stage.shows(rows, "a0\na2\nl0\nl2\nlast", SOON).await;
    let shifted = "SELECT count() FROM events WHERE userId != 'user of ' || id OR eventType != 'type of ' || id \
                   OR timestamp != '2024-01-15 10:30:00.000'";
    assert_eq!(stage.sql(shifted).await, "0");
    app.stop().await.expect("an orderly stop");
}

#[tokio::test]
async fn records_behind_one_another_under_application_json_are_refused_with_the_way_out() {
    let stage = Stage::new().await;
    let app = stage.start(&[&EVENTS]).await;
    for between in ["", " ", "\n"] {
        let body = format!("{}{between}{}", event("first"), event("second"));
        let answer = http::post_json(&ingest(&app, "events"), body).await;
        let text = answer.text();
        assert_eq!(answer.status, 400, "{text}");
        assert!(text.contains("application/x-ndjson"), "{text}");
    }
    app.stop().await.expect("an orderly stop");
    assert_eq!(stage.sql("SELECT count() FROM events").await, "0");
}

#[tokio::test]
async fn a_number_out_of_range_is_refused_and_its_neighbours_are_kept() {
    let stage = Stage::new().await;
    let app = stage.start(&[&NUMBERS]).await;
    for (id, small, code) in [
        (1, "256", "out_of_range"),
        (2, "-1", "out_of_range"),
        (3, "1.5", "wrong_type"),
        (4, "1e30", "out_of_range"),
        (5, "99999999999999999999999999", "out_of_range"),
        (6, "\"7\"", "wrong_type"),
    ] {
        let body =
            format!("[{{\"id\":{id}0,\"small\":0}},{{\"id\":{id},\"small\":{small}}},{{\"id\":{id}1,\"small\":255}}]");
        let answer = http::post_json(&ingest(&app, "numbers"), body).await;
        let text = answer.text();
        assert_eq!((answer.status.as_u16(), answer.json()["accepted"].as_u64()), (207, Some(2)), "{small}: {text}");
        let error = &answer.json()["errors"][0];
        assert_eq!((&error["index"], &error["pointer"]), (&json!(1), &json!("/small")), "{small}: {text}");
        let found = error["code"].as_str().unwrap_or_default();
        // A float in an integer's place may be called either: what counts is that it is refused.
        let alike = ["out_of_range", "wrong_type", "invalid_value"].contains(&found);
        assert!(found == code || (small.contains(['.', 'e']) && alike), "{small}: {text}");
    }
    app.stop().await.expect("an orderly stop");
    let wanted = (1..=6).map(|id| format!("{id}0\t0\n{id}1\t255")).collect::<Vec<_>>().join("\n");
    assert_eq!(stage.sql("SELECT id, small FROM numbers ORDER BY id FORMAT TSV").await, wanted);
}

/// Posts to a path of the front door.
async fn post(app: &RunningApp, path: &str, content_type: &str, body: impl Into<Bytes>) -> Answer {
    http::post(&format!("http://{}{path}", app.http_address()), content_type, body).await
}

#[tokio::test]
async fn requests_that_carry_no_records_are_answered_in_json() {
    let stage = Stage::new().await;
    let app = stage.start(&[&EVENTS, &NUMBERS]).await;

    let unknown = post(&app, "/ingest/evnts", "application/json", event("x")).await;
    let text = unknown.text();
    assert_eq!(unknown.status, 404, "{text}");
    assert!(unknown.json().is_object() && text.contains("events") && text.contains("numbers"), "{text}");

    let elsewhere = post(&app, "/", "application/json", event("x")).await;
    assert_eq!(elsewhere.status, 404);
    assert!(elsewhere.json().is_object());

    let xml = post(&app, "/ingest/events", "text/xml", "<event/>").await;
    assert_eq!(xml.status, 415, "{}", xml.text());
    assert!(xml.json().is_object() && xml.text().contains("application/json"), "{}", xml.text());

    let line = event("large");
    let large = std::iter::repeat_n(line.as_str(), (11 << 20) / line.len() + 1).collect::<Vec<_>>().join("\n");
    assert!(large.len() >= 11 << 20);
    let large = post(&app, "/ingest/events", "application/x-ndjson", large).await;
    assert_eq!(large.status, 413, "{}", large.text());
    assert!(matches!(large.json(), Value::Object(_)));

    let wrong_method = http::get(&ingest(&app, "events")).await;
    assert_eq!(wrong_method.status, 405, "{}", wrong_method.text());
    assert!(wrong_method.json().is_object());

    http::post_json(&ingest(&app, "events"), event("good")).await;
    stage.shows("SELECT id FROM events", "good", SOON).await;
    app.stop().await.expect("an orderly stop");
}
