//! There is nothing to pack, to sort by or to forget where nothing is stored.

use moose_runtime::prelude::*;

#[derive(OlapRecord)]
pub struct Event {
    #[key]
    pub id: String,
    #[key]
    #[olap(alias = "lower(id)")]
    pub sorted: String,
    #[key]
    #[olap(ephemeral)]
    pub passed: String,
    #[olap(alias = "upper(id)", codec = "ZSTD")]
    pub packed: String,
    #[olap(ephemeral, ttl = "at + INTERVAL 1 DAY")]
    pub forgotten: String,
    #[key]
    #[olap(ttl = "at + INTERVAL 1 DAY")]
    pub at: DateTime<Utc>,
}

fn main() {}
