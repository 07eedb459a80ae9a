//! serde's attributes are where serde has them, in their form.

use moose_runtime::prelude::*;

#[derive(OlapRecord)]
#[serde(rename_all = "snake")]
#[serde(skip)]
pub struct Event {
    #[key]
    #[serde(rename_all = "camelCase")]
    pub id: String,
    #[serde(default = 5)]
    pub count: u8,
    #[serde(renam = "k")]
    pub kind: String,
    #[serde(alias = "")]
    pub user: String,
    #[key]
    #[serde(skip)]
    pub skipped: u8,
}

fn main() {}
