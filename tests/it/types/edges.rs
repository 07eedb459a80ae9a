//! The edges of every type: its lowest and highest value, the empty one, and the first outside; what is stored of each,
//! or why it is refused. The table stands in the documentation.

use std::fmt::Write as _;

use super::{Case, catalogue, document, record};
use crate::stage::Stage;

/// Values at the edges, by the type of the field in the catalogue, in Rust where ClickHouse's has several.
const EDGES: [(&str, &[&str]); 51] = [
    ("String", &[r#""""#, r#""\u0000""#, "1"]),
    ("FixedString(3)", &[r#""abc""#, r#""ab""#, r#""abcd""#, r#""aé""#]),
    (
        "#[olap(fixed = 3)] [u8; 3]",
        &[r#""abc""#, r#""ab""#, r#""aé""#, "[97,98,0]", "[195,169,33]", "[97,98]", "[97,98,256]", "[1,2,3,4]"],
    ),
    ("LowCardinality(String)", &[r#""""#, "null"]),
    ("LowCardinality(Nullable(String))", &[r#""""#, "null"]),
    ("LowCardinality(FixedString(2))", &[r#""ab""#, r#""a""#]),
    ("LowCardinality(UUID)", &[r#""00000000-0000-0000-0000-000000000000""#, r#""""#]),
    (
        "Enum8('dark_green' = -128, 'red' = 1, 'it\\'s \\\\ \\n blue' = 127)",
        &[r#""dark_green""#, r#""red""#, r#""Red""#, "1"],
    ),
    ("Enum16('Low' = -32768, 'Middle' = 0, 'High' = 32767)", &[r#""Low""#, r#""High""#, r#""""#]),
    ("Bool", &["false", "true", "0", r#""true""#]),
    ("Int8", &["-128", "127", "-129", "128", "1.0"]),
    ("Int16", &["-32768", "32767", "-32769", "32768"]),
    ("Int32", &["-2147483648", "2147483647", "-2147483649", "2147483648"]),
    (
        "Int64",
        &["-9223372036854775808", "9223372036854775807", "-9223372036854775809", "9223372036854775808", r#""1""#],
    ),
    (
        "Int128",
        &[
            "-170141183460469231731687303715884105728",
            r#""170141183460469231731687303715884105727""#,
            "-170141183460469231731687303715884105729",
            "170141183460469231731687303715884105728",
        ],
    ),
    (
        "Int256",
        &[
            "-57896044618658097711785492504343953926634992332820282019728792003956564819968",
            r#""57896044618658097711785492504343953926634992332820282019728792003956564819967""#,
            "57896044618658097711785492504343953926634992332820282019728792003956564819968",
        ],
    ),
    ("UInt8", &["0", "255", "-1", "256", "-0"]),
    ("UInt16", &["65535", "65536"]),
    ("UInt32", &["4294967295", "4294967296"]),
    ("UInt64", &["18446744073709551615", "18446744073709551616", "-1"]),
    ("UInt128", &["0", "340282366920938463463374607431768211455", "340282366920938463463374607431768211456", "-1"]),
    (
        "UInt256",
        &[
            r#""115792089237316195423570985008687907853269984665640564039457584007913129639935""#,
            "115792089237316195423570985008687907853269984665640564039457584007913129639936",
        ],
    ),
    ("BFloat16", &["3.3895314e38", "3.5e38", "0.1", "256", "257"]),
    ("Float32", &["3.4028235e38", "3.5e38", "16777216", "16777217", "0.1"]),
    ("Float64", &["1.7976931348623157e308", "1e309", "9007199254740992", "9007199254740993", "1e-400"]),
    ("Decimal(9, 2)", &["9999999.99", r#""-9999999.99""#, "10000000", "0.001", "0.100", "1e-2"]),
    ("Decimal(38, 0)", &["99999999999999999999999999999999999999", "100000000000000000000000000000000000000", "0.5"]),
    ("Decimal(76, 38)", &["99999999999999999999999999999999999999.99999999999999999999999999999999999999", "1e38"]),
    ("Date32", &[r#""1900-01-01""#, r#""2299-12-31""#, r#""1899-12-31""#, r#""2300-01-01""#, r#""2023-02-29""#]),
    ("Date", &[r#""1970-01-01""#, r#""2149-06-06""#, r#""1969-12-31""#, r#""2149-06-07""#]),
    ("Time64(3)", &[r#""00:00:00""#, r#""23:59:59.9999""#, r#""24:00:00""#, r#""-00:00:01""#]),
    ("Time", &[r#""00:00:00""#, r#""23:59:59""#, r#""23:59:60""#]),
    (
        "DateTime64(3, 'UTC')",
        &[
            r#""1900-01-01T00:00:00Z""#,
            r#""2299-12-31T23:59:59.9999Z""#,
            r#""1899-12-31T23:59:59.999Z""#,
            r#""2300-01-01T00:00:00Z""#,
            r#""1969-12-31T23:59:59.9999Z""#,
            r#""2024-02-29T12:00:00+02:00""#,
            "1709208000",
        ],
    ),
    (
        "DateTime64(9, 'UTC')",
        &[r#""2262-04-11T23:47:16.854775807Z""#, r#""2262-04-11T23:47:16.854775808Z""#, r#""1900-01-01T00:00:00Z""#],
    ),
    (
        "DateTime('UTC')",
        &[
            r#""1970-01-01T00:00:00Z""#,
            r#""2106-02-07T06:28:15.9Z""#,
            r#""1969-12-31T23:59:59Z""#,
            r#""2106-02-07T06:28:16Z""#,
        ],
    ),
    ("UUID", &[r#""00000000-0000-0000-0000-000000000000""#, r#""ffffffff-ffff-ffff-ffff-ffffffffffff""#, r#""""#]),
    ("IPv4", &[r#""0.0.0.0""#, r#""255.255.255.255""#, r#""256.0.0.0""#, r#""::1""#]),
    ("IPv6", &[r#""::""#, r#""ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff""#, r#""::ffff:192.0.2.1""#, r#""192.0.2.1""#]),
    ("IpAddr", &[r#""192.0.2.1""#, r#""::ffff:192.0.2.1""#, r#""2001:db8::1""#, r#""192.0.2""#, r#""""#, "3221225985"]),
    ("Nullable(Int64)", &["null", "0"]),
    ("Array(UInt16)", &["[]", "[65535]", "[65536]", "[null]", "null"]),
    ("[u16; 3]", &["[1,2,65535]", "[1,2]", "[1,2,3,4]", "[]", "[1,2,65536]"]),
    ("Map(String, UInt64)", &["{}", r#"{"":0}"#, r#"{"a":1,"a":2}"#, r#"{"a":null}"#, "[]"]),
    ("Tuple(UInt8, String)", &[r#"[255,""]"#, r#"[256,""]"#, "[1]", r#"[1,"",2]"#]),
    ("Array(Tuple(one UInt8, other Nullable(String)))", &["[]", r#"[{"one":1}]"#, r#"[{"other":"a"}]"#, "[[1,null]]"]),
    (
        "Variant(Array(UInt8), Bool, Int64, String, Tuple(one UInt8, other String))",
        &["null", "true", "9223372036854775807", "9223372036854775808", "[255]", "[256]", r#""a""#, "1.5"],
    ),
    ("Variant(Int64, String)", &["null", "-9223372036854775808", r#""""#, "true"]),
    ("Array(Variant(Int64, String))", &["[]", r#"[null,1,"a",null]"#, "[[]]", "null"]),
    (
        "JSON",
        &[
            "{}",
            r#"{"a":null,"b":{}}"#,
            r#"{"a.b":1,"a":{"c":2}}"#,
            r#"{"a":18446744073709551615}"#,
            r#"{"a":18446744073709551616}"#,
            r#"{"a":1,"a":2}"#,
            r#"{"a":{"b":1},"a.b":2}"#,
            r#"{"a":[1,true]}"#,
            "[]",
            "null",
        ],
    ),
    (
        "Dynamic",
        &[
            "null",
            "true",
            "-9223372036854775808",
            "18446744073709551615",
            "18446744073709551616",
            "1.5",
            r#""a""#,
            "[]",
        ],
    ),
    ("Point", &["[0,-1.5]", "[0]", "[1e309,0]"]),
];

#[tokio::test]
async fn the_edges_of_every_type_are_those_of_the_documentation() {
    let stage = Stage::new().await;
    let mut table = String::from("| type | JSON | stored |\n|---|---|---|\n");
    let cases = catalogue::cases();
    for (number, (name, texts)) in EDGES.into_iter().enumerate() {
        let case =
            cases.iter().find(|case| [case.data_type, case.rust].contains(&name)).expect("a type of the catalogue");
        for (text, outcome) in texts.iter().zip(outcomes(&stage, case, texts, number).await) {
            let name = name.replace('|', "\\|");
            // Writing to a String does not fail.
            let _ = writeln!(table, "| `{name}` | `{text}` | {outcome} |");
        }
    }
    document::is_current("edges", &table);
}

/// What is stored of each value, or why it is refused.
async fn outcomes(stage: &Stage, case: &Case, texts: &[&str], number: usize) -> Vec<String> {
    let table = format!("t{number}");
    let records: Vec<String> = texts.iter().enumerate().map(|(id, text)| record(id, text)).collect();
    let (batch, rejected) = case.decode(&records);
    stage.create_for(&table, &*batch).await;
    let answer = stage.insert_batch(&table, &*batch).await;
    assert_eq!(answer.status, 200, "{}: {}", case.data_type, answer.text());
    let mut stored = stage.stored_values(&table).await.into_iter();
    let mut rejected = rejected.into_iter().peekable();
    let outcome = |id| match rejected.next_if(|rejected| rejected.index == id) {
        Some(rejected) => {
            let errors: Vec<String> = rejected
                .errors
                .into_iter()
                .map(|error| match error.pointer.strip_prefix("/value").unwrap_or(&error.pointer) {
                    "" => error.message,
                    inside => format!("`{inside}`: {}", error.message),
                })
                .collect();
            format!("refused: {}", errors.join("; ").replace('|', "\\|"))
        }
        None => format!("`{}`", stored.next().expect("a row for each value that was taken")),
    };
    (0..texts.len()).map(outcome).collect()
}

#[test]
fn every_type_of_the_catalogue_stands_in_the_documentation() {
    let mut table = String::from("| ClickHouse | Rust |\n|---|---|\n");
    // An attribute of many words is broken into lines, and a cell is one.
    let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
    for Case { rust, data_type, .. } in catalogue::cases() {
        // Writing to a String does not fail.
        let _ = writeln!(table, "| `{}` | `{}` |", cell(data_type), cell(rust));
    }
    document::is_current("map", &table);
}
