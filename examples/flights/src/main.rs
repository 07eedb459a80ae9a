//! Flights out of New York, through the whole pipeline.
//!
//! `flights demo` sends a month of them through the front door and asks ClickHouse what it made of them; every other
//! command line is the generated binary's.

mod demo;
mod source;

use std::{env, process::ExitCode};

use schema as _;

fn main() -> ExitCode {
    if env::args().nth(1).is_some_and(|argument| argument == "demo") {
        return demo::main(moose_runtime::app!());
    }
    moose_runtime::run!()
}
