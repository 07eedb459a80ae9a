//! Numbers into a table without the hidden columns: what the deduplication token alone keeps.

use std::process::ExitCode;

use moose_runtime::prelude::*;

/// As in the declarations of the other tests.
#[derive(OlapRecord)]
pub struct Number {
    /// Never the same twice.
    #[key]
    pub id: u64,
    /// A number that is easily too large.
    pub small: u8,
}

/// Numbers, for counting.
#[pipeline]
pub static NUMBERS: IngestPipeline<Number> = IngestPipeline::new("numbers")
    .ingest_api(true)
    .stream(true)
    .table_with(OlapTable::new("numbers").provenance(false));

fn main() -> ExitCode {
    moose_runtime::run!(no build script)
}
