//! Every type on its whole way: JSON, our columns, a Native block, a table, and read back equal; and where what we take
//! differs from what ClickHouse's own `JSONEachRow` takes.
//!
//! `catalogue` has a record for every type, `nestings` one for each of many random nestings of them, made by `generator`; `values`
//! makes random values for a type, and `hostile` has texts that may be read wrongly. The tests stand in `round_trip`, `agreement`, `edges`, `calendars` and `pipeline`.

mod agreement;
mod calendars;
mod catalogue;
mod document;
mod edges;
mod generator;
mod hostile;
mod nestings;
mod pipeline;
mod round_trip;
mod values;

use moose_runtime::{
    internal::schema::DataType,
    record::{ErasedBatch, Rejected},
};
use moose_tests::{
    http::{self, Answer, percent_encoded},
    random::Random,
};
use serde_json::Value;

use crate::stage::Stage;

/// A record type with a column `value` of one type, beside its key `id`.
#[derive(Clone, Copy)]
pub(super) struct Case {
    /// What one writes for the field.
    pub(super) rust: &'static str,
    /// The ClickHouse type.
    pub(super) data_type: &'static str,
    /// How many elements there are, of an array that says so.
    pub(super) length: Option<usize>,
    /// A batch of such records.
    pub(super) new_batch: fn() -> Box<dyn ErasedBatch>,
}

/// A record type for a field with these attributes and of this type.
macro_rules! case {
    ($data_type:literal, [$($attribute:meta),*], $type:ty) => {{
        #[derive(moose_runtime::OlapRecord)]
        struct Row {
            #[key]
            id: u32,
            $(#[$attribute])*
            value: $type,
        }
        $crate::types::Case {
            rust: concat!($("#[", stringify!($attribute), "] ",)* stringify!($type)),
            data_type: $data_type,
            length: None,
            new_batch: || Box::new(moose_runtime::record::Batch::<Row>::new()),
        }
    }};
}
pub(super) use case;

impl Case {
    fn parsed(&self) -> DataType {
        self.data_type.parse().expect("the type of a case")
    }

    /// The same for an array of so many.
    fn of_length(self, length: usize) -> Self {
        Self { length: Some(length), ..self }
    }

    /// A random value that the column takes.
    fn value(&self, random: &mut Random) -> Value {
        match (self.length, self.parsed()) {
            (Some(length), DataType::Array(element)) => (0..length).map(|_| values::value(&element, random)).collect(),
            (_, data_type) => values::value(&data_type, random),
        }
    }

    /// The records as columns, or what is wrong with them.
    fn decode(&self, records: &[String]) -> (Box<dyn ErasedBatch>, Vec<Rejected>) {
        let mut batch = (self.new_batch)();
        let bytes: Vec<&[u8]> = records.iter().map(String::as_bytes).collect();
        let mut rejected = Vec::new();
        assert_eq!(batch.decode(&bytes, usize::MAX, &mut rejected), records.len());
        (batch, rejected)
    }
}

/// That a committed file is what a test makes of it; `MOOSE_TEST_REWRITE=1` makes it so.
pub(super) fn is_current(path: &str, expected: &str) {
    let found = std::fs::read_to_string(path).unwrap_or_default();
    if found == expected {
        return;
    }
    if std::env::var_os("MOOSE_TEST_REWRITE").is_some() {
        std::fs::write(path, expected).expect("the file can be written");
    } else {
        let line = found.lines().zip(expected.lines()).position(|(found, expected)| found != expected).map(|at| at + 1);
        panic!(
            "{path} is not current (line {line:?}): run the test with MOOSE_TEST_REWRITE=1 and look at what changed"
        );
    }
}

/// The record that gives a value by this text.
fn record(id: usize, value: &str) -> String {
    format!("{{\"id\":{id},\"value\":{value}}}")
}

impl Stage {
    /// A table of the record's columns.
    async fn create_for(&self, table: &str, batch: &dyn ErasedBatch) {
        let columns: Vec<String> =
            batch.columns().iter().map(|column| format!("`{}` {}", column.name, column.data_type)).collect();
        let statement = format!(
            "CREATE TABLE {table} ({}) ENGINE = MergeTree ORDER BY id SETTINGS flatten_nested = 0",
            columns.join(", ")
        );
        self.sql(&statement).await;
    }

    /// An INSERT of the batch's block.
    async fn insert_batch(&self, table: &str, batch: &dyn ErasedBatch) -> Answer {
        let mut block = Vec::new();
        batch.write_native(None, &mut block);
        let statement = percent_encoded(&format!("INSERT INTO {table} FORMAT Native"));
        let url = format!("{}&query={statement}{INSERTED}", self.url());
        http::post(&url, "application/octet-stream", block).await
    }

    /// What the column holds, as ClickHouse prints it.
    async fn stored_values(&self, table: &str) -> Vec<Value> {
        let query = format!("SELECT value FROM {table} ORDER BY id SETTINGS {PRINTED} FORMAT JSONEachRow");
        let printed = self.sql(&query).await;
        let rows = printed.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        rows.map(|mut row| row["value"].take()).collect()
    }
}

/// What our INSERTs say of formats.
const INSERTED: &str = "&input_format_native_allow_types_conversion=0&input_format_try_infer_dates=0\
                        &input_format_try_infer_datetimes=0";

/// How ClickHouse is asked to print, so that nothing is lost: large numbers and decimals as strings, times in UTC.
const PRINTED: &str = "output_format_json_quote_64bit_integers = 1, output_format_json_quote_decimals = 1, \
     date_time_output_format = 'iso'";
