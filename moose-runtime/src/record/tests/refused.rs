//! Tests of rejected records and the errors reported for them.

use super::*;
use ErrorCode::*;

#[derive(Debug, crate::OlapRecord)]
#[olap(crate = "crate")]
struct Row {
    #[key]
    id: String,
    #[serde(alias = "n")]
    number: i8,
    maybe: Option<u32>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    float: f64,
    #[serde(default)]
    single: f32,
    #[serde(default)]
    day: NaiveDate,
    #[serde(default)]
    at: DateTime<Utc>,
    #[serde(default)]
    #[olap(precision = 9)]
    exact: DateTime<Utc>,
    #[serde(default)]
    uuid: Uuid,
    #[serde(default)]
    flag: bool,
}

#[derive(Debug, crate::OlapRecord)]
#[olap(crate = "crate")]
#[serde(deny_unknown_fields)]
struct Strict {
    #[key]
    id: String,
}

/// Errors of a `Row` with these fields besides a valid `id` and `number`.
fn with(fields: &str) -> Vec<(String, ErrorCode)> {
    mistakes::<Row>(format!(r#"{{"id":"a","number":1,{fields}}}"#).as_bytes())
}

fn found(expected: &[(&str, ErrorCode)]) -> Vec<(String, ErrorCode)> {
    expected.iter().map(|(pointer, code)| ((*pointer).to_owned(), *code)).collect()
}

#[test]
fn a_row_needs_no_more_than_its_required_fields() {
    assert_eq!(mistakes_of_valid(r#"{"id":"a","number":1}"#), []);
    assert_eq!(
        mistakes_of_valid(" {\"n\":-128,\t\"id\":\"\",\n\"maybe\":null,\"unknown\":{\"a\":[1,2.5e3,\"x\",null]}} "),
        []
    );
}

fn mistakes_of_valid(record: &str) -> Vec<Rejected> {
    decode(&mut Batch::<Row>::new(), &[record])
}

#[test]
fn what_is_not_one_json_value_is_not_json() {
    for record in [
        "",
        " ",
        "{",
        "nonsense",
        r#"{"id":"a","number":1"#,
        r#"{"id":"a","number":1,}"#,
        r#"{"id":"a" "number":1}"#,
        r#"{"id":"a","number":01}"#,
        r#"{"id":"\ud800","number":1}"#,
        r#"{"id":"a","number":1} x"#,
        r#"{"id":"a","number":1}{"id":"b","number":1}"#,
        "{\"id\":\"a\nb\",\"number\":1}",
        r"{'id':'a'}",
        r#"{"id":"a","number":NaN}"#,
        r#"{"id":"a","number":1,"x":"\q"}"#,
    ] {
        assert_eq!(mistakes::<Row>(record.as_bytes()), found(&[("", InvalidJson)]), "{record}");
    }
}

#[test]
fn what_is_not_an_object_is_the_wrong_type() {
    for record in ["[]", "null", "5", "\"id\"", r#"["a",1]"#, "true"] {
        assert_eq!(mistakes::<Row>(record.as_bytes()), found(&[("", WrongType)]), "{record}");
    }
}

#[test]
fn invalid_utf8_is_refused_anywhere() {
    for record in [
        &b"{\"id\":\"\xff\",\"number\":1}"[..],
        b"{\"id\":\"a\",\"number\":1,\"x\":\"\xc3\"}",
        b"{\"\xe2\x82\":1}",
        b"\xff",
    ] {
        assert_eq!(mistakes::<Row>(record), found(&[("", InvalidUtf8)]));
    }
}

#[test]
fn a_value_nested_too_deeply_is_refused_without_recursing() {
    let open = "[".repeat(30_000);
    assert_eq!(with(&format!(r#""unknown":{open}"#)), found(&[("", TooDeep)]));
    assert_eq!(with(&format!(r#""unknown":{open}{}"#, "]".repeat(30_000))), found(&[("", TooDeep)]));
    assert_eq!(with(&format!(r#""unknown":{}"#, "{\"a\":".repeat(30_000))), found(&[("", TooDeep)]));
    let levels = |levels: usize| with(&format!(r#""unknown":{}{}"#, "[".repeat(levels), "]".repeat(levels)));
    assert_eq!(levels(127), found(&[("", TooDeep)]));
    let deep = format!(r#"{{"id":"a","number":1,"unknown":{}{}}}"#, "[".repeat(126), "]".repeat(126));
    assert_eq!(mistakes_of_valid(&deep), []);
}

#[test]
fn a_missing_field_is_told_with_its_pointer() {
    assert_eq!(mistakes::<Row>(b"{}"), found(&[("/id", MissingField), ("/number", MissingField)]));
}

#[test]
fn a_field_stands_once_also_under_an_alias() {
    assert_eq!(with(r#""id":"b""#), found(&[("/id", DuplicateField)]));
    assert_eq!(with(r#""n":1"#), found(&[("/n", DuplicateField)]));
    assert_eq!(with(r#""maybe":1,"maybe":null"#), found(&[("/maybe", DuplicateField)]));
    assert_eq!(mistakes_of_valid(r#"{"id":"a","number":1,"unknown":1,"unknown":2}"#), []);
}

#[test]
fn an_unknown_field_is_a_mistake_only_where_the_type_says_so() {
    assert_eq!(mistakes::<Strict>(br#"{"id":"a","x/y~z":1}"#), found(&[("/x~1y~0z", UnknownField)]));
}

#[test]
fn nothing_is_stored_changed() {
    for (fields, pointer, code) in [
        (r#""maybe":1.5"#, "/maybe", WrongType),
        (r#""maybe":1.0"#, "/maybe", WrongType),
        (r#""maybe":-1"#, "/maybe", OutOfRange),
        (r#""maybe":4294967296"#, "/maybe", OutOfRange),
        (r#""maybe":99999999999999999999"#, "/maybe", OutOfRange),
        (r#""maybe":"1""#, "/maybe", WrongType),
        (r#""maybe":true"#, "/maybe", WrongType),
        (r#""float":9007199254740993"#, "/float", OutOfRange),
        (r#""float":1e999"#, "/float", OutOfRange),
        (r#""float":-1e999"#, "/float", OutOfRange),
        (r#""float":"1""#, "/float", WrongType),
        (r#""float":null"#, "/float", WrongType),
        (r#""single":16777217"#, "/single", OutOfRange),
        (r#""single":1e39"#, "/single", OutOfRange),
        (r#""unknown":1e999"#, "", OutOfRange),
        (r#""tags":null"#, "/tags", WrongType),
        (r#""tags":{}"#, "/tags", WrongType),
        (r#""tags":"a""#, "/tags", WrongType),
        (r#""day":"2024-02-30""#, "/day", InvalidValue),
        (r#""day":"1899-12-31""#, "/day", OutOfRange),
        (r#""day":"2300-01-01""#, "/day", OutOfRange),
        (r#""day":20240101"#, "/day", WrongType),
        (r#""at":"2024-02-31T00:00:00Z""#, "/at", InvalidValue),
        (r#""at":"1899-12-31T23:59:59.999Z""#, "/at", OutOfRange),
        (r#""at":"2300-01-01T00:00:00Z""#, "/at", OutOfRange),
        (r#""at":"2299-12-31T23:59:59-00:01""#, "/at", OutOfRange),
        (r#""at":1705314600"#, "/at", WrongType),
        (r#""exact":"2262-04-11T23:47:16.854775808Z""#, "/exact", OutOfRange),
        (r#""uuid":"not-a-uuid""#, "/uuid", InvalidValue),
        (r#""uuid":1"#, "/uuid", WrongType),
        (r#""flag":0"#, "/flag", WrongType),
        (r#""flag":"true""#, "/flag", WrongType),
    ] {
        assert_eq!(with(fields), found(&[(pointer, code)]), "{fields}");
    }
}

#[test]
fn the_bounds_themselves_are_stored() {
    for fields in [
        r#""maybe":4294967295"#,
        r#""float":9007199254740992"#,
        r#""float":18446744073709549568"#,
        r#""float":-9223372036854775808"#,
        r#""float":1.7976931348623157e308"#,
        r#""single":16777216,"tags":[]"#,
        r#""day":"1900-01-01","at":"1900-01-01T00:00:00Z""#,
        r#""day":"2299-12-31","at":"2299-12-31T23:59:59.999999999Z""#,
        r#""exact":"2262-04-11T23:47:16.854775807Z""#,
        r#""exact":"1900-01-01T00:00:00Z","uuid":"67e55044-10b1-426f-9247-bb680e5fe0c8""#,
    ] {
        assert_eq!(mistakes_of_valid(&format!(r#"{{"id":"a","number":1,{fields}}}"#)), [], "{fields}");
    }
}

#[test]
fn every_mistake_is_told_and_no_payload_with_it() {
    let record = r#"{"number":300,"tags":["a",5,"b",null],"maybe":"SECRET","day":"SECRET","float":[],"number":7}"#;
    let rejected = decode(&mut Batch::<Row>::new(), &[record]);
    let lines: Vec<String> = rejected[0]
        .errors
        .iter()
        .map(|error| format!("{} {:?}: {}", error.pointer, error.code, error.message))
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    /number OutOfRange: out of range: expected an integer from -128 to 127
    /tags/1 WrongType: expected a string, found an integer
    /tags/3 WrongType: expected a string, found null
    /maybe WrongType: expected an integer from 0 to 4294967295, found a string
    /day InvalidValue: invalid value: expected a date such as "2024-02-29"
    /float WrongType: expected a number, found an array
    /number DuplicateField: the field `number` is there more than once
    /id MissingField: the field `id` is missing
    "#);
}

#[test]
fn a_record_full_of_mistakes_is_told_the_first_hundred() {
    let tags = vec!["1"; 1000].join(",");
    assert_eq!(with(&format!(r#""tags":[{tags}]"#)).len(), 100);
}

#[test]
fn a_value_that_no_column_holds_is_refused_from_code_too() {
    let row = |at: &str| Row {
        id: String::new(),
        number: 0,
        maybe: None,
        tags: vec!["half".into()],
        float: 0.0,
        single: 0.0,
        day: NaiveDate::default(),
        at: at.parse().unwrap(),
        exact: DateTime::default(),
        uuid: Uuid::nil(),
        flag: false,
    };
    let mut batch = Batch::<Row>::new();
    let empty = block(&batch);
    let error = batch.append(&row("2300-01-01T00:00:00Z")).unwrap_err();
    assert_eq!((&*error.pointer, error.code), ("/at", OutOfRange));
    assert!(batch.append(&Row { float: f64::NAN, ..row("2024-01-01T00:00:00Z") }).is_err());
    assert_eq!(block(&batch), empty);
}

#[test]
fn a_body_is_taken_apart() {
    use crate::record::json::{Body, split};
    assert_eq!(split(" {\"a\": [1]} ", 3), Ok(Body::One("{\"a\": [1]}")));
    assert_eq!(split(" [ {\"a\":1} , 5,[]]\n", 3), Ok(Body::Array(vec!["{\"a\":1}", "5", "[]"])));
    assert_eq!(split("[]", 3), Ok(Body::Array(vec![])));
    assert_eq!(split("[1,2,3,4]", 3), Ok(Body::TooMany));
    assert_eq!(split("[1,2,3,4", 3), Ok(Body::TooMany), "it is not read to its end");
    assert_eq!(split("{}{}", 3), Ok(Body::Several));
    assert_eq!(split("{}\n[]\n", 3), Ok(Body::Several));
    for body in ["", "  ", "{", "[{},]", "[{}", "{} x", "{\"a\":1},", "nope", &"[".repeat(30_000)] {
        let error = split(body, 3).unwrap_err();
        assert_eq!((&*error.pointer, error.code), ("", InvalidJson), "{body}");
    }
}
