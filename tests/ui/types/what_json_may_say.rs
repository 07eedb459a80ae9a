//! What stands between the parentheses of `json(…)`.

use moose_runtime::prelude::*;

#[derive(OlapRecord)]
struct Event {
    #[key]
    id: String,
    #[olap(json(max_dynamic_type = 4))]
    a: String,
    #[olap(json(max_dynamic_types = 1000, path("a")))]
    b: String,
    #[olap(json)]
    c: String,
}

fn main() {}
