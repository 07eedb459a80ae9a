//! Compares the record parser with `serde_json`.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use crate::record::json::Reader;

fn ours<T: DeserializeOwned>(text: &str) -> Option<T> {
    let mut reader = Reader::new(text);
    let value = T::deserialize(&mut reader).ok()?;
    reader.end().ok().map(|()| value)
}

/// Both parsers give the same, or both reject.
fn agree<T: DeserializeOwned + std::fmt::Debug>(text: &str) {
    let (ours, theirs) = (ours::<T>(text), serde_json::from_str::<T>(text).ok());
    // Compared as text, because the two zeros are equal.
    assert_eq!(format!("{ours:?}"), format!("{theirs:?}"), "{text:?}");
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "read by `Debug`")]
enum Shape {
    Dot,
    Named { radius: f32 },
    Pair(i64, bool),
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "read by `Debug`")]
struct Everything {
    narrow: Option<f32>,
    shapes: Vec<Shape>,
    by_number: BTreeMap<i16, char>,
    by_boolean: BTreeMap<bool, u128>,
    pair: (u8, i8),
    raw: Box<serde_json::value::RawValue>,
    unit: (),
}

#[test]
fn edges_are_read_as_serde_json_reads_them() {
    let deep = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    let mut texts: Vec<String> = [127, 128, 129].map(deep).to_vec();
    texts.extend(
        [
            "",
            " ",
            "null",
            "nul",
            "nullx",
            "true",
            "tru",
            " false ",
            "0",
            "-0",
            "-",
            "00",
            "01",
            "1.",
            ".5",
            "1.5",
            "-1.5e3",
            "1e",
            "1e+",
            "1E-2",
            "1e400",
            "-1e400",
            "1e-400",
            "18446744073709551615",
            "18446744073709551616",
            "-9223372036854775808",
            "-9223372036854775809",
            "123456789012345678901234567890",
            "0.1",
            "2.2250738585072011e-308",
            "+1",
            "1 2",
            "\"\"",
            "\"abc",
            "\"a\\nb\"",
            "\"\\u0041\"",
            "\"\\ud834\\udd1e\"",
            "\"\\ud834\"",
            "\"\\udd1e\"",
            "\"\\x\"",
            "\"\\",
            "\"\\\"",
            "\"a\tb\"",
            "\"\u{1f}\"",
            "\"\u{7f}\"",
            "\"gr\u{fc}\u{df}e\"",
            "\"12345678\\\"1234567\"",
            "[]",
            "[ ]",
            "[,]",
            "[1,]",
            "[,1]",
            "[1 2]",
            "[1,2]",
            "[1",
            "]",
            "{}",
            "{ }",
            "{,}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{\"a\" : 1 , \"b\":[]}",
            "{a:1}",
            "{1:1}",
            "{\"a\":1 \"b\":2}",
            "{\"\\u0061\":1}",
            "\u{feff}1",
            "\u{a0}1",
            "[1]x",
            "{\"a\":1}}",
        ]
        .map(str::to_owned),
    );
    for text in &texts {
        agree::<Value>(text);
        agree::<f32>(text);
        agree::<u64>(text);
        agree::<i64>(text);
        agree::<Option<bool>>(text);
        agree::<String>(text);
    }
    for text in ["16777217", "16777217.0", "3.4028236e38", "3.4028235677973366e38", "7.038531e-26", "1e-46"] {
        agree::<f32>(text);
    }
}

#[test]
fn types_that_ask_for_more_than_columns_do_are_read_too() {
    let whole = r#"{"narrow":0.1,"shapes":["Dot",{"Named":{"radius":1.5}},{"Pair":[-1,true]}],"by_number":{"-7":"x"},
        "by_boolean":{"true":340282366920938463463374607431768211455},"pair":[1,-1],"raw":{"a": [1, 2]},"unit":null}"#;
    assert!(ours::<Everything>(whole).is_some());
    agree::<Everything>(whole);
    for (from, to) in [
        ("\"-7\"", "\"- 7\""),
        ("\"-7\"", "\" 7\""),
        ("\"-7\"", "\"7 \""),
        ("\"-7\"", "\"70000\""),
        ("\"true\"", "\"truer\""),
        ("[1,-1]", "[1]"),
        ("[1,-1]", "[1,-1,0]"),
        ("\"Dot\"", "\"Line\""),
        ("0.1", "null"),
        ("{\"a\": [1, 2]}", "{\"a\": [1, 2}"),
    ] {
        agree::<Everything>(&whole.replace(from, to));
    }
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        prop::num::f64::NORMAL.prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
        "[ -~]{0,40}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map("[a-z\"\\\\é]{0,9}", inner, 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn json_is_read_as_serde_json_reads_it(value in json(), pretty: bool) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        prop_assert!(ours::<Value>(&text).is_some());
        agree::<Value>(&text);
    }

    #[test]
    fn what_is_nearly_json_is_refused_where_serde_json_refuses_it(
        value in json(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), "[\\[\\]{}\",:\\\\0-9eE.+ntu -]{0,2}", 0_usize..3), 1..4),
    ) {
        let mut text: Vec<char> = value.to_string().chars().collect();
        for (place, insert, remove) in changes {
            let at = place.index(text.len() + 1);
            let end = (at + remove).min(text.len());
            text.splice(at..end, insert.chars());
        }
        agree::<Value>(&text.into_iter().collect::<String>());
    }
}
