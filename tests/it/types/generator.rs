//! Random nestings of types as Rust source, by a seed: what a nesting is at compile time, a test can't make while it runs.

use std::fmt::Write as _;

use moose_tests::random::Random;

/// How many types there are in the committed file.
const COUNT: usize = 40;
/// Which they are.
const SEED: u64 = 20_240_229;
/// Levels of a type, at most.
const DEEPEST: u64 = 4;

/// A type in both languages, and where it may stand.
#[derive(Clone)]
struct Type {
    rust: String,
    clickhouse: String,
    is_key: bool,
    is_nullable: bool,
}

/// Rust, ClickHouse, whether it can be a key of a `BTreeMap`, whether it can be NULL.
const SCALARS: [(&str, &str, bool, bool); 20] = [
    ("String", "String", true, true),
    ("Label", "LowCardinality(String)", true, false),
    ("bool", "Bool", false, true),
    ("i8", "Int8", true, true),
    ("u16", "UInt16", true, true),
    ("i32", "Int32", true, true),
    ("u64", "UInt64", true, true),
    ("i128", "Int128", true, true),
    ("UInt256", "UInt256", true, true),
    ("f32", "Float32", false, true),
    ("f64", "Float64", false, true),
    ("Money", "Decimal(18, 4)", false, true),
    ("NaiveDate", "Date32", true, true),
    ("NaiveTime", "Time64(3)", true, true),
    ("DateTime<Utc>", "DateTime64(3, 'UTC')", true, true),
    ("Uuid", "UUID", true, true),
    ("Ipv4Addr", "IPv4", true, true),
    ("Ipv6Addr", "IPv6", true, true),
    ("Level", "Enum16('Low' = -32768, 'Middle' = 0, 'High' = 32767)", false, true),
    ("Point", "Point", false, false),
];

impl Type {
    fn new(rust: String, clickhouse: String) -> Self {
        Self { rust, clickhouse, is_key: false, is_nullable: false }
    }
}

fn scalar(random: &mut Random, fits: impl Fn(&Type) -> bool) -> Type {
    loop {
        let chosen = usize::try_from(random.below(SCALARS.len() as u64)).expect("a small number");
        let (rust, clickhouse, is_key, is_nullable) = SCALARS[chosen];
        let scalar = Type { rust: rust.to_owned(), clickhouse: clickhouse.to_owned(), is_key, is_nullable };
        if fits(&scalar) {
            return scalar;
        }
    }
}

fn any(random: &mut Random, depth: u64) -> Type {
    if depth == 0 {
        return scalar(random, |_| true);
    }
    match random.below(7) {
        0 => {
            let inner = scalar(random, |scalar| scalar.is_nullable);
            Type::new(format!("Option<{}>", inner.rust), format!("Nullable({})", inner.clickhouse))
        }
        1 | 2 => {
            let inner = any(random, depth - 1);
            Type::new(format!("Vec<{}>", inner.rust), format!("Array({})", inner.clickhouse))
        }
        3 => {
            let (key, value) = (scalar(random, |scalar| scalar.is_key), any(random, depth - 1));
            Type::new(
                format!("BTreeMap<{}, {}>", key.rust, value.rust),
                format!("Map({}, {})", key.clickhouse, value.clickhouse),
            )
        }
        4 => {
            let (one, other) = (any(random, depth - 1), any(random, depth - 1));
            Type::new(
                format!("({}, {})", one.rust, other.rust),
                format!("Tuple({}, {})", one.clickhouse, other.clickhouse),
            )
        }
        5 => {
            let (one, other) = (any(random, depth - 1), any(random, depth - 1));
            Type::new(
                format!("Both<{}, {}>", one.rust, other.rust),
                format!("Tuple(one {}, other {})", one.clickhouse, other.clickhouse),
            )
        }
        _ => scalar(random, |_| true),
    }
}

/// The file `nestings.rs`.
fn source() -> String {
    let mut random = Random::with_seed(SEED);
    let mut source = String::from(
        "//! Random nestings of types, one record for each. Made by `generator`, which says how to make others.\n\n\
         #[rustfmt::skip]\npub(super) fn cases() -> Vec<super::Case> {\n    \
         use super::generator::scope::*;\n    vec![\n",
    );
    for _ in 0..COUNT {
        let depth = 2 + random.below(DEEPEST - 1);
        let chosen = any(&mut random, depth);
        // Writing to a String does not fail.
        let _ = writeln!(source, "        super::case!(\"{}\", [], {}),", chosen.clickhouse, chosen.rust);
    }
    source.push_str("    ]\n}\n");
    source
}

/// What the types are made of.
#[expect(unused_imports, reason = "which of them are used is chance")]
pub(super) mod scope {
    pub(in crate::types) use std::{
        collections::BTreeMap,
        net::{Ipv4Addr, Ipv6Addr},
    };

    pub(in crate::types) use moose_runtime::{
        prelude::*,
        record::{UInt256, column::Point},
    };

    pub(in crate::types) use crate::types::catalogue::{Both, Label, Level, Money};
}

#[test]
fn the_nestings_are_those_of_their_seed() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/it/types/nestings.rs");
    super::is_current(path, &source());
}
