//! Takes orders over HTTP and keeps them in a table that has changed three times.

mod pipelines;

fn main() -> std::process::ExitCode {
    moose_runtime::run!()
}
