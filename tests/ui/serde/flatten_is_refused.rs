//! Columns are written out.

use moose_runtime::prelude::*;

#[derive(OlapRecord)]
struct Event {
    #[key]
    id: String,
    #[serde(flatten)]
    rest: Rest,
    #[serde(with = "hex")]
    bytes: Vec<u8>,
}

struct Rest;

fn main() {}
