//! Keys, codecs and defaults are the column's, not those of a part of it.

use moose_runtime::prelude::*;

#[derive(OlapType)]
struct Line {
    #[key]
    number: u8,
    #[olap(codec = "ZSTD")]
    text: String,
    #[olap(default = "1")]
    count: u8,
}

fn main() {}
