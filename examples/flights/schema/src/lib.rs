//! What a flight is, and where flights go.
//!
//! An ordinary crate without any runtime: the application and its build script both depend on it.

use moose_runtime::prelude::*;

/// One flight as scheduled, and what became of it.
#[derive(OlapRecord)]
#[serde(rename_all = "camelCase")]
pub struct Flight {
    /// Number of the flight in the data set.
    #[key]
    pub id: u64,
    /// Two-letter code of the carrier.
    #[olap(low_cardinality)]
    pub carrier: String,
    /// Flight number of the carrier.
    pub flight: u16,
    /// Registration of the aircraft.
    #[olap(low_cardinality)]
    pub tailnum: Option<String>,
    /// Airport of departure.
    #[olap(low_cardinality)]
    pub origin: String,
    /// Airport of arrival.
    #[olap(low_cardinality)]
    pub dest: String,
    /// Scheduled departure.
    pub scheduled: DateTime<Utc>,
    /// Minutes of delay at departure; less than 0 is early. None if it never departed.
    pub dep_delay: Option<i16>,
    /// Minutes of delay at arrival; less than 0 is early. None if it never arrived as planned.
    pub arr_delay: Option<i16>,
    /// Minutes in the air.
    pub air_time: Option<u16>,
    /// Miles between the airports.
    pub distance: u16,
}

/// `POST /ingest/flights` -> stream `flights` -> table `flights`.
#[pipeline]
pub static FLIGHTS: IngestPipeline<Flight> = IngestPipeline::new("flights").ingest_api(true).stream(true).table(true);
