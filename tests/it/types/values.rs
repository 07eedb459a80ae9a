//! Random values of a type as JSON, written as ClickHouse prints them, and what makes two such values equal.

use moose_runtime::internal::schema::DataType;
use moose_tests::random::Random;
use serde_json::{Map, Value, json};

/// Characters that are easily written or read wrongly.
const CHARACTERS: [char; 16] =
    ['a', 'B', '7', ' ', '\'', '"', '\\', '/', '\n', '\t', '\0', '\u{7f}', 'é', '\u{2028}', '\u{1f980}', '\u{10ffff}'];

/// A random value of a type.
pub(super) fn value(data_type: &DataType, random: &mut Random) -> Value {
    match data_type {
        DataType::Nullable(inner) => optional(inner, random),
        DataType::LowCardinality(inner) | DataType::SimpleAggregateFunction { data_type: inner, .. } => {
            value(inner, random)
        }
        DataType::Array(inner) => Value::Array(several(random, |random| value(inner, random))),
        DataType::Map(key, of) => {
            let entries = several(random, |random| (text_of(&value(key, random)), value(of, random)));
            Value::Object(entries.into_iter().collect())
        }
        DataType::Tuple(elements) => elements.iter().map(|element| value(element, random)).collect(),
        DataType::NamedTuple(elements) => object(elements, random),
        DataType::Nested(elements) => Value::Array(several(random, |random| object(elements, random))),
        DataType::Variant(types) => {
            let chosen = usize::try_from(random.below(types.len() as u64 + 1)).expect("a small number");
            types.get(chosen).map_or(Value::Null, |chosen| value(chosen, random))
        }
        DataType::Dynamic { .. } => {
            let chosen = [DataType::Bool, DataType::Int64, DataType::UInt64, DataType::Float64, DataType::String];
            let place = usize::try_from(random.below(6)).expect("a small number");
            chosen.get(place).map_or(Value::Null, |chosen| value(chosen, random))
        }
        DataType::Json(options) => json_object(&options.paths, random),
        DataType::Point => json!([float(random), float(random)]),
        DataType::Ring | DataType::LineString => value(&DataType::Array(Box::new(DataType::Point)), random),
        DataType::Polygon | DataType::MultiLineString => value(&DataType::Array(Box::new(DataType::Ring)), random),
        DataType::MultiPolygon => value(&DataType::Array(Box::new(DataType::Polygon)), random),
        scalar => self::scalar(scalar, random),
    }
}

fn optional(inner: &DataType, random: &mut Random) -> Value {
    if random.below(3) == 0 { Value::Null } else { value(inner, random) }
}

fn several<T>(random: &mut Random, mut make: impl FnMut(&mut Random) -> T) -> Vec<T> {
    let count = random.below(4);
    (0..count).map(|_| make(random)).collect()
}

fn object(elements: &[(String, DataType)], random: &mut Random) -> Value {
    let fields: Map<String, Value> =
        elements.iter().map(|(name, element)| (name.clone(), value(element, random))).collect();
    Value::Object(fields)
}

/// An object of `JSON`: values of the paths that have a type, and others.
fn json_object(paths: &[(String, DataType)], random: &mut Random) -> Value {
    let mut object = Map::new();
    for name in ["k", "é \"`", "l", "m"] {
        let value = match random.below(7) {
            0 => json!(random.below(u64::MAX)),
            1 => float(random).as_f64().map_or(Value::Null, |number| json!(number + 0.25)),
            2 => json!(text(random, 5)),
            3 => json!(random.below(2) == 0),
            4 => json!(several(random, |random| text(random, 3))),
            5 => json!({"x": {"y": random.below(9)}, "z": text(random, 2)}),
            _ => json!([{"x": 1}, {"y": [[1, 2], []]}]),
        };
        if random.below(3) > 0 {
            object.insert(name.to_owned(), value);
        }
    }
    for (path, data_type) in paths {
        let value = value(data_type, random);
        let nested = path.rsplit('.').fold(value, |value, name| json!({name: value}));
        if let Value::Object(nested) = nested {
            object.extend(nested);
        }
    }
    Value::Object(object)
}

