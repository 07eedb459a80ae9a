//! What we take of JSON, compared with what ClickHouse's own `JSONEachRow` takes of the same text.
//!
//! Two rules, and a list of exceptions to each with its reason:
//! - what we take is stored as ClickHouse would store it;
//! - what ClickHouse would store and print again just as it was sent, we take.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use moose_runtime::schema::{DataType, quote_string};
use moose_tests::{http, random::Random};
use serde_json::Value;

use super::{Case, PRINTED, catalogue, document, record, values};
use crate::stage::Stage;

/// ClickHouse's reader without what makes it guess: a number is no text, a boolean no number, NULL no default.
const STRICT: &str = "input_format_json_read_bools_as_numbers = 0, input_format_json_read_bools_as_strings = 0, \
     input_format_json_read_numbers_as_strings = 0, input_format_json_read_objects_as_strings = 0, \
     input_format_json_read_arrays_as_strings = 0, input_format_null_as_default = 0, \
     input_format_json_defaults_for_missing_elements_in_named_tuple = 0, input_format_defaults_for_omitted_fields = 0, \
     precise_float_parsing = 1";

/// Texts that one type or another may read wrongly.
const HOSTILE: [&str; 76] = [
    "null",
    "true",
    "false",
    "0",
    "-0",
    "1",
    "-1",
    "127",
    "128",
    "-128",
    "-129",
    "255",
    "256",
    "32768",
    "65536",
    "2147483648",
    "4294967295",
    "4294967296",
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775809",
    "18446744073709551615",
    "18446744073709551616",
    "340282366920938463463374607431768211456",
    "0.5",
    "-1.5",
    "1.0",
    "1e2",
    "1e-2",
    "1E400",
    "1e-400",
    "12345678.90",
    "0.001",
    "1.005",
    "\"\"",
    "\"0\"",
    "\"-1\"",
    "\"1.5\"",
    "\"1e2\"",
    "\"true\"",
    "\"null\"",
    "\"a\"",
    "\"abc\"",
    "\"abcd\"",
    "\"é\"",
    "\"red\"",
    "\"Red\"",
    "\"it's \\\\ \\n blue\"",
    "\"Low\"",
    "\"\\u0000\"",
    "\"NaN\"",
    "\"inf\"",
    "\"2024-02-29\"",
    "\"2023-02-29\"",
    "\"2024-02-30\"",
    "\"1969-12-31\"",
    "\"2150-01-01\"",
    "\"2300-01-01\"",
    "\"2024-1-5\"",
    "\"20240229\"",
    "\"2024-02-29T12:00:00Z\"",
    "\"2024-02-29T12:00:00.123456789Z\"",
    "\"2024-02-29T12:00:00+02:00\"",
    "\"2024-02-29 12:00:00\"",
    "\"2300-01-01T00:00:00Z\"",
    "\"1969-12-31T23:59:59.5Z\"",
    "\"12:30:00\"",
    "\"24:00:00\"",
    "\"12:30:00.5\"",
    "\"-01:00:00\"",
    "\"67e55044-10b1-426f-9247-bb680e5fe0c8\"",
    "\"67e5504410b1426f9247bb680e5fe0c8\"",
    "\"192.0.2.1\"",
    "\"::1\"",
    "\"192.0.2.256\"",
];

/// A key that stands twice.
const TWO_KEYS: &str = "{\"a\":1,\"a\":2}";

/// More of these: values in values.
const HOSTILE_NESTED: [&str; 28] = [
    "[]",
    "{}",
    "[null]",
    "[1]",
    "[1,2]",
    "[1,2,3]",
    "[256]",
    "[\"a\"]",
    "[\"a\",null]",
    "[[]]",
    "[[1,2]]",
    "[[1,null]]",
    "[1,\"a\"]",
    "[1,\"a\",2]",
    "[300,\"a\"]",
    "{\"a\":1}",
    "{\"a\":null}",
    "{\"a\":\"b\"}",
    "{\"1\":\"b\"}",
    "{\"one\":1,\"other\":\"a\"}",
    "{\"one\":1}",
    "{\"one\":1,\"other\":null,\"more\":1}",
    TWO_KEYS,
    "{\"streetName\":\"a\",\"select\":1,\"the lines\":[]}",
    "[{\"one\":1,\"other\":\"a\"}]",
    "[[1.5,2],[0,0]]",
    "{\"a\":[1,true]}",
    "[{\"one\":1}]",
];

