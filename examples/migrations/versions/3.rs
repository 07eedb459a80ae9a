//! Orders, version 3: a column has another name, and one goes.

use moose_runtime::prelude::*;

/// An order.
#[derive(OlapRecord)]
#[serde(rename_all = "camelCase")]
#[olap(dropped("note"))]
pub struct Order {
    /// Names the order.
    #[key]
    pub id: String,
    /// Who ordered. Older senders call it `user`.
    #[serde(alias = "user")]
    #[olap(renamed_from = "user")]
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
pub static ORDERS: IngestPipeline<Order> = IngestPipeline::new("orders").ingest_api(true).stream(true).table(true);
