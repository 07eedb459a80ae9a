//! A buffer that is named stores the field's type.

use moose_runtime::prelude::*;

#[derive(OlapRecord)]
struct Event {
    #[key]
    id: String,
    #[olap(column = moose_runtime::record::column::StringColumn)]
    flag: bool,
}

fn main() {}
