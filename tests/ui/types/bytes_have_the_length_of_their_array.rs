//! A string of fixed length has as many bytes as the array that is stored in it.

use moose_runtime::prelude::*;

#[derive(OlapRecord)]
struct Event {
    #[key]
    id: u64,
    #[olap(fixed = 3)]
    code: [u8; 4],
}

fn main() {}
