//! What we take of JSON, compared with what ClickHouse's own `JSONEachRow` takes of the same text.
//!
//! Two rules, and a list of exceptions to each with its reason:
//! - what we take is stored as ClickHouse would store it;
//! - what ClickHouse would store and print again just as it was sent, we take.

use std::collections::{BTreeMap, BTreeSet};

use moose_runtime::schema::DataType;
use moose_tests::{http, random::Random};
use serde_json::Value;

use super::{Case, PRINTED, catalogue, record, values};
use crate::stage::Stage;

/// ClickHouse's reader without what makes it guess: a number is no text, a boolean no number, NULL no default.
const STRICT: &str = "input_format_json_read_bools_as_numbers = 0, input_format_json_read_bools_as_strings = 0, \
     input_format_json_read_numbers_as_strings = 0, input_format_json_read_objects_as_strings = 0, \
     input_format_json_read_arrays_as_strings = 0, input_format_null_as_default = 0, \
     input_format_json_defaults_for_missing_elements_in_named_tuple = 0, input_format_defaults_for_omitted_fields = 0, \
     date_time_input_format = 'basic', precise_float_parsing = 1";

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

/// More of these: values in values.
const HOSTILE_NESTED: [&str; 26] = [
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
    "{\"a\":1,\"a\":2}",
    "{\"streetName\":\"a\",\"select\":1,\"the lines\":[]}",
    "[{\"one\":1,\"other\":\"a\"}]",
    "[[1.5,2],[0,0]]",
];

/// Where what we take is stored otherwise than by ClickHouse, or not taken by it: why.
fn taken_otherwise(data_type: &DataType, text: &str, theirs: &Result<Value, String>) -> Option<&'static str> {
    let _ = (data_type, text, theirs);
    None
}

/// Where we refuse what ClickHouse would store and print just as it was sent: why.
fn refused(data_type: &DataType, text: &str) -> Option<&'static str> {
    let _ = (data_type, text);
    None
}

#[tokio::test]
async fn what_we_take_is_what_clickhouse_takes_but_for_what_is_listed() {
    let stage = Stage::new().await;
    let mut random = Random::seeded();
    let mut differences: BTreeSet<String> = BTreeSet::new();
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for (number, case) in catalogue::cases().iter().enumerate() {
        let data_type = case.parsed();
        let texts = texts(&data_type, &mut random);
        let ours = ours(&stage, case, &texts, &format!("t{number}")).await;
        for (text, ours) in texts.iter().zip(ours) {
            let theirs = theirs(&stage, case, text).await;
            let sent: Option<Value> = serde_json::from_str(text).ok();
            let plain = |value: &Value| values::plain(&data_type, value);
            let reason = match (&ours, &theirs) {
                (Ok(ours), Ok(theirs)) if plain(ours) == plain(theirs) => continue,
                (Err(_), Err(_)) => continue,
                (Err(_), Ok(theirs)) if sent.as_ref().map(plain) != Some(plain(theirs)) => {
                    *reasons.entry("stored changed").or_default() += 1;
                    continue;
                }
                (Ok(_), _) => taken_otherwise(&data_type, text, &theirs),
                (Err(_), Ok(_)) => refused(&data_type, text),
            };
            match reason {
                Some(reason) => *reasons.entry(reason).or_default() += 1,
                None => {
                    differences.insert(format!("{}: {text}: ours {ours:?}, theirs {theirs:?}", case.data_type));
                }
            }
        }
    }
    eprintln!("{reasons:#?}");
    let differences: Vec<String> = differences.into_iter().collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// Hostile texts, and random values of the type with something changed.
fn texts(data_type: &DataType, random: &mut Random) -> Vec<String> {
    let mut texts: Vec<String> = HOSTILE.iter().chain(&HOSTILE_NESTED).map(|text| (*text).to_owned()).collect();
    for _ in 0..20 {
        let value = values::value(data_type, random).to_string();
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
async fn theirs(stage: &Stage, case: &Case, text: &str) -> Result<Value, String> {
    let quoted = moose_runtime::schema::quote_string(&format!("{{\"value\":{text}}}"));
    let structure = moose_runtime::schema::quote_string(&format!("value {}", case.data_type));
    let query = format!(
        "SELECT value FROM format(JSONEachRow, {structure}, {quoted}) SETTINGS {STRICT}, {PRINTED} FORMAT JSONEachRow"
    );
    let answer = http::try_sql(&stage.url(), &query).await;
    let text = answer.text();
    match serde_json::from_str::<Value>(&text) {
        Ok(mut row) if answer.status == 200 => Ok(row["value"].take()),
        _ => Err(text),
    }
}
