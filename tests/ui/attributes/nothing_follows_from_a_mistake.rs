//! What only follows from a mistake is not told: names, keys, types and tables that would be right without it.

use std::collections::BTreeMap;

use moose_runtime::prelude::*;

// It would have the column `time`.
#[derive(OlapRecord)]
struct Renamed {
    #[key]
    #[olap(renam = "time")]
    at: DateTime<Utc>,
    #[olap(materialized = "toDate(time)")]
    day: NaiveDate,
}

#[pipeline]
static RENAMED: IngestPipeline<Renamed> = IngestPipeline::new("renamed")
    .stream(true)
    .table_with(OlapTable::new("renamed").order_by(&["time"]).partition_by("toYYYYMM(time)"));

// It would be a decimal, and a number that can be the version.
#[derive(OlapRecord)]
struct Priced {
    #[key]
    id: String,
    #[olap(decimal(18))]
    price: Decimal,
    #[olap(ttl = "now() + toIntervalDay(price)")]
    kind: Kind,
    #[olap(nested)]
    lines: Vec<Line>,
    kinds: BTreeMap<Kind, Option<Kind>>,
}

#[derive(OlapType)]
enum Kind {
    #[serde(rename = "")]
    Good,
}

#[derive(OlapType)]
struct Line {
    #[serde(skipp)]
    amount: u32,
}

#[pipeline]
static PRICES: OlapTable<Priced> =
    OlapTable::new("prices").engine(Engine::replacing().version("price")).order_by(&["kind", "id"]);

// Without a key, and with none that could be named.
#[derive(OlapRecord)]
struct Keyless {
    id: String,
}

#[pipeline]
static KEYLESS: IngestPipeline<Keyless> = IngestPipeline::new("keyless").ingest_api(true).stream(true).table(true);

#[derive(OlapRecord)]
struct Empty {}

#[pipeline]
static EMPTY: OlapTable<Empty> = OlapTable::new("empty").partition_by("id");

#[derive(OlapRecord)]
struct Borrowed<'a> {
    #[key]
    id: &'a str,
}

#[pipeline]
static BORROWED: OlapTable<Borrowed<'static>> = OlapTable::new("borrowed").order_by(&["id"]);

fn main() {}
