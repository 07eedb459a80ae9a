//! JSON: texts to events, for columns, and to values that are looked at again where a record was refused.
//!
//! - `reader`, `deserializer`: the fast way, a text as serde's events;
//! - `event`: what is common to all who read: numbers, raw texts, a no;
//! - `serde`: what is rare, left to `serde_json`, and what is wrong with a text;
//! - `skip`: what nobody asked for, read and forgotten;
//! - `node`, `place`: a value and its pointer, for those who explain;
//! - `body`: a request's body, taken apart; `record_key`: what spreads a record.

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
