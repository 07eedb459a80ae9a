//! A variant with data is one type of a `Variant`, and one without is its NULL.

use moose_runtime::prelude::*;

#[derive(OlapType)]
enum Reading {
    Pair(u8, u8),
    Named { first: u8, second: u8 },
    Nothing(),
    Braces {},
    Number(f64),
    Missing,
    Unset,
}

#[derive(OlapType)]
enum Alike {
    Count(u64),
    Amount(f64),
}

#[derive(OlapType)]
enum Null {
    Text(Option<String>),
    Count(#[olap(aggregate = "sum")] u64),
    Flag(bool),
}

#[derive(OlapType)]
enum Generic<T> {
    Count(u64),
    Other(T),
}

#[derive(OlapType)]
enum Opaque {
    Text(String),
    Other(std::time::Duration),
    Broken(#[olap(low_cardinality)] bool),
}

#[derive(OlapRecord)]
struct Event {
    #[key]
    id: String,
    alike: Alike,
    null: Null,
    opaque: Opaque,
    reading: Reading,
}

#[derive(OlapRecord)]
struct Visit {
    #[key]
    id: String,
    number: Generic<f64>,
}

#[pipeline]
static VISITS: OlapTable<Visit> = OlapTable::new("visits");

#[pipeline]
static EVENTS: OlapTable<Event> = OlapTable::new("events");

fn main() {}
