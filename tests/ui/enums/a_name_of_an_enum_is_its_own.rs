//! Variants have names in JSON, each its own; after renaming too.

use moose_runtime::prelude::*;

#[derive(OlapType)]
#[serde(rename_all = "snake_case")]
enum Kind {
    PageView,
    #[serde(rename = "page_view")]
    View,
    #[serde(alias = "page_view")]
    Page,
}

#[derive(OlapType)]
enum Empty {
    #[serde(rename = "")]
    Nothing,
    #[serde(rename = 5)]
    Number,
}

#[derive(OlapType)]
#[serde(untagged)]
enum Reading {
    Number(f64),
    #[serde(rename = "Number")]
    Other(String),
}

fn main() {}
