//! What serde can and a row can't is refused with the way out.

use moose_runtime::prelude::*;

#[derive(OlapRecord)]
#[serde(transparent)]
pub struct Wrapped {
    #[key]
    pub id: String,
}

#[derive(OlapRecord)]
#[serde(tag = "type")]
pub struct Tagged {
    #[key]
    pub id: String,
}

#[derive(OlapRecord)]
#[serde(from = "Other")]
pub struct Converted {
    #[key]
    pub id: String,
    #[serde(with = "module")]
    pub with: u8,
    #[serde(deserialize_with = "function")]
    pub function: u8,
    #[serde(skip_deserializing)]
    pub unread: u8,
}

#[derive(OlapRecord)]
#[serde(untagged, remote = "Other", try_from = "Other")]
pub struct Untagged {
    #[key]
    pub id: String,
}

fn main() {}
