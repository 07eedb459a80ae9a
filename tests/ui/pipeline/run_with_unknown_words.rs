//! `run!` takes `no build script` and nothing else.

fn main() -> std::process::ExitCode {
    moose_runtime::run!(without build script)
}
