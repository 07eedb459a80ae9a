//! A generic record is one where its parameters are columns.

use moose_runtime::prelude::*;

#[derive(OlapRecord)]
pub struct Measured<T> {
    #[key]
    pub id: String,
    pub value: T,
}

pub struct Opaque;

#[pipeline]
static OPAQUE: OlapTable<Measured<Opaque>> = OlapTable::new("opaque");

fn main() {}
