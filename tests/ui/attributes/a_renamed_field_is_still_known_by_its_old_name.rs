//! Records that are on their way, and clients that were not changed yet, call the field what it was called before.

use moose_runtime::prelude::*;

#[derive(OlapRecord)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    #[key]
    pub id: String,
    #[olap(renamed_from = "note")]
    pub remark: Option<String>,
    #[olap(renamed_from = "user_name")]
    pub user_name: String,
    #[serde(rename = "sum", alias = "amounts")]
    #[olap(renamed_from = "amount")]
    pub amount: u32,
    #[serde(default)]
    #[olap(renamed_from = "tag", low_cardinality)]
    pub label: String,
    /// Known by its old name, so there is nothing to say.
    #[serde(alias = "place")]
    #[olap(renamed_from = "place")]
    pub town: Option<String>,
    /// So is this one: only the column has another name.
    #[serde(rename = "kind")]
    #[olap(rename = "sort", renamed_from = "kind")]
    pub sort_of_event: String,
    /// Here too: its column had a name of its own before, and has one now.
    #[olap(rename = "at", renamed_from = "when")]
    pub moment: DateTime<Utc>,
    /// JSON does not give it.
    #[olap(materialized = "toDate(at)", renamed_from = "date")]
    pub day: NaiveDate,
}

fn main() {}
