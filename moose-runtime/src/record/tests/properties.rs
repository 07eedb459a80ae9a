//! Property tests: a failed append leaves nothing, what goes in comes out, and the bytes depend on the rows alone.

use proptest::prelude::*;

use super::{
    reader::{Value, read},
    *,
};

fn instant() -> impl Strategy<Value = DateTime<Utc>> {
    (-2_208_988_800_i64..9_223_372_036, 0_u32..1_000_000_000)
        .prop_map(|(seconds, nanoseconds)| DateTime::from_timestamp(seconds, nanoseconds).unwrap())
}

fn day() -> impl Strategy<Value = NaiveDate> {
    (0_i64..146_097).prop_map(|days| NaiveDate::from_ymd_opt(1900, 1, 1).unwrap() + chrono::TimeDelta::days(days))
}

fn kind() -> impl Strategy<Value = String> {
    prop_oneof!["", "[a-e]{1,2}", "[a-zé\"\\\\]{0,200}"]
}

prop_compose! {
    fn numbers()(
        flag: bool, tiny: i8, small: i16, medium: i32, large: i64, unsigned_tiny: u8, unsigned_small: u16,
        unsigned_medium: u32, unsigned_large: u64, single in proptest::num::f32::NORMAL, double in proptest::num::f64::NORMAL,
    ) -> Everything {
        Everything {
            flag, tiny, small, medium, large, unsigned_tiny, unsigned_small, unsigned_medium, unsigned_large, single,
            double, ..Everything::default()
        }
    }
}

prop_compose! {
    fn everything()(
        numbers in numbers(), text in kind(), boxed in kind(), day in day(), instants in [instant(), instant(), instant()],
        id: u128, kinds in [kind(), kind()], nulls: [bool; 3], tags in prop::collection::vec(kind(), 0..4),
        maybe_numbers in prop::collection::vec(any::<Option<u16>>(), 0..4),
        nested in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3), 0..3),
        maybe_kinds in prop::collection::vec(prop::option::of(kind()), 0..4),
    ) -> Everything {
        let [instant, exact, maybe_instant] = instants;
        let [kind, maybe_kind] = kinds;
        Everything {
            text, boxed: boxed.into(), day, instant, exact, id: Uuid::from_u128(id), kind,
            maybe_kind: nulls[0].then_some(maybe_kind), maybe: nulls[1].then_some(numbers.medium),
            maybe_instant: nulls[2].then_some(maybe_instant), kinds: tags.clone(), tags, maybe_numbers, nested,
            maybe_kinds, ..numbers
        }
    }
}

/// The record as JSON, with all digits of its timestamps.
fn json(record: &Everything) -> String {
    let exactly = |instant: &DateTime<Utc>| instant.to_rfc3339_opts(chrono::SecondsFormat::Nanos, true);
    serde_json::json!({
        "text": record.text, "boxed": record.boxed, "flag": record.flag, "tiny": record.tiny, "small": record.small,
        "medium": record.medium, "large": record.large, "unsignedTiny": record.unsigned_tiny,
        "unsignedSmall": record.unsigned_small, "unsignedMedium": record.unsigned_medium,
        "unsignedLarge": record.unsigned_large, "single": record.single, "double": record.double,
        "day": record.day.to_string(), "instant": exactly(&record.instant), "exact": exactly(&record.exact),
        "id": record.id.to_string(), "kind": record.kind, "maybeKind": record.maybe_kind, "maybe": record.maybe,
        "maybeInstant": record.maybe_instant.as_ref().map(exactly), "tags": record.tags,
        "maybeNumbers": record.maybe_numbers, "kinds": record.kinds, "nested": record.nested,
        "maybeKinds": record.maybe_kinds,
    })
    .to_string()
}

