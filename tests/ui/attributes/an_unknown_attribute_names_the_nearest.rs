//! An unknown attribute is answered with the nearest known one.

use moose_runtime::prelude::*;

#[derive(OlapRecord)]
#[serde(rename_al = "camelCase")]
struct Event {
    #[key]
    #[olap(low_cardinalty)]
    id: String,
    #[serde(aliases = "k")]
    kind: String,
    #[olap(index)]
    value: u8,
}

fn main() {}
