//! Columns have names, so a record is a struct with named fields.

use moose_runtime::prelude::*;

#[derive(OlapRecord)]
enum Kind {
    One,
}

#[derive(OlapRecord)]
struct Pair(String, String);

#[derive(OlapRecord)]
struct Borrowed<'a> {
    #[key]
    id: &'a str,
}

fn main() {}
