//! What serde can do with an enum and a column can't.

use moose_runtime::prelude::*;

#[derive(OlapType)]
#[serde(tag = "type", content = "value")]
enum Tagged {
    Number(f64),
}

#[derive(OlapType)]
#[serde(from = "String", try_from = "String", remote = "Other")]
#[serde(rename_all_fields = "camelCase", deny_unknown_fields, default)]
enum Made {
    #[serde(skip)]
    Skipped,
    #[serde(other)]
    Other,
    #[serde(untagged)]
    Alone,
    #[serde(skip_deserializing)]
    NotRead,
    #[serde(deserialize_with = "function", with = "module", rename_all = "camelCase", flatten)]
    Converted,
}

fn main() {}
