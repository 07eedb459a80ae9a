//! `JSON` for `serde_json::Value`: objects of any shape, sent as text that ClickHouse parses.
//!
//! ClickHouse joins the names of nested objects by dots, so `{"a.b": 1}` and `{"a": {"b": 1}}` are the same to it, and
//! it drops NULLs and empty objects. Whatever it would change beyond that, or refuse, is rejected here.

use std::marker::PhantomData;

use serde::de::Deserializer;

use super::{AllowsJson, Column, ColumnType, JsonForm, NullableInside, Stores, StringColumn};
use crate::record::{
    DataType, Findings, JsonOptions, Node, Place, ValueError, digits,
    json::Value,
    json_object::{self, TypedPaths},
};

const EXPECTED: &str = "an object that `JSON` stores as it is";

/// `JSON` without parameters.
#[derive(Debug)]
pub struct PlainJson;

impl JsonForm for PlainJson {
    const OPTIONS: &'static JsonOptions = &JsonOptions::NONE;

    fn explain(_: &str, _: Node<'_>, _: &Place<'_>, _: &mut Findings) -> bool {
        false
    }
}

/// The typed paths of a form, for the check of an object.
struct PathsOf<F>(PhantomData<F>);

impl<F: JsonForm> TypedPaths for PathsOf<F> {
    fn explain(path: &str, value: Node<'_>, place: &Place<'_>, findings: &mut Findings) -> bool {
        F::explain(path, value, place, findings)
    }
}

/// Values of `JSON(…)`.
#[derive(Debug)]
pub struct JsonColumn<F = PlainJson> {
    texts: StringColumn,
    form: PhantomData<fn() -> F>,
}

impl<F> Default for JsonColumn<F> {
    fn default() -> Self {
        Self { texts: StringColumn::default(), form: PhantomData }
    }
}

impl<F: JsonForm> JsonColumn<F> {
    fn push(&mut self, text: &str) -> Result<(), ValueError> {
        let mut findings = Findings::default();
        json_object::explain::<PathsOf<F>>(Node::new(text), &Place::Record, &mut findings);
        if let Some(error) = findings.into_errors().into_iter().next() {
            return Err(ValueError { code: error.code, expected: EXPECTED.into(), pointer: error.pointer });
        }
        self.texts.push(text);
        Ok(())
    }
}

impl<F: JsonForm> Column for JsonColumn<F> {
    const DATA_TYPE: DataType = DataType::Json(F::OPTIONS);

    fn rows(&self) -> usize {
        self.texts.rows()
    }

    fn byte_size(&self) -> usize {
        8 + self.texts.byte_size()
    }

    fn truncate(&mut self, rows: usize) {
        self.texts.truncate(rows);
    }

    fn push_default(&mut self) {
        self.texts.push("{}");
    }

    fn write_prefix(&self, out: &mut Vec<u8>) {
        // The serialisation version in which objects are sent as text.
        out.extend_from_slice(&1_u64.to_le_bytes());
    }

    fn write_data(&self, out: &mut Vec<u8>) {
        self.texts.write_data(out);
    }
}

impl<F: JsonForm> Stores<Value> for JsonColumn<F> {
    fn append(&mut self, value: &Value) -> Result<(), ValueError> {
        self.push(&value.to_string())
    }

    fn append_json<'de, D: Deserializer<'de>>(&mut self, input: D) -> Result<(), D::Error> {
        digits::with_text(input, |text| Ok(self.push(text)?))
    }

    fn explain(input: Node<'_>, place: &Place<'_>, findings: &mut Findings) {
        json_object::explain::<PathsOf<F>>(input, place, findings);
    }
}

#[diagnostic::do_not_recommend]
impl<F: JsonForm, G: JsonForm> AllowsJson<G> for JsonColumn<F> {
    type WithForm = JsonColumn<G>;
}
#[diagnostic::do_not_recommend]
impl<F: JsonForm> NullableInside for JsonColumn<F> {}
#[diagnostic::do_not_recommend]
impl ColumnType for Value {
    type Column = JsonColumn;
}
