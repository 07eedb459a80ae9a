//! Options that can't be meant.

use moose_runtime::prelude::*;

#[derive(OlapRecord)]
pub struct Event {
    #[key]
    pub id: String,
    pub user: String,
    pub note: Option<String>,
}

#[pipeline]
pub static PARTITIONS: Stream<Event> = Stream::new("partitions").partitions(0);

#[pipeline]
pub static RETENTION: Stream<Event> = Stream::new("retention").retention(Duration::ZERO);

#[pipeline]
pub static SETTING: OlapTable<Event> = OlapTable::new("setting").settings(&[("fsync_after_insert", "0")]);

#[pipeline]
pub static PRIMARY_KEY: OlapTable<Event> =
    OlapTable::new("primary_key").primary_key(&["user"]).order_by(&["id", "user"]);

fn main() {}
