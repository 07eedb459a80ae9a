//! Derives the tables from the declarations in the schema crate.

use schema as _;

fn main() {
    moose_runtime::build::migrations();
}
