//! The derive in a hostile scope: no prelude, the runtime renamed, names that shadow, lints denied.

#[deny(
    missing_docs,
    nonstandard_style,
    rust_2018_idioms,
    unreachable_pub,
    unsafe_code,
    unused,
    unused_qualifications,
    clippy::all,
    clippy::pedantic,
    clippy::missing_inline_in_public_items,
    clippy::single_char_lifetime_names
)]
mod hostile {
    #![no_implicit_prelude]

    /// The runtime under another name.
    pub(super) use crate as renamed;

    #[expect(dead_code, reason = "they only stand in the way")]
    mod shadows {
        pub(super) struct Option;
        pub(super) struct Result;
        pub(super) struct Ok;
        pub(super) struct Some;
        pub(super) struct Default;
        pub(super) struct Vec;
    }
    #[expect(unused_imports, reason = "they only stand in the way")]
    use shadows::*;

    #[expect(non_camel_case_types, dead_code, reason = "they only stand in the way")]
    mod primitives {
        pub(super) struct str;
        pub(super) struct usize;
        pub(super) struct bool;
    }
    #[expect(unused_imports, reason = "they only stand in the way")]
    use primitives::*;

    /// A record.
    #[derive(renamed::OlapRecord)]
    #[olap(crate = "renamed")]
    #[serde(deny_unknown_fields)]
    pub(super) struct Hostile<C0, A: 'static> {
        /// The type.
        #[key]
        pub(super) r#type: ::std::string::String,
        #[serde(default)]
        pub(super) __column_0: ::core::primitive::u8,
        #[olap(low_cardinality)]
        pub(super) __name: ::std::option::Option<::std::string::String>,
        pub(super) __map: C0,
        pub(super) de: ::std::vec::Vec<A>,
        /// A struct.
        #[olap(nested)]
        pub(super) inner: ::std::vec::Vec<Inner<A>>,
        pub(super) kind: Kind,
        pub(super) either: Either,
        pub(super) wrapped: ::std::option::Option<Wrapped>,
        #[olap(timezone = "Europe/Berlin", precision = 6)]
        #[serde(default)]
        pub(super) at: ::chrono::DateTime<::chrono::Utc>,
        #[olap(json(max_dynamic_types = 4, path("a", ::core::primitive::u8), skip = "b"))]
        pub(super) free: ::serde_json::Value,
    }

    /// Every attribute of a record and its columns.
    #[derive(renamed::OlapRecord)]
    #[olap(crate = "renamed", dropped("old", "older"))]
    #[serde(default, rename_all = "camelCase")]
    pub(super) struct r#Attributes {
        /// The key.
        #[key]
        #[serde(alias = "the_key", alias = "key")]
        #[olap(fixed = 2, low_cardinality, codec = "ZSTD(3)", narrowed)]
        pub(super) r#match: ::std::string::String,
        #[olap(decimal(38, 4), aggregate = "sum", rename = "total", renamed_from = "sum")]
        pub(super) r#fn: ::rust_decimal::Decimal,
        #[olap(compact, timezone = "Europe/Berlin", ttl = "at + INTERVAL 1 DAY", codec = "Delta, ZSTD")]
        pub(super) at: ::chrono::DateTime<::chrono::Utc>,
        #[olap(column = renamed::record::column::StringColumn)]
        pub(super) r#use: ::std::string::String,
        #[olap(default = "upper(use)")]
        #[serde(default = "five")]
        pub(super) upper: ::std::string::String,
        #[olap(materialized = "toDate(at)", codec = "ZSTD")]
        pub(super) r#struct: ::chrono::NaiveDate,
        #[olap(alias = "lower(use)")]
        pub(super) lower: ::std::string::String,
        #[olap(ephemeral)]
        pub(super) raw: ::std::string::String,
        #[olap(ephemeral = "concat(use, 'x')")]
        pub(super) raw_too: ::std::string::String,
        #[olap(json(max_dynamic_paths = 8, path("a.b", ::std::vec::Vec<::core::primitive::u8>), skip_regexp = "c.*"))]
        pub(super) rest: ::serde_json::Value,
        #[olap(nested)]
        pub(super) inner: ::std::vec::Vec<Inner<::core::primitive::u8>>,
        #[serde(skip)]
        #[expect(dead_code, reason = "it is no column")]
        pub(super) r#mod: (),
        pub(super) map: ::std::collections::BTreeMap<Kind, Choice<::core::primitive::u8, 3>>,
    }

    fn five() -> ::std::string::String {
        ::std::borrow::ToOwned::to_owned("five")
    }

    /// Parameters of every kind, under names that generated code might use.
    #[derive(renamed::OlapRecord)]
    #[olap(crate = "renamed")]
    pub(super) struct Generic<R, C, const PLACE: ::core::primitive::usize>
    where
        R: ::core::marker::Copy,
    {
        #[key]
        pub(super) id: R,
        #[olap(materialized = "id")]
        pub(super) computed: R,
        pub(super) column: C,
        pub(super) bytes: [::core::primitive::u8; PLACE],
    }

    /// A generic enum with data and attributes.
    #[derive(renamed::OlapType)]
    #[olap(crate = "renamed")]
    #[serde(rename_all = "kebab-case")]
    #[expect(dead_code, reason = "only JSON makes it")]
    pub(super) enum Choice<E, const N: ::core::primitive::usize> {
        /// Raw.
        #[serde(alias = "y")]
        r#Yield(E),
        /// Form.
        Time(#[olap(precision = 3, timezone = "UTC")] ::chrono::DateTime<::chrono::Utc>),
        /// Named column.
        Named(#[olap(column = renamed::record::column::StringColumn)] ::std::string::String),
        /// Array.
        Array([::core::primitive::bool; N]),
        /// Nothing.
        Unset,
    }

    /// A tuple.
    #[derive(renamed::OlapType)]
    #[olap(crate = "renamed")]
    pub(super) struct Inner<A> {
        pub(super) r#type: A,
        #[serde(default)]
        #[olap(decimal(9, 2))]
        pub(super) r#const: ::core::option::Option<::rust_decimal::Decimal>,
    }

    /// An enum.
    #[derive(renamed::OlapType, ::core::cmp::PartialEq, ::core::cmp::Eq, ::core::cmp::PartialOrd, ::core::cmp::Ord)]
    #[olap(crate = "renamed")]
    pub(super) enum Kind {
        /// One.
        One = 1,
        /// Another.
        Other = 300,
    }

    /// An enum with data.
    #[derive(renamed::OlapType)]
    #[olap(crate = "renamed")]
    #[serde(untagged)]
    pub(super) enum Either {
        /// Nothing.
        Nothing,
        /// A number.
        #[expect(dead_code, reason = "only JSON makes it")]
        Number(::core::primitive::u8),
        /// A text.
        #[expect(dead_code, reason = "only JSON makes it")]
        Text(#[olap(low_cardinality)] ::std::string::String),
    }

    /// A newtype.
    #[derive(renamed::OlapType)]
    #[olap(crate = "renamed")]
    pub(super) struct Wrapped(#[olap(fixed = 2)] pub(super) ::std::string::String);
}

/// Of the fields that JSON doesn't give.
impl Default for hostile::Attributes {
    fn default() -> Self {
        Self {
            r#match: "ab".to_owned(),
            r#fn: rust_decimal::Decimal::ONE,
            at: chrono::DateTime::default(),
            r#use: String::new(),
            upper: String::new(),
            r#struct: chrono::NaiveDate::default(),
            lower: String::new(),
            raw: String::new(),
            raw_too: String::new(),
            rest: serde_json::json!({}),
            inner: vec![],
            r#mod: (),
            map: std::collections::BTreeMap::new(),
        }
    }
}

#[test]
fn the_derive_works_in_a_hostile_place() {
    let mut batch = super::Batch::<hostile::Hostile<bool, f32>>::new();
    let record = r#"{"type":"t","__name":null,"__map":true,"de":[1.5],"inner":[{"type":1}],"kind":"Other","either":"a",
        "wrapped":"ab","free":{"a":1,"c":"d"}}"#;
    assert_eq!(super::decode(&mut batch, &[record]), []);
    let record = hostile::Hostile {
        r#type: String::new(),
        __column_0: 1,
        __name: None,
        __map: false,
        de: vec![],
        inner: vec![],
        kind: hostile::Kind::One,
        either: hostile::Either::Nothing,
        wrapped: None,
        at: chrono::DateTime::default(),
        free: serde_json::json!({}),
    };
    batch.append(&record).unwrap();
    assert_eq!(super::ErasedBatch::rows(&batch), 2);
}

#[test]
fn every_attribute_works_in_a_hostile_place() {
    let mut batch = super::Batch::<hostile::Attributes>::new();
    let record = r#"{"key":"ab","fn":"1.5","at":"2024-01-02T03:04:05Z","rest":{"a":{"b":[1]}},"inner":[{"type":1}],
        "map":{"Other":{"yield":1},"One":"unset"}}"#;
    assert_eq!(super::decode(&mut batch, &[record, "{}"]), []);
    batch.append(&hostile::Attributes::default()).unwrap();
    let text = |column: &crate::record::ColumnSpec| format!("{} {}", column.name, column.data_type);
    let columns: Vec<String> = super::ErasedBatch::columns(&batch).iter().map(text).collect();
    assert_eq!(
        columns[..3],
        [
            "match LowCardinality(FixedString(2))",
            "total SimpleAggregateFunction(sum, Decimal(38, 4))",
            "at DateTime('Europe/Berlin')",
        ]
    );
    assert_eq!(super::ErasedBatch::rows(&batch), 3);

    let mut batch = super::Batch::<hostile::Generic<u8, bool, 2>>::new();
    assert_eq!(super::decode(&mut batch, &[r#"{"id":1,"column":true,"bytes":[1,2]}"#]), []);
    batch.append(&hostile::Generic { id: 1, computed: 2, column: true, bytes: *b"ab" }).unwrap();
    assert_eq!(super::ErasedBatch::rows(&batch), 2);
}
