//! Of a generic record only the table knows the key's type.

use moose_runtime::prelude::*;

#[derive(OlapRecord)]
pub struct Measured<T> {
    #[key]
    pub value: T,
}

#[pipeline]
static RIGHT: OlapTable<Measured<u32>> = OlapTable::new("right");

#[pipeline]
static NULLABLE: OlapTable<Measured<Option<u32>>> = OlapTable::new("nullable");

fn main() {}
