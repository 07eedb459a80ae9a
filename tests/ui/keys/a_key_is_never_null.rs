//! A key can't be NULL.

use moose_runtime::prelude::*;

#[derive(OlapRecord)]
#[serde(rename_all = "camelCase")]
struct Event {
    #[key]
    user_id: Option<String>,
}

fn main() {}
