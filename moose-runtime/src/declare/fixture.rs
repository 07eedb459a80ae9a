//! A record type for the tests of the declarations.

use chrono::{DateTime, Utc};

use crate::OlapRecord;

#[derive(OlapRecord)]
#[olap(crate = "crate")]
#[serde(rename_all = "camelCase")]
pub(crate) struct Event {
    #[key]
    pub(crate) id: String,
    #[olap(low_cardinality)]
    pub(crate) user_id: String,
    pub(crate) at: DateTime<Utc>,
    pub(crate) note: Option<String>,
}
