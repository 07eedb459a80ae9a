//! Orders, version 2: a column more, and a wider one.

use moose_runtime::prelude::*;

/// An order.
#[derive(OlapRecord)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// Names the order.
    #[key]
    pub id: String,
    /// Who ordered.
    pub user: String,
    /// In cents.
    pub amount: u64,
    /// Where it goes: two letters.
    #[olap(low_cardinality)]
    pub country: Option<String>,
    /// When it was placed.
    pub placed_at: DateTime<Utc>,
    /// What the shop wrote on it.
    pub note: Option<String>,
}

/// `POST /ingest/orders` -> stream `orders` -> table `orders`.
#[pipeline]
pub static ORDERS: IngestPipeline<Order> = IngestPipeline::new("orders").ingest_api(true).stream(true).table(true);
