//! What we take of JSON, compared with what ClickHouse's own `JSONEachRow` takes of the same text.
//!
//! Two rules, and a list of exceptions to each with its reason:
//! - what we take is stored as ClickHouse would store it;
//! - what ClickHouse would store and print again just as it was sent, we take.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use moose_runtime::internal::schema::{DataType, quote_string};
use moose_tests::{http, is_full, random::Random};
use serde::de::IgnoredAny;
use serde_json::Value;

use super::{
    Case, PRINTED, catalogue, document,
    hostile::{hostile, is_flat},
    record, values,
};
use crate::stage::Stage;

/// ClickHouse's reader without what makes it guess: a number is no text, a boolean no number, NULL no default.
const STRICT: &str = "input_format_json_read_bools_as_numbers = 0, input_format_json_read_bools_as_strings = 0, \
     input_format_json_read_numbers_as_strings = 0, input_format_json_read_objects_as_strings = 0, \
     input_format_json_read_arrays_as_strings = 0, input_format_null_as_default = 0, \
     input_format_json_defaults_for_missing_elements_in_named_tuple = 0, input_format_defaults_for_omitted_fields = 0, \
     precise_float_parsing = 1";

const RFC_3339: &str = "a timestamp is RFC 3339, as JSON's are everywhere; ClickHouse's basic reader takes no zone, and its \
     `best_effort` stores the same";
const MISSING: &str = "an optional field of a struct may be missing, as in serde";
const VARIANT: &str = "a value goes to the first variant, as the enum has them, that takes it; ClickHouse has an order of its \
     own, in which 0 and 1 are booleans and an empty string is 0";
const DYNAMIC: &str = "a string in `Dynamic` stays one, though it looks like a date, and NULL is NULL";
const ZERO: &str = "a zero is zero, whatever its exponent";
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
const REASONS: [&str; 15] = [
    RFC_3339,
    MISSING,
    VARIANT,
    DYNAMIC,
    ZERO,
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
    } else if holds("Decimal") {
        let mantissa = text.trim_matches('"').split(['e', 'E']).next();
        mantissa.is_some_and(|mantissa| mantissa.bytes().all(|byte| b"-0.".contains(&byte))).then_some(ZERO)
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
        let theirs_basic = theirs(&stage, case, &texts, "basic").await;
        let has_timestamps = case.data_type.contains("DateTime");
        let theirs_best_effort =
            if has_timestamps { theirs(&stage, case, &texts, "best_effort").await } else { theirs_basic.clone() };
        for (at, (text, ours)) in texts.iter().zip(ours).enumerate() {
            let theirs = &theirs_basic[at];
            let Some(found) = difference(&data_type, text, &ours, theirs) else { continue };
            let reason = match found {
                Difference::Refused => refused(case.data_type, text, ours.as_ref().err().map_or("", String::as_str)),
                Difference::Taken => {
                    let is_same = difference(&data_type, text, &ours, &theirs_best_effort[at]).is_none();
                    if is_same && case.data_type.contains("DateTime") {
                        Some(RFC_3339)
                    } else {
                        taken_otherwise(case.data_type, text)
                    }
                }
            };
            let [ours, theirs] = [told(&ours), told(theirs)];
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
            let sent = sent(data_type, text);
            (sent.as_ref().map(plain) == Some(plain(theirs))).then_some(Difference::Refused)
        }
        (Err(_), Err(_)) => None,
    }
}

/// The value that a text gives: the digits of a decimal as they stand, which a float has lost.
fn sent(data_type: &DataType, text: &str) -> Option<Value> {
    let is_number = text.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    match data_type {
        DataType::Decimal { .. } | DataType::Nullable(_) if is_number => Some(Value::from(text)),
        _ => serde_json::from_str(text).ok(),
    }
}

/// Random values of the type, as they are and with something changed.
fn scattered(case: &Case, random: &mut Random) -> Vec<String> {
    let count = if is_full() { 100 } else { 5 };
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

/// What `JSONEachRow` makes of each text. One query reads many, each on a line of its own: a line that is refused is left
/// out. What is not JSON would take the next line with it, and of a value in a value, or one that may be NULL, a part would
/// stay in ClickHouse's columns: those are asked for alone.
async fn theirs(stage: &Stage, case: &Case, texts: &[String], times: &str) -> Vec<Result<Value, String>> {
    let data_type = case.parsed();
    let leaves_nothing = is_flat(&data_type) && !case.data_type.contains("Nullable");
    let (mut together, mut alone) = (Vec::new(), Vec::new());
    for (id, text) in texts.iter().enumerate() {
        if leaves_nothing && serde_json::from_str::<IgnoredAny>(text).is_ok() {
            together.push(id);
        } else if sent(&data_type, text).is_some() {
            alone.push(vec![id]);
        }
    }
    let mut found: Vec<Result<Value, String>> = vec![Err("refused".to_owned()); texts.len()];
    let mut asked = alone;
    asked.push(together);
    while let Some(ids) = asked.pop() {
        let lines: Vec<String> = ids.iter().map(|id| record(*id, &texts[*id])).collect();
        let Some(rows) = read_by_clickhouse(stage, case, &lines.join("\n"), times).await else {
            // Some values are refused with all that is there.
            let (first, second) = ids.split_at(ids.len() / 2);
            asked.extend([first, second].into_iter().filter(|_| ids.len() > 1).map(<[usize]>::to_vec));
            continue;
        };
        for mut row in rows {
            let id = row["id"].as_u64().and_then(|id| usize::try_from(id).ok()).expect("the number of a text");
            found[id] = Ok(row["value"].take());
        }
    }
    found
}

/// The lines that `JSONEachRow` takes, if it does not give up.
async fn read_by_clickhouse(stage: &Stage, case: &Case, lines: &str, times: &str) -> Option<Vec<Value>> {
    // `Nested` is taken apart by the reader: what it is here is a list of tuples.
    let data_type = match case.data_type.strip_prefix("Nested(") {
        Some(elements) => format!("Array(Tuple({elements})"),
        None => case.data_type.to_owned(),
    };
    let (structure, quoted) = (quote_string(&format!("id UInt32, value {data_type}")), quote_string(lines));
    let query = format!(
        "SELECT id, value FROM format(JSONEachRow, {structure}, {quoted}) SETTINGS {STRICT}, {PRINTED}, \
         input_format_allow_errors_num = 1000000, date_time_input_format = '{times}' FORMAT JSONEachRow"
    );
    let answer = http::try_sql(&stage.url(), &query).await;
    let rows = (answer.status == 200).then(|| answer.text())?;
    Some(rows.lines().map(|row| serde_json::from_str(row).expect("JSON")).collect())
}