fn scalar(data_type: &DataType, random: &mut Random) -> Value {
    let bits = random.below(u64::MAX);
    match data_type {
        DataType::String => Value::String(text(random, 6)),
        DataType::FixedString(bytes) => {
            let letters = (0..*bytes).map(|_| char::from(b'a' + u8::try_from(random.below(26)).expect("a letter")));
            Value::String(letters.collect())
        }
        DataType::Bool => json!(bits.is_multiple_of(2)),
        DataType::Int8 => json!(truncated::<8>(random)),
        DataType::Int16 => json!(truncated::<16>(random)),
        DataType::Int32 => json!(truncated::<32>(random)),
        DataType::Int64 => json!(truncated::<64>(random)),
        DataType::UInt8 => json!(bits >> 56),
        DataType::UInt16 => json!(bits >> 48),
        DataType::UInt32 => json!(bits >> 32),
        DataType::UInt64 => json!(bits),
        DataType::Int128 => json!((i128::from(bits.cast_signed()) << 64 | i128::from(bits)).to_string()),
        DataType::UInt128 => json!((u128::from(bits) << 64 | u128::from(!bits)).to_string()),
        DataType::Int256 => json!(format!("{}{}", if bits.is_multiple_of(2) { "-" } else { "" }, digits(random, 76))),
        DataType::UInt256 => json!(digits(random, 77)),
        // What 16 bits hold exactly.
        DataType::BFloat16 => json!(f64::from(u32::try_from(bits % 256).expect("small")) / 16.0),
        DataType::Float32 => json!(f64::from(u32::try_from(bits % 16_777_216).expect("small")) / 1024.0),
        DataType::Float64 => float(random),
        DataType::Decimal { precision, scale } => decimal(*precision, *scale, random),
        DataType::Date => json!(date(bits % 65_536, 0)),
        DataType::Date32 => json!(date(bits % 146_097, -25_567)),
        DataType::Time => json!(clock(bits % 86_400)),
        DataType::Time64 { precision } => json!(format!("{}{}", clock(bits % 86_400), fraction(*precision, random))),
        DataType::DateTime { .. } => json!(format!("{}T{}Z", date(bits % 49_710, 0), clock(bits % 86_400))),
        DataType::DateTime64 { precision, .. } => {
            // With nanoseconds 64 bits end in 2262.
            let days = if *precision == 9 { 132_000 } else { 146_097 };
            let (day, time) = (date(bits % days, -25_567), clock(random.below(86_400)));
            json!(format!("{day}T{time}{}Z", fraction(*precision, random)))
        }
        DataType::Uuid => json!(uuid::Uuid::from_u64_pair(bits, random.below(u64::MAX)).to_string()),
        DataType::Ipv4 => json!(std::net::Ipv4Addr::from_bits(u32::try_from(bits >> 32).expect("32 bits")).to_string()),
        DataType::Ipv6 => json!(std::net::Ipv6Addr::from_bits(u128::from(bits) << 40 | 1 << 120).to_string()),
        DataType::Enum8(labels) | DataType::Enum16(labels) => {
            json!(labels[usize::try_from(bits % labels.len() as u64).expect("a small number")].0)
        }
        other => panic!("no value of {other}"),
    }
}

/// A signed number of so many bits.
fn truncated<const BITS: u32>(random: &mut Random) -> i64 {
    random.below(u64::MAX).cast_signed() >> (64 - BITS)
}

pub(super) fn text(random: &mut Random, most: u64) -> String {
    let length = random.below(most + 1);
    let mut text = String::new();
    for _ in 0..length {
        let chosen = random.below(CHARACTERS.len() as u64);
        text.push(CHARACTERS[usize::try_from(chosen).expect("a small number")]);
    }
    text
}

fn digits(random: &mut Random, most: u64) -> String {
    let count = 1 + random.below(most - 1);
    let mut text: String =
        (0..count).map(|_| char::from(b'0' + u8::try_from(random.below(10)).expect("a digit"))).collect();
    text.insert(0, '1');
    text.truncate(usize::try_from(count).expect("a small number"));
    text
}

fn float(random: &mut Random) -> Value {
    json!(f64::from(i32::try_from(random.below(1 << 31)).expect("31 bits") - (1 << 30)) / 65_536.0)
}