const RFC_3339: &str = "a timestamp is RFC 3339, as JSON's are everywhere; ClickHouse's basic reader takes no zone, and its \
     `best_effort` stores the same";
const MISSING: &str = "an optional field of a struct may be missing, as in serde";
const VARIANT: &str = "a value goes to the first variant, as the enum has them, that takes it; ClickHouse has an order of its \
     own, in which 0 and 1 are booleans and an empty string is 0";
const DYNAMIC: &str = "a string in `Dynamic` stays one, though it looks like a date, and NULL is NULL";
const CUT: &str = "a fraction of a second is cut for `Time` as for `DateTime`";
const BYTES: &str = "the bytes of `[u8; N]` may be an array of numbers, as in serde: a string holds only what is UTF-8";
const LENGTH: &str = "an array `[T; N]` has N elements";
const NUMBER_IN_STRING: &str = "a number of up to 64 bits in a string is a string, as in serde";
const NOT_A_NUMBER: &str = "null is no number; ClickHouse stores NaN";
const ROUNDED: &str = "an integer that the float would round is refused";
const TWICE: &str = "a key of a map stands once: Rust's maps hold one value for it";
const DAY: &str = "a time of day is not negative and less than 24 hours";
const SCALARS: &str = "`Dynamic` holds scalars here; `JSON` and `Variant` hold the rest";
const MIXED: &str =
    "an array of booleans and numbers in `JSON` is refused: out of a Native block the booleans become numbers";

/// All of them, in the order of the documentation.
const REASONS: [&str; 14] = [
    RFC_3339,
    MISSING,
    VARIANT,
    DYNAMIC,
    CUT,
    BYTES,
    LENGTH,
    NUMBER_IN_STRING,
    NOT_A_NUMBER,
    ROUNDED,
    TWICE,
    DAY,
    SCALARS,
    MIXED,
];

/// Where what we take is stored otherwise than by ClickHouse, or not taken by it: why.
fn taken_otherwise(data_type: &str, text: &str) -> Option<&'static str> {
    let holds = |name: &str| data_type.contains(name);
    if holds("Variant") {
        Some(VARIANT)
    } else if holds("Dynamic") {
        (text == "null" || text.starts_with('"')).then_some(DYNAMIC)
    } else if holds("other Nullable") || holds("`select` Nullable") {
        Some(MISSING)
    } else if holds("FixedString") {
        text.contains('[').then_some(BYTES)
    } else if data_type == "Time" {
        text.contains('.').then_some(CUT)
    } else {
        None
    }
}

/// Where we refuse what ClickHouse would store and print just as it was sent: why.
fn refused(data_type: &str, text: &str, ours: &str) -> Option<&'static str> {
    let holds = |name: &str| data_type.contains(name);
    let has_floats = holds("Float") || ["Point", "Ring", "LineString", "Polygon"].iter().any(|shape| holds(shape));
    if holds("Dynamic") {
        text.starts_with(['[', '{']).then_some(SCALARS)
    } else if holds("JSON") {
        text.contains("true").then_some(MIXED)
    } else if ours.contains("an array of exactly") {
        Some(LENGTH)
    } else if holds("Map") && ours.contains("more than once") {
        Some(TWICE)
    } else if has_floats && text.contains("null") {
        Some(NOT_A_NUMBER)
    } else if (holds("Int") || has_floats) && text.contains('"') {
        Some(NUMBER_IN_STRING)
    } else if has_floats && ours.contains("that it would round") {
        Some(ROUNDED)
    } else if holds("Time") {
        Some(DAY)
    } else {
        None
    }
}

