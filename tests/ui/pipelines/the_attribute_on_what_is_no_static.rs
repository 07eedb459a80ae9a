//! The attribute belongs on a static, and takes no options; all mistakes are told at once.

use moose_runtime::prelude::*;

#[derive(OlapRecord)]
pub struct Event {
    #[key]
    pub id: String,
    pub user: String,
    pub note: Option<String>,
}

#[pipeline]
pub const CONSTANT: OlapTable<Event> = OlapTable::new("constant");

#[pipeline]
pub fn function() {}

#[pipeline]
pub static mut CHANGING: OlapTable<Event> = OlapTable::new("changing");

#[pipeline(table = true)]
pub static OPTIONS: OlapTable<Event> = OlapTable::new("options");

#[pipeline]
pub static UNTYPED = OlapTable::<Event>::new("untyped");

fn main() {}