fn decimal(precision: u8, scale: u8, random: &mut Random) -> Value {
    let (whole, after) = (precision - scale, scale);
    let whole = if whole == 0 { "0".to_owned() } else { digits(random, u64::from(whole) + 1) };
    let whole = whole.get(..whole.len().min(usize::from(precision - scale).max(1))).unwrap_or("0").to_owned();
    let after = if after == 0 { String::new() } else { format!(".{}", digits(random, u64::from(after) + 1)) };
    let after = after.get(..after.len().min(usize::from(scale) + 1)).unwrap_or_default();
    let sign = if random.below(2) == 0 { "-" } else { "" };
    json!(format!("{sign}{whole}{after}"))
}

fn date(days: u64, from: i64) -> String {
    let day = chrono::NaiveDate::default() + chrono::TimeDelta::days(days.cast_signed() + from);
    day.to_string()
}

fn clock(seconds: u64) -> String {
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

fn fraction(precision: u8, random: &mut Random) -> String {
    if precision == 0 {
        return String::new();
    }
    let digits = random.below(10_u64.pow(u32::from(precision)));
    format!(".{digits:0width$}", width = usize::from(precision))
}

/// The key of a map that a value is.
fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A value without what is only its way to be written: numbers in strings, zeros at an end, the order of a map.
pub(super) fn plain(data_type: &DataType, value: &Value) -> Value {
    match (data_type, value) {
        (_, Value::Null) => Value::Null,
        (
            DataType::Nullable(inner)
            | DataType::LowCardinality(inner)
            | DataType::SimpleAggregateFunction { data_type: inner, .. },
            value,
        ) => plain(inner, value),
        (DataType::Array(inner), Value::Array(elements)) => {
            elements.iter().map(|element| plain(inner, element)).collect()
        }
        (DataType::Map(_, inner), Value::Object(entries)) => {
            Value::Object(entries.iter().map(|(key, value)| (key.clone(), plain(inner, value))).collect())
        }
        (DataType::Tuple(types), Value::Array(elements)) if types.len() == elements.len() => {
            types.iter().zip(elements).map(|(inner, element)| plain(inner, element)).collect()
        }
        (DataType::NamedTuple(types), Value::Object(fields)) => {
            let field = |name: &String| fields.get(name).unwrap_or(&Value::Null);
            let plain_field = |(name, inner): &(String, DataType)| (name.clone(), plain(inner, field(name)));
            Value::Object(types.iter().map(plain_field).collect())
        }
        (DataType::Nested(types), value) => {
            plain(&DataType::Array(Box::new(DataType::NamedTuple(types.clone()))), value)
        }
        (DataType::Variant(_) | DataType::Json(_) | DataType::Dynamic { .. }, value) => without_quotes(value),
        (DataType::Decimal { .. }, value) => json!(plain_decimal(&text_of(value))),
        (DataType::Float64, Value::Number(number)) => json!(number.as_f64()),
        (DataType::Float32 | DataType::BFloat16, Value::Number(number)) => json!(single(number.as_f64())),
        (
            DataType::Point
            | DataType::Ring
            | DataType::LineString
            | DataType::Polygon
            | DataType::MultiLineString
            | DataType::MultiPolygon,
            value,
        ) => floats(value),
        (_, Value::Number(number)) => json!(number.to_string()),
        (_, other) => other.clone(),
    }
}

/// Numbers of any depth as their texts.
fn without_quotes(value: &Value) -> Value {
    match value {
        Value::Array(elements) => elements.iter().map(without_quotes).collect(),
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(name, value)| (name.clone(), without_quotes(value))).collect())
        }
        Value::Number(number) => json!(number.to_string()),
        other => other.clone(),
    }
}

/// The text of the nearest number of 32 bits.
#[expect(clippy::cast_possible_truncation, reason = "what the column does")]
fn single(number: Option<f64>) -> String {
    number.map_or_else(String::new, |number| (number as f32).to_string())
}

fn floats(value: &Value) -> Value {
    match value {
        Value::Array(elements) => elements.iter().map(floats).collect(),
        Value::Number(number) => json!(number.as_f64()),
        other => other.clone(),
    }
}

/// Without zeros at the end, and without the sign of zero.
fn plain_decimal(text: &str) -> String {
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let has_fraction = text.split_once('.').is_some_and(|(_, after)| are_digits(after));
    let text = if has_fraction { text.trim_end_matches('0').trim_end_matches('.') } else { text };
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}