/// A difference that is meant, with what both make of the text.
struct Example {
    data_type: &'static str,
    text: String,
    ours: String,
    theirs: String,
}

#[tokio::test]
async fn what_we_take_is_what_clickhouse_takes_but_for_what_is_listed() {
    let stage = Stage::new().await;
    let mut random = Random::seeded();
    let mut differences: BTreeSet<String> = BTreeSet::new();
    let mut examples: BTreeMap<&str, Example> = BTreeMap::new();
    for (number, case) in catalogue::cases().iter().enumerate() {
        let data_type = case.parsed();
        let fixed = hostile(&data_type);
        let texts = [fixed.clone(), scattered(case, &mut random)].concat();
        let ours = ours(&stage, case, &texts, &format!("t{number}")).await;
        for (at, (text, ours)) in texts.iter().zip(ours).enumerate() {
            let theirs = theirs(&stage, case, text, "basic").await;
            let Some(found) = difference(&data_type, text, &ours, &theirs) else { continue };
            let reason = match found {
                Difference::Refused => refused(case.data_type, text, ours.as_ref().err().map_or("", String::as_str)),
                Difference::Taken => {
                    let best_effort = theirs_by_best_effort(&stage, case, text).await;
                    let is_same = difference(&data_type, text, &ours, &best_effort).is_none();
                    if is_same { Some(RFC_3339) } else { taken_otherwise(case.data_type, text) }
                }
            };
            let [ours, theirs] = [told(&ours), told(&theirs)];
            match reason {
                // Random texts are no examples: the next run has others.
                Some(reason) if at < fixed.len() => {
                    let example = Example { data_type: case.data_type, text: text.clone(), ours, theirs };
                    examples.entry(reason).or_insert(example);
                }
                Some(_) => {}
                None => drop(differences.insert(format!("{}: {text}: ours {ours}, theirs {theirs}", case.data_type))),
            }
        }
    }
    let differences: Vec<String> = differences.into_iter().collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    document::is_current("differences", &table(&examples));
}

/// The reasons with an example each.
fn table(examples: &BTreeMap<&str, Example>) -> String {
    let mut table = String::from("| | for example | JSON | ours | ClickHouse's |\n|---|---|---|---|---|\n");
    for reason in REASONS {
        let Example { data_type, text, ours, theirs } =
            examples.get(reason).unwrap_or_else(|| panic!("nothing differs any more because {reason}"));
        // Writing to a String does not fail.
        let _ = writeln!(table, "| {reason} | `{data_type}` | `{text}` | {ours} | {theirs} |");
    }
    table
}

fn told(outcome: &Result<Value, String>) -> String {
    outcome.as_ref().map_or_else(|_| "refused".to_owned(), |value| format!("`{value}`"))
}

/// How what we do with a text differs from what ClickHouse does with it.
enum Difference {
    /// We refuse what ClickHouse would store and print just as it was sent.
    Refused,
    /// What we take is stored otherwise by ClickHouse, or refused.
    Taken,
}

fn difference(
    data_type: &DataType,
    text: &str,
    ours: &Result<Value, String>,
    theirs: &Result<Value, String>,
) -> Option<Difference> {
    let plain = |value: &Value| values::plain(data_type, value);
    match (ours, theirs) {
        (Ok(ours), Ok(theirs)) => (plain(ours) != plain(theirs)).then_some(Difference::Taken),
        (Ok(_), Err(_)) => Some(Difference::Taken),
        (Err(_), Ok(theirs)) => {
            // The digits of a decimal as they stand, which a float has lost.
            let sent = match data_type {
                DataType::Decimal { .. } | DataType::Nullable(_)
                    if text.starts_with(|first: char| first == '-' || first.is_ascii_digit()) =>
                {
                    Some(Value::from(text))
                }
                _ => serde_json::from_str(text).ok(),
            };
            (sent.as_ref().map(plain) == Some(plain(theirs))).then_some(Difference::Refused)
        }
        (Err(_), Err(_)) => None,
    }
}

