//! No two fields share a name in JSON or a column.

use moose_runtime::prelude::*;

#[derive(OlapRecord)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    #[key]
    pub id: String,
    #[serde(rename = "id")]
    pub other: String,
    #[serde(alias = "id")]
    pub third: String,
    pub user_id: String,
    #[olap(rename = "userId")]
    pub user: String,
    #[olap(rename = "_stream_epoch")]
    pub epoch: u64,
}

fn main() {}
