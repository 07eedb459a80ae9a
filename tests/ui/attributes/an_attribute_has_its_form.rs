//! Each attribute has one form, and the message shows it.

use moose_runtime::prelude::*;

#[derive(OlapRecord)]
#[olap]
pub struct Event {
    #[key]
    #[olap(low_cardinality = true)]
    pub id: String,
    #[olap(precision = "6")]
    pub at: DateTime<Utc>,
    #[olap(codec)]
    pub kind: String,
    #[olap(rename = 5)]
    pub user: String,
    #[olap(column = "StringColumn")]
    pub name: String,
    #[olap = "codec"]
    pub value: u8,
    #[olap(codec = )]
    pub broken: u8,
}

fn main() {}