/// The hostile texts for a type, in an order that is always the same: of those that are not of its kind only some.
fn hostile(data_type: &DataType) -> Vec<String> {
    let is_nested = data_type.to_string().contains('(') && !matches!(data_type, DataType::Decimal { .. })
        || matches!(data_type, DataType::Json(_) | DataType::Dynamic { .. } | DataType::Point);
    let (scalars, nested) = if is_nested { (1, 1) } else { (1, 5) };
    let some = |texts: &[&str], step: usize| -> Vec<String> {
        texts.iter().step_by(step).map(|text| (*text).to_owned()).collect()
    };
    [some(&HOSTILE, scalars), some(&HOSTILE_NESTED, nested)].concat()
}

/// Random values of the type, as they are and with something changed.
fn scattered(case: &Case, random: &mut Random) -> Vec<String> {
    let count = if std::env::var_os("MOOSE_TEST_FULL").is_some() { 100 } else { 5 };
    let mut texts = Vec::new();
    for _ in 0..count {
        let value = case.value(random).to_string();
        texts.push(damaged(&value, random));
        texts.push(value);
    }
    texts
}

/// A text with one character replaced, doubled or taken out.
fn damaged(text: &str, random: &mut Random) -> String {
    let characters: Vec<char> = text.chars().collect();
    let place = usize::try_from(random.below(characters.len() as u64)).expect("a small number");
    let other = ['0', '9', '-', '.', '"', ',', 'e', ' '][usize::try_from(random.below(8)).expect("a small number")];
    let change = random.below(3);
    let changed = characters.iter().enumerate().flat_map(|(at, character)| match change {
        0 if at == place => vec![other],
        1 if at == place => vec![*character, *character],
        2 if at == place => vec![],
        _ => vec![*character],
    });
    changed.collect()
}

/// What we make of each text: the value in a table, or why it is refused.
async fn ours(stage: &Stage, case: &Case, texts: &[String], table: &str) -> Vec<Result<Value, String>> {
    let records: Vec<String> = texts.iter().enumerate().map(|(id, text)| record(id, text)).collect();
    let (batch, rejected) = case.decode(&records);
    stage.create_for(table, &*batch).await;
    let answer = stage.insert_batch(table, &*batch).await;
    assert_eq!(answer.status, 200, "{}: {}", case.data_type, answer.text());
    let mut stored = stage.stored_values(table).await.into_iter();
    let mut rejected = rejected.into_iter().peekable();
    let outcome = |id| match rejected.next_if(|rejected| rejected.index == id) {
        Some(rejected) => Err(rejected.errors.into_iter().map(|error| error.message).collect::<Vec<_>>().join("; ")),
        None => Ok(stored.next().expect("a row for each value that was taken")),
    };
    (0..texts.len()).map(outcome).collect()
}

/// What `JSONEachRow` makes of a text.
async fn theirs(stage: &Stage, case: &Case, text: &str, times: &str) -> Result<Value, String> {
    let quoted = quote_string(&format!("{{\"value\":{text}}}"));
    // `Nested` is taken apart by the reader: what it is here is a list of tuples.
    let data_type = match case.data_type.strip_prefix("Nested(") {
        Some(elements) => format!("Array(Tuple({elements})"),
        None => case.data_type.to_owned(),
    };
    let structure = quote_string(&format!("value {data_type}"));
    let query = format!(
        "SELECT value FROM format(JSONEachRow, {structure}, {quoted}) SETTINGS {STRICT}, {PRINTED}, \
         date_time_input_format = '{times}' FORMAT JSONEachRow"
    );
    let answer = http::try_sql(&stage.url(), &query).await;
    let text = answer.text();
    match serde_json::from_str::<Value>(&text) {
        Ok(mut row) if answer.status == 200 => Ok(row["value"].take()),
        _ => Err(text),
    }
}

/// The same, with timestamps as we read them.
async fn theirs_by_best_effort(stage: &Stage, case: &Case, text: &str) -> Result<Value, String> {
    if !case.data_type.contains("DateTime") {
        return Err("no timestamps".to_owned());
    }
    theirs(stage, case, text, "best_effort").await
}
