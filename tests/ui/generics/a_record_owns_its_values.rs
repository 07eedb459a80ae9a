//! A record outlives what it was read from.

use moose_runtime::prelude::*;

#[derive(OlapRecord)]
pub struct Event<'a> {
    #[key]
    pub id: &'a str,
}

fn main() {}
