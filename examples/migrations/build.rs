//! The declarations, compiled into the build script: the compiler itself evaluates the schema.

#[path = "src/pipelines/mod.rs"]
#[allow(dead_code)]
mod pipelines;

fn main() {
    moose_runtime::build::migrations();
}
