//! Orders, version 4: sorted by customer, and one partition a month.

use moose_runtime::prelude::*;

/// An order.
#[derive(OlapRecord)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// Names the order.
    #[key]
    pub id: String,
    /// Who ordered. Older senders call it `user`.
    #[serde(alias = "user")]
    pub customer: String,
    /// In cents.
    pub amount: u64,
    /// Where it goes: two letters.
    #[olap(low_cardinality)]
    pub country: Option<String>,
    /// When it was placed.
    pub placed_at: DateTime<Utc>,
}

/// `POST /ingest/orders` -> stream `orders` -> table `orders`.
#[pipeline]
pub static ORDERS: IngestPipeline<Order> = IngestPipeline::new("orders")
    .ingest_api(true)
    .stream(true)
    .table_with(OlapTable::new("orders").order_by(&["customer", "placedAt", "id"]).partition_by("toYYYYMM(placedAt)"));
