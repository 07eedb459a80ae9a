//! What stands on an enum, on its variants and on their values, with the nearest word where one is mistyped.

use moose_runtime::prelude::*;

#[derive(OlapType)]
#[serde(rename_al = "snake_case")]
#[olap(cratee = "moose_runtime")]
enum Mistyped {
    #[serde(renam = "a")]
    One,
    #[serde(alais = "x")]
    Two,
    #[olap(rename = "three")]
    Three,
    #[key]
    Four,
    #[serde(rename = "a", rename = "b")]
    Five,
}

#[derive(OlapType)]
#[key]
#[serde(rename_all = "camel")]
#[olap(engine = "Memory")]
enum Misplaced {
    #[olap(low_cardinality)]
    Text(String),
    Number(#[olap(codec = "ZSTD")] f64),
    Time(#[olap(precison = 6)] DateTime<Utc>),
    Count(#[serde(default)] u64),
}

#[derive(OlapType)]
#[serde(untagged = true)]
#[olap(dropped("x"), untagged)]
enum Forms {
    Number(f64),
    Text(#[olap(rename = "text")] String),
}

#[derive(OlapType)]
#[serde(untagged)]
enum Plain {
    One,
    Two,
}

fn main() {}
