//! Without the build script's output `run!` and `app!` are one error, which says what to add. They hand what stands in them
//! to this macro.

fn main() {
    let _ = moose_runtime::__program!();
}
