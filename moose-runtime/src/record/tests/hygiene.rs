//! The derive in a hostile place: no prelude, another name for the runtime, names that get in the way, lints denied.

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

    /// A tuple.
    #[derive(renamed::OlapType)]
    #[olap(crate = "renamed")]
    pub(super) struct Inner<A> {
        pub(super) r#type: A,
    }

    /// An enum.
    #[derive(renamed::OlapType)]
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
