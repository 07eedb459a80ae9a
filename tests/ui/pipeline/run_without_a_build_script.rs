//! Without the build script's output `run!` is one error, which says what to add.

fn main() -> std::process::ExitCode {
    moose_runtime::run!()
}
