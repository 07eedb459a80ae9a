//! Renamed and dropped columns are gone, and each becomes one other.

use moose_runtime::prelude::*;

#[derive(OlapRecord)]
#[olap(dropped("user", "old", "old"))]
pub struct Event {
    #[key]
    #[olap(rename = "id", renamed_from = "user")]
    pub id: String,
    pub user: String,
    #[serde(alias = "old")]
    #[olap(renamed_from = "old")]
    pub new: String,
    #[olap(narrowed = true)]
    pub small: u8,
    #[olap(renamed_from("number"))]
    pub count: u8,
}

#[derive(OlapRecord)]
#[olap(dropped)]
pub struct Bare {
    #[key]
    pub id: String,
}

#[derive(OlapRecord)]
#[olap(dropped(old))]
pub struct Unquoted {
    #[key]
    pub id: String,
}

fn main() {}
