//! `docs/metrics.md`, generated from the table of metrics.

use std::{fmt::Write as _, fs, path::Path};

use super::{
    LetterReason, Reason,
    metrics::{PREFIX, Row, TABLE},
};

const HEAD: &str = "\
# Metrics

<!-- Generated from `moose-runtime/src/telemetry/metrics.rs` by the test `the_reference_of_metrics_is_up_to_date`. To write it
     again: MOOSE_TEST_REWRITE=1 cargo test -p moose-runtime the_reference_of_metrics_is_up_to_date -->

`GET /metrics` at the management port answers with OpenMetrics text, which Prometheus scrapes as it is. Labels are declared names,
those of views and of readers that the storage knows, partitions, reasons and ClickHouse's codes, never anything from a request, so
there is a bounded number of series. Series of declared APIs and tables are there from the start, with zeros, but for
`moose_insert_retries_total`, whose codes nobody knows before. Everything is about this process: sum over the copies of an application.
";

const TAIL: &str = "
## Alerts

`/ready` says what is stuck and why; these say that it is. A stream that can't be written is in no metric: watch `/ready` as well.

| what | expression |
|---|---|
| a table is held | `sum by (table, reason) (moose_holds) > 0` |
| a table has taken nothing for 10 minutes, and there is something | \
`time() - max by (table) (moose_last_flush_timestamp_seconds) > 600 and on (table) sum by (table) (moose_lag_records) > 0` |
| records become dead letters | `sum by (table, reason) (increase(moose_records_dead_lettered_total[10m])) > 0` |
| clients send what does not fit | `sum by (api, reason) (rate(moose_records_rejected_total[5m])) > 0` |

The last flush is a time and not an age, as Prometheus recommends: `time()` of the one who asks makes an age of it that goes on
growing when nothing updates it.
";

impl Row {
    /// The name as it is exported.
    fn exported(&self) -> String {
        let total = if self.kind == "Counter" { "_total" } else { "" };
        format!("{PREFIX}_{}{total}", self.name)
    }

    fn kind(&self) -> &'static str {
        match self.kind {
            "Counter" => "counter",
            "Gauge" | "Seconds" => "gauge",
            "Histogram" => "histogram",
            other => panic!("a kind that the reference does not know: {other}"),
        }
    }

    fn unit(&self) -> &'static str {
        match self.name.rsplit('_').next() {
            Some("seconds") => "seconds",
            Some("bytes") => "bytes",
            Some("rows") => "rows",
            Some("records" | "accepted" | "rejected" | "inserted" | "deduplicated" | "lettered" | "doubt") => "records",
            Some("retries") => "INSERTs",
            Some("holds") => "components",
            other => panic!("a name whose unit the reference does not know: {other:?}"),
        }
    }
}

fn markdown() -> String {
    let mut text = HEAD.to_owned();
    text.push_str("\n## What there is\n\n| metric | kind | unit | labels | meaning |\n|---|---|---|---|---|\n");
    let mut labels: Vec<(&str, &str)> = Vec::new();
    for row in TABLE {
        let names: Vec<String> = row.labels.iter().map(|(name, _)| format!("`{name}`")).collect();
        let (name, help) = (row.exported(), row.help.trim());
        writeln!(text, "| `{name}` | {} | {} | {} | {help} |", row.kind(), row.unit(), names.join(", ")).unwrap();
        for (name, values) in row.labels {
            if !labels.contains(&(*name, *values)) {
                labels.push((*name, *values));
            }
        }
    }
    labels.sort_by_key(|(name, _)| *name);
    text.push_str("\n## Values of the labels\n\n| label | values |\n|---|---|\n");
    for (name, values) in labels {
        writeln!(text, "| `{name}` | {} |", values.trim()).unwrap();
    }
    text.push_str("\nReasons of a failure, in `moose_holds` and `moose_insert_retries_total`:\n\n| reason | meaning |\n|---|---|\n");
    for (reason, meaning) in Reason::ALL {
        writeln!(text, "| `{}` | {} |", reason.name(), meaning.trim()).unwrap();
    }
    text.push_str(
        "\nReasons of a dead letter, in `moose_records_dead_lettered_total`:\n\n| reason | meaning |\n|---|---|\n",
    );
    for (reason, meaning) in LetterReason::ALL {
        writeln!(text, "| `{}` | {} |", reason.name(), meaning.trim()).unwrap();
    }
    text.push_str(TAIL);
    text
}

#[test]
fn the_reference_of_metrics_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
    let expected = markdown();
    if std::env::var_os("MOOSE_TEST_REWRITE").is_some() {
        fs::write(&path, &expected).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "docs/metrics.md is not what the table says: run this test with MOOSE_TEST_REWRITE=1");
}

/// What Prometheus wants of names: lower case, the unit last, `_total` at counters and at nothing else.
#[test]
fn names_are_as_prometheus_wants_them() {
    for row in TABLE {
        let name = row.exported();
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
        assert!(
            !row.name.ends_with("_total") && !row.name.ends_with("_count") && !row.name.ends_with("_sum"),
            "{name}"
        );
        assert!(row.help.trim().ends_with('.'), "{name}: {}", row.help);
    }
}
