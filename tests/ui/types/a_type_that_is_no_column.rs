//! A type has something to store, one thing for each value.

use moose_runtime::prelude::*;

#[derive(OlapType)]
struct Nothing;

#[derive(OlapType)]
struct Two(u8, u8);

#[derive(OlapType)]
enum Empty {}

#[derive(OlapType)]
enum Several {
    Pair(u8, u8),
    Named { a: u8 },
    None,
    Unset,
}

#[derive(OlapType)]
union Either {
    a: u8,
    b: i8,
}

fn main() {}
