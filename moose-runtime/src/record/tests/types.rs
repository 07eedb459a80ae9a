//! Tests of the column types that attributes and Rust types lead to.

use std::borrow::Cow;

use super::{
    reader::{Value, read},
    *,
};
use crate::{
    record::{ColumnSpec, OlapRecord, RecordColumns},
    schema::DefaultKind,
};

fn specs<R: OlapRecord>() -> &'static [ColumnSpec] {
    R::Columns::COLUMNS
}

#[test]
fn every_type_has_its_column() {
    let types: Vec<String> =
        specs::<Everything>().iter().map(|spec| format!("{} {}", spec.name, spec.data_type)).collect();
    insta::assert_snapshot!(types.join("\n"), @"
    text String
    boxed String
    flag Bool
    tiny Int8
    small Int16
    medium Int32
    large Int64
    unsignedTiny UInt8
    unsignedSmall UInt16
    unsignedMedium UInt32
    unsignedLarge UInt64
    single Float32
    double Float64
    day Date32
    instant DateTime64(3, 'UTC')
    exact DateTime64(9, 'UTC')
    id UUID
    kind LowCardinality(String)
    maybeKind LowCardinality(Nullable(String))
    maybe Nullable(Int32)
    maybeInstant Nullable(DateTime64(0, 'UTC'))
    tags Array(String)
    maybeNumbers Array(Nullable(UInt16))
    kinds Array(LowCardinality(String))
    nested Array(Array(UInt8))
    maybeKinds Array(LowCardinality(Nullable(String)))
    ");
}

#[test]
fn names_in_json_are_those_of_serde_and_columns_follow_unless_renamed() {
    #[derive(crate::OlapRecord)]
    #[olap(crate = "crate")]
    #[serde(rename_all = "SCREAMING-KEBAB-CASE")]
    #[expect(dead_code, reason = "only the columns matter")]
    struct Named {
        #[key]
        user_id: String,
        /// The kind of thing,
        /// in two lines.
        ///
        /// And a paragraph.
        #[key]
        #[serde(rename(serialize = "x", deserialize = "kind"), alias = "sort", alias = "kind")]
        #[olap(low_cardinality, codec = "ZSTD(3)", default = "'none'")]
        r#type: String,
        #[olap(rename = "in_place")]
        r#in: u8,
        #[serde(skip)]
        cache: std::cell::Cell<u8>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        list: Vec<u8>,
    }
    assert_eq!(<Named as OlapRecord>::KEY, ["USER-ID", "kind"]);
    let names: Vec<_> = specs::<Named>().iter().map(|spec| (spec.name, spec.json)).collect();
    let expected: [(&str, &[&str]); 4] =
        [("USER-ID", &["USER-ID"]), ("kind", &["kind", "sort"]), ("in_place", &["IN"]), ("LIST", &["LIST"])];
    assert_eq!(names, expected);
    let kind = &specs::<Named>()[1];
    assert_eq!((kind.codec, kind.default), (Some("ZSTD(3)"), Some((DefaultKind::Default, "'none'"))));
    assert_eq!(kind.comment, Some("The kind of thing, in two lines.\nAnd a paragraph."));
    assert_eq!(specs::<Named>()[0].comment, None);
}

#[test]
fn a_missing_field_takes_the_default_that_the_struct_names() {
    fn five() -> u8 {
        5
    }
    #[derive(crate::OlapRecord)]
    #[olap(crate = "crate")]
    #[serde(default)]
    struct Defaults {
        #[key]
        whole: String,
        #[serde(default)]
        own: u8,
        #[serde(default = "five")]
        called: u8,
    }
    impl Default for Defaults {
        fn default() -> Self {
            Self { whole: "whole".into(), own: 1, called: 1 }
        }
    }
    let mut batch = Batch::<Defaults>::new();
    assert_eq!(decode(&mut batch, &["{}"]), []);
    let values: Vec<Value> = read(&block(&batch)).into_iter().map(|column| column.values[0].clone()).collect();
    assert_eq!(values, [Value::text("whole"), Value::Bytes(vec![0]), Value::Bytes(vec![5])]);
}

#[test]
fn aliases_of_types_and_generic_records_work() {
    type Name = String;
    #[derive(crate::OlapRecord)]
    #[olap(crate = "crate")]
    struct Generic<T, const N: usize> {
        #[key]
        name: Name,
        value: T,
    }
    let mut batch = Batch::<Generic<Vec<u8>, 3>>::new();
    assert_eq!(decode(&mut batch, &[r#"{"name":"a","value":[1]}"#]), []);
    batch.append(&Generic { name: "b".into(), value: vec![] }).unwrap();
    let types: Vec<String> = specs::<Generic<Option<i8>, 3>>().iter().map(|spec| spec.data_type.to_string()).collect();
    assert_eq!(types, ["String", "Nullable(Int8)"]);
}

#[test]
fn a_record_may_have_more_fields_than_bits() {
    macro_rules! wide {
        ($($field:ident)*) => {
            #[derive(Default, crate::OlapRecord)]
            #[olap(crate = "crate")]
            struct Wide { #[key] id: u8, $($field: Option<u8>),* }
            const NAMES: &[&str] = &[$(stringify!($field)),*];
        };
    }
    wide! {
        a0 a1 a2 a3 a4 a5 a6 a7 a8 a9 b0 b1 b2 b3 b4 b5 b6 b7 b8 b9 c0 c1 c2 c3 c4 c5 c6 c7 c8 c9 d0 d1 d2 d3 d4 d5 d6 d7
        d8 d9 e0 e1 e2 e3 e4 e5 e6 e7 e8 e9 f0 f1 f2 f3 f4 f5 f6 f7 f8 f9 g0 g1 g2 g3 g4 g5 g6 g7 g8 g9
    }
    let fields: Vec<String> = NAMES.iter().map(|name| format!(r#""{name}":1"#)).collect();
    let record = format!(r#"{{"id":1,{}}}"#, fields.join(","));
    assert_eq!(decode(&mut Batch::<Wide>::new(), &[&record, r#"{"id":1}"#, r#"{"g9":2,"id":1}"#]), []);
    assert_eq!(mistakes::<Wide>(br#"{"g9":1,"id":1,"g9":1}"#), [("/g9".to_owned(), ErrorCode::DuplicateField)]);
}

/// Stores a colour as its number; stands for a user's own column.
#[derive(Debug, Default)]
struct ColourColumn(crate::record::column::NumberColumn<u8>);

#[derive(Clone, Copy, Debug, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Colour {
    Red = 1,
    Green = 2,
}

impl crate::record::Column for ColourColumn {
    const DATA_TYPE: crate::record::DataType = crate::record::DataType::UInt8;
    fn rows(&self) -> usize {
        self.0.rows()
    }
    fn byte_size(&self) -> usize {
        self.0.byte_size()
    }
    fn truncate(&mut self, rows: usize) {
        self.0.truncate(rows);
    }
    fn push_default(&mut self) {
        self.0.push_default();
    }
    fn write_data(&self, out: &mut Vec<u8>) {
        self.0.write_data(out);
    }
}

impl crate::record::Stores<Colour> for ColourColumn {
    fn append(&mut self, value: &Colour) -> Result<(), crate::record::ValueError> {
        self.0.append(&(*value as u8))
    }
    fn append_json<'de, D: serde::Deserializer<'de>>(&mut self, input: D) -> Result<(), D::Error> {
        let colour = <Colour as serde::Deserialize>::deserialize(input)?;
        self.append(&colour).map_err(crate::record::ValueError::into_reader)
    }
}

#[test]
fn a_type_of_the_users_goes_into_a_column_of_the_users() {
    #[derive(crate::OlapRecord)]
    #[olap(crate = "crate")]
    struct Painted {
        #[key]
        #[olap(column = ColourColumn)]
        colour: Colour,
    }
    let mut batch = Batch::<Painted>::new();
    assert_eq!(decode(&mut batch, &[r#"{"colour":"green"}"#, r#"{"colour":"red"}"#]), []);
    batch.append(&Painted { colour: Colour::Green }).unwrap();
    let values = [2, 1, 2].map(|number| Value::Bytes(vec![number]));
    assert_eq!(read(&block(&batch))[0].values, values);
    for (record, code) in [
        (&br#"{"colour":"blue"}"#[..], ErrorCode::InvalidValue),
        (br#"{"colour":5}"#, ErrorCode::WrongType),
        (br"{}", ErrorCode::MissingField),
    ] {
        assert_eq!(mistakes::<Painted>(record), [("/colour".to_owned(), code)]);
    }
}

#[test]
fn a_column_that_takes_more_than_one_row_is_caught() {
    #[derive(Debug, Default)]
    struct Greedy(crate::record::column::BoolColumn);
    impl crate::record::Column for Greedy {
        const DATA_TYPE: crate::record::DataType = crate::record::DataType::Bool;
        fn rows(&self) -> usize {
            self.0.rows()
        }
        fn byte_size(&self) -> usize {
            self.0.byte_size()
        }
        fn truncate(&mut self, rows: usize) {
            self.0.truncate(rows);
        }
        fn push_default(&mut self) {
            self.0.push_default();
        }
        fn write_data(&self, out: &mut Vec<u8>) {
            self.0.write_data(out);
        }
    }
    impl crate::record::Stores<bool> for Greedy {
        fn append(&mut self, value: &bool) -> Result<(), crate::record::ValueError> {
            self.0.append(value)
        }
        fn append_json<'de, D: serde::Deserializer<'de>>(&mut self, input: D) -> Result<(), D::Error> {
            crate::record::Column::push_default(self);
            self.0.append_json(input)
        }
    }
    #[derive(crate::OlapRecord)]
    #[olap(crate = "crate")]
    struct Caught {
        #[key]
        name: String,
        #[olap(column = Greedy)]
        flag: bool,
    }
    assert_eq!(mistakes::<Caught>(br#"{"name":"a","flag":true}"#), [(String::new(), ErrorCode::InvalidValue)]);
}

#[test]
fn strings_with_escapes_are_stored_unescaped() {
    let mut batch = Batch::<Named>::new();
    let text = Cow::from("é \"quoted\" \u{1F600} \u{0} line\n");
    let record = format!(r#"{{"n\u0061me":{}}}"#, serde_json::to_string(&text).unwrap().replace('é', "\\u00e9"));
    assert_eq!(decode(&mut batch, &[&record]), []);
    assert_eq!(read(&block(&batch))[0].values, [Value::text(&text)]);
}

#[derive(crate::OlapRecord)]
#[olap(crate = "crate")]
struct Named {
    #[key]
    name: String,
}
