//! The declarations of the tests: the original's example, the three forms, and a record of every type.

use moose_runtime::prelude::*;

/// The event of the original.
#[derive(OlapRecord)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Names the event.
    #[key]
    pub id: String,
    /// Whose it is.
    pub user_id: String,
    /// When it was.
    pub timestamp: DateTime<Utc>,
    /// What it was.
    pub event_type: String,
}

/// Everything at once.
#[pipeline]
pub static EVENTS: IngestPipeline<Event> = IngestPipeline::new("events").ingest_api(true).stream(true).table(true);

/// A table by itself.
#[pipeline]
pub static AUDIT_TABLE: OlapTable<Event> = OlapTable::new("audit");

/// A stream that fills it.
#[pipeline]
pub static AUDIT_STREAM: Stream<Event> = Stream::new("audit").destination(&AUDIT_TABLE);

/// An API in front of that.
#[pipeline]
pub static AUDIT_API: IngestApi<Event> = IngestApi::new("audit").destination(&AUDIT_STREAM);

/// The smallest record with a number that is never the same twice.
#[derive(Debug, serde::Serialize, OlapRecord)]
pub struct Number {
    /// Never the same twice.
    #[key]
    pub id: u64,
    /// A number that is easily too large.
    pub small: u8,
}

/// Numbers, for counting.
#[pipeline]
pub static NUMBERS: IngestPipeline<Number> = IngestPipeline::new("numbers").ingest_api(true).stream(true).table(true);

/// Numbers in three partitions, which a program appends itself.
#[pipeline]
pub static SPREAD: IngestPipeline<Number> =
    IngestPipeline::new("spread").stream_with(Stream::new("spread").partitions(3)).table(true);

/// A record with a field of every type.
#[derive(OlapRecord)]
pub struct Everything {
    /// Row number.
    #[key]
    pub id: u32,
    /// `String`
    pub text: String,
    /// `Bool`
    pub truth: bool,
    /// `Int8`
    pub int8: i8,
    /// `Int16`
    pub int16: i16,
    /// `Int32`
    pub int32: i32,
    /// `Int64`
    pub int64: i64,
    /// `UInt8`
    pub uint8: u8,
    /// `UInt16`
    pub uint16: u16,
    /// `UInt32`
    pub uint32: u32,
    /// `UInt64`
    pub uint64: u64,
    /// `Float32`
    pub float32: f32,
    /// `Float64`
    pub float64: f64,
    /// `DateTime64(3, 'UTC')`
    pub time: DateTime<Utc>,
    /// `Date32`
    pub date: NaiveDate,
    /// `UUID`
    pub uuid: Uuid,
    /// `LowCardinality(String)`
    #[olap(low_cardinality)]
    pub label: String,
    /// `Nullable(String)`
    pub maybe_text: Option<String>,
    /// `Nullable(Int64)`
    pub maybe_int64: Option<i64>,
    /// `Nullable(DateTime64(3, 'UTC'))`
    pub maybe_time: Option<DateTime<Utc>>,
    /// `LowCardinality(Nullable(String))`
    #[olap(low_cardinality)]
    pub maybe_label: Option<String>,
    /// `Array(String)`
    pub texts: Vec<String>,
    /// `Array(Nullable(Int32))`
    pub maybes: Vec<Option<i32>>,
    /// `Array(Array(UInt16))`
    pub matrix: Vec<Vec<u16>>,
}

/// Everything, for reading back.
#[pipeline]
pub static EVERYTHING: IngestPipeline<Everything> =
    IngestPipeline::new("everything").ingest_api(true).stream(true).table(true);
