//! Several mistakes are told at once, and uses of the type are not told besides.

use moose_runtime::prelude::*;

#[derive(OlapRecord)]
#[serde(rename_all = "camel")]
struct Event {
    #[olap(precision = 10)]
    at: DateTime<Utc>,
    #[olap(low_cardinality, precision = 3)]
    kind: String,
    #[serde(rename = "kind")]
    sort: String,
    #[olap(codec = 5)]
    value: u8,
    #[olap(rename = "_stream_offset")]
    offset: u64,
}

fn uses_the_type<R: moose_runtime::record::OlapRecord>() {}

fn main() {
    uses_the_type::<Event>();
}
