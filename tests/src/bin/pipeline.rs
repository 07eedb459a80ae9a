//! The declarations of the tests as a program: what is killed in tests, and what engines are started out of.

use std::process::ExitCode;

use moose_tests as _;

fn main() -> ExitCode {
    moose_runtime::run!(no build script)
}
