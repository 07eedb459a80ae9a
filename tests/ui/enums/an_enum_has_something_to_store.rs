//! An enum has variants, values of its own and, without data, no parameters.

use moose_runtime::prelude::*;

#[derive(OlapType)]
enum Empty {}

#[derive(OlapType)]
enum Size<const N: usize> {
    One,
}

#[derive(OlapType)]
enum Borrowed<'a> {
    Text(&'a str),
}

#[derive(OlapRecord)]
enum Event {
    One,
}

#[derive(OlapRecord)]
struct Visit {
    #[key]
    id: String,
    empty: Empty,
    size: Size<3>,
    borrowed: Borrowed<'static>,
}

#[pipeline]
static VISITS: OlapTable<Visit> = OlapTable::new("visits");

fn main() {}
