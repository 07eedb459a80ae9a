//! `run!` and `app!` take `no build script` and nothing else. They hand what stands in them to this macro.

fn main() {
    let _ = moose_runtime::__program!(without build script);
}
