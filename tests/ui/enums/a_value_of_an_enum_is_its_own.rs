//! An enum without data is an `Enum8` or `Enum16`: its discriminants are the values, each once, in 16 bits.

use moose_runtime::prelude::*;

#[derive(OlapType)]
enum Level {
    Low = 1,
    Middle = 2,
    High = 40_000,
    Lowest = -32_769,
}

const BEGINNING: isize = 32_767;

#[derive(OlapType)]
enum Counted {
    Last = BEGINNING,
    OneMore,
}

#[derive(OlapType)]
enum Twice {
    One = 1,
    Other = 1,
}

#[derive(OlapRecord)]
struct Event {
    #[key]
    id: String,
    level: Level,
    counted: Option<Counted>,
    twice: Vec<Twice>,
}

#[pipeline]
static EVENTS: OlapTable<Event> = OlapTable::new("events").order_by(&["level", "id"]);

fn main() {}
