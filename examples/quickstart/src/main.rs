//! Takes product events over HTTP and keeps them in ClickHouse.

mod pipelines;

fn main() -> std::process::ExitCode {
    moose_runtime::run!()
}
