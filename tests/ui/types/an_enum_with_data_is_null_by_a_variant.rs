use moose_runtime::prelude::*;

#[derive(OlapType)]
enum Reading {
    Number(f64),
    Text(String),
}

#[derive(OlapRecord)]
struct Measured {
    #[key]
    id: String,
    reading: Option<Reading>,
}

fn main() {}
