//! A table that may go is named like one.

use moose_runtime::prelude::*;

#[pipeline]
static GONE: DroppedTable = DroppedTable::new("old-events");

#[pipeline]
static EMPTY: DroppedTable = DroppedTable::new("");

fn main() {}