/// The expected values, in column order.
fn values(record: &Everything) -> Vec<Value> {
    let bytes = |bytes: &[u8]| Value::Bytes(bytes.to_vec());
    let optional = |text: &Option<String>| text.as_deref().map_or(Value::Null, Value::text);
    let id = record.id.as_u64_pair();
    let since_1970 = record.day - NaiveDate::default();
    vec![
        Value::text(&record.text),
        Value::text(&record.boxed),
        bytes(&[u8::from(record.flag)]),
        bytes(&record.tiny.to_le_bytes()),
        bytes(&record.small.to_le_bytes()),
        bytes(&record.medium.to_le_bytes()),
        bytes(&record.large.to_le_bytes()),
        bytes(&record.unsigned_tiny.to_le_bytes()),
        bytes(&record.unsigned_small.to_le_bytes()),
        bytes(&record.unsigned_medium.to_le_bytes()),
        bytes(&record.unsigned_large.to_le_bytes()),
        bytes(&record.single.to_le_bytes()),
        bytes(&record.double.to_le_bytes()),
        bytes(&i32::try_from(since_1970.num_days()).unwrap().to_le_bytes()),
        bytes(&record.instant.timestamp_millis().to_le_bytes()),
        bytes(&record.exact.timestamp_nanos_opt().unwrap().to_le_bytes()),
        bytes(&[id.0.to_le_bytes(), id.1.to_le_bytes()].concat()),
        Value::text(&record.kind),
        optional(&record.maybe_kind),
        record.maybe.map_or(Value::Null, |number| bytes(&number.to_le_bytes())),
        record.maybe_instant.map_or(Value::Null, |instant| bytes(&instant.timestamp().to_le_bytes())),
        Value::Array(record.tags.iter().map(|tag| Value::text(tag)).collect()),
        Value::Array(
            record
                .maybe_numbers
                .iter()
                .map(|number| number.map_or(Value::Null, |number| bytes(&number.to_le_bytes())))
                .collect(),
        ),
        Value::Array(record.kinds.iter().map(|kind| Value::text(kind)).collect()),
        Value::Array(
            record.nested.iter().map(|row| Value::Array(row.iter().map(|byte| bytes(&[*byte])).collect())).collect(),
        ),
        Value::Array(record.maybe_kinds.iter().map(optional).collect()),
    ]
}

/// A record with an error at a random place: truncated, or a value replaced by one that no column accepts.
fn damaged(record: &Everything, place: prop::sample::Index, cut: bool) -> String {
    let text = json(record);
    if cut {
        let end = text.floor_char_boundary(place.index(text.len()));
        return text[..end].to_owned();
    }
    let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let field = value.as_object_mut().unwrap().values_mut().nth(place.index(26)).unwrap();
    match field {
        serde_json::Value::Array(elements) => elements.push(serde_json::json!({})),
        field => *field = serde_json::json!([{}]),
    }
    value.to_string()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn what_goes_in_comes_out(records in prop::collection::vec(everything(), 0..12)) {
        let mut from_json = Batch::<Everything>::new();
        let mut from_values = Batch::<Everything>::new();
        for record in &records {
            prop_assert_eq!(decode(&mut from_json, &[&json(record)]), []);
            from_values.append(record).unwrap();
        }
        prop_assert_eq!(block(&from_json), block(&from_values));
        let columns = read(&block(&from_json));
        let rows: Vec<Vec<Value>> = records.iter().map(values).collect();
        for (place, column) in columns.iter().enumerate() {
            prop_assert_eq!(&*column.name, from_json.columns()[place].name);
            let expected: Vec<Value> = rows.iter().map(|row| row[place].clone()).collect();
            prop_assert_eq!(&column.values, &expected, "{}", column.name);
        }
    }

    #[test]
    fn a_failure_at_any_point_is_as_if_it_had_never_been(
        records in prop::collection::vec((everything(), everything(), any::<prop::sample::Index>(), any::<bool>()), 1..8),
    ) {
        let mut clean = Batch::<Everything>::new();
        let mut disturbed = Batch::<Everything>::new();
        for (record, broken, place, cut) in &records {
            let broken = damaged(broken, *place, *cut);
            prop_assert_eq!(decode(&mut disturbed, &[&broken, &json(record)]).len(), 1);
            prop_assert_eq!(decode(&mut clean, &[&json(record)]), []);
            prop_assert_eq!(disturbed.byte_size(), clean.byte_size());
        }
        prop_assert_eq!(block(&disturbed), block(&clean));
    }

    #[test]
    fn truncated_rows_leave_nothing(
        kept in prop::collection::vec(everything(), 0..4), gone in prop::collection::vec(everything(), 0..4),
        later in prop::collection::vec(everything(), 0..4),
    ) {
        let mut clean = Batch::<Everything>::new();
        let mut disturbed = Batch::<Everything>::new();
        for record in kept.iter().chain(&gone) {
            disturbed.append(record).unwrap();
        }
        disturbed.truncate(kept.len());
        for record in &later {
            disturbed.append(record).unwrap();
        }
        for record in kept.iter().chain(&later) {
            clean.append(record).unwrap();
        }
        prop_assert_eq!(disturbed.byte_size(), clean.byte_size());
        prop_assert_eq!(block(&disturbed), block(&clean));
    }

    #[test]
    fn no_text_breaks_the_reader(record in prop_oneof!["\\PC{0,80}", "[\\[\\]{}\",:0-9a-z\\\\.-]{0,80}"]) {
        let mut batch = Batch::<Everything>::new();
        let rejected = decode(&mut batch, &[&record]);
        prop_assert_eq!(rejected.len(), 1);
        prop_assert!(!rejected[0].errors.is_empty());
    }
}
