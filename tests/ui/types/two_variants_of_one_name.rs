//! Names of variants are looked at after renaming, and beside all other mistakes.

use moose_runtime::prelude::*;

#[derive(OlapType)]
#[serde(rename_all = "lowercase")]
enum Colour {
    Red,
    #[serde(rename = "red")]
    Blue,
    #[serde(alais = "x")]
    Green,
}

#[derive(OlapType)]
#[serde(tag = "type")]
enum Reading {
    Number(f64),
}

fn main() {}
