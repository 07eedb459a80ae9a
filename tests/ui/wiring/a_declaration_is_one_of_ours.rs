//! `#[pipeline]` registers declarations, by their name.

use moose_runtime::prelude::*;

#[pipeline]
static NUMBER: u32 = 5;

#[pipeline(events)]
static NAMED: DroppedTable = DroppedTable::new("named");

#[pipeline(crate = "moose_runtime", more)]
static MORE: DroppedTable = DroppedTable::new("more");

fn main() {}
