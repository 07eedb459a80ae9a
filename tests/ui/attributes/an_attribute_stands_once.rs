//! An attribute stands once.

use moose_runtime::prelude::*;

#[derive(OlapRecord)]
struct Event {
    #[key]
    #[key]
    id: String,
    #[olap(codec = "LZ4", codec = "ZSTD")]
    value: u8,
    #[serde(rename = "a")]
    #[serde(rename = "b")]
    other: u8,
}

fn main() {}
