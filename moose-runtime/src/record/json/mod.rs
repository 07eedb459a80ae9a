//! JSON parsing: from text to columns on the fast path, and to inspectable values where a record was rejected.
//!
//! - `reader`, `deserializer`: the fast path, a text as serde's events;
//! - `event`: types that the parsers share: numbers, raw text, the error without details;
//! - `serde`: rare cases, left to `serde_json`, and error messages for invalid JSON;
//! - `skip`: values of unknown fields, parsed and dropped;
//! - `node`, `place`: a value and its JSON pointer, for explaining errors;
//! - `body`: splits a request's body into records; `record_key`: the key that chooses a record's partition.

mod body;
mod deserializer;
mod event;
mod node;
mod place;
mod reader;
mod record_key;
mod serde;
mod skip;

pub use serde_json::Value;

pub use self::{
    body::{Body, split},
    node::Node,
    place::Place,
};
pub(super) use self::{
    deserializer::read,
    event::{Number, RAW_TEXT, Refused},
    reader::Reader,
    record_key::key,
    serde::{check, string},
    skip::Skip,
};
