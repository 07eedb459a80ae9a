//! Tests that types and their texts correspond one to one, and that no text breaks the parser.

use proptest::prelude::*;

use super::{parse::DEEPEST, *};

fn name() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z_][a-z0-9_]{0,5}", "[a-z]{2}\\.[a-z]", "[ -~]{1,6}", "\\PC{1,4}"]
}

fn labels() -> impl Strategy<Value = Vec<(String, i16)>> {
    prop::collection::btree_map(any::<i16>(), "\\PC{0,6}", 1..5)
        .prop_map(|labels| labels.into_iter().map(|(value, label)| (label, value)).collect())
}

fn with_values() -> impl Strategy<Value = DataType> {
    let timezone = || prop::option::of("[A-Z][a-z]{2,8}(/[A-Z][a-z_]{2,8})?");
    prop_oneof![
        (1_u32..1000).prop_map(DataType::FixedString),
        (1_u8..77, 0_u8..77)
            .prop_map(|(precision, scale)| DataType::Decimal { precision, scale: scale.min(precision) }),
        (0_u8..10).prop_map(|precision| DataType::Time64 { precision }),
        timezone().prop_map(|timezone| DataType::DateTime { timezone }),
        (0_u8..10, timezone()).prop_map(|(precision, timezone)| DataType::DateTime64 { precision, timezone }),
        labels().prop_map(DataType::Enum8),
        labels().prop_map(DataType::Enum16),
        prop::option::of(any::<u32>()).prop_map(|max_types| DataType::Dynamic { max_types }),
        prop::sample::select(vec!["AggregateFunction(uniq, String)", "IntervalDay", "QBit(Float32, 16)"])
            .prop_map(|text| DataType::Other(text.to_owned())),
    ]
}

fn json(inner: impl Strategy<Value = DataType>) -> impl Strategy<Value = DataType> {
    let paths = prop::collection::btree_map(name(), inner, 0..3);
    let texts = || prop::collection::btree_set(name(), 0..3);
    (any::<Option<u32>>(), any::<Option<u32>>(), paths, texts(), texts()).prop_map(
        |(max_dynamic_types, max_dynamic_paths, paths, skips, skip_regexps)| {
            DataType::json(JsonOptions {
                max_dynamic_types,
                max_dynamic_paths,
                paths: paths.into_iter().collect(),
                skips: skips.into_iter().collect(),
                skip_regexps: skip_regexps.into_iter().collect(),
            })
        },
    )
}

fn any_type() -> impl Strategy<Value = DataType> {
    let plain = prop::sample::select(PLAIN.iter().map(|(data_type, _)| data_type.clone()).collect::<Vec<_>>());
    prop_oneof![4 => plain, 4 => with_values()].prop_recursive(4, 24, 3, |inner| {
        let boxed = inner.clone().prop_map(Box::new);
        let named = || prop::collection::vec((name(), inner.clone()), 1..4);
        prop_oneof![
            boxed.clone().prop_map(DataType::Nullable),
            boxed.clone().prop_map(DataType::Array),
            boxed.clone().prop_map(DataType::LowCardinality),
            (boxed.clone(), boxed.clone()).prop_map(|(key, value)| DataType::Map(key, value)),
            prop::collection::vec(inner.clone(), 0..4).prop_map(DataType::Tuple),
            named().prop_map(DataType::NamedTuple),
            named().prop_map(DataType::Nested),
            prop::collection::vec(inner.clone(), 1..4).prop_map(DataType::variant),
            ("[a-z]{3}(\\([0-9]\\))?", boxed)
                .prop_map(|(function, data_type)| DataType::SimpleAggregateFunction { function, data_type }),
            json(inner.clone()),
        ]
    })
}

proptest! {
    // Types are expensive to generate.
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_printed_type_parses_to_itself(data_type in any_type()) {
        prop_assert_eq!(data_type.to_string().parse::<DataType>(), Ok(data_type.clone()));
        let json = serde_json::to_string(&data_type).unwrap();
        prop_assert_eq!(serde_json::from_str::<DataType>(&json).unwrap(), data_type);
    }

    #[test]
    fn no_text_breaks_the_parser(
        text in "[A-Za-z0-9()',` =\\\\]{0,60}",
        name in prop::sample::select(vec!["", "JSON", "Tuple", "Enum8", "Decimal", "Variant", "Map", "DateTime64"]),
    ) {
        for text in [format!("{name}({text})"), text] {
            if let Ok(data_type) = text.parse::<DataType>() {
                prop_assert_eq!(data_type.to_string().parse::<DataType>(), Ok(data_type));
            }
        }
    }
}

/// Texts printed by a server; tests with the engine check that it still prints them.
#[test]
fn types_print_as_the_server_writes_them() {
    for text in [
        "Enum8('\\n\\t\\\\' = -3, 'a' = 1, 'b\\'x' = 5)",
        "Variant(Array(UInt8), String, UInt64)",
        "Dynamic(max_types=4)",
        "JSON",
        "JSON(max_dynamic_types=4, max_dynamic_paths=8, `a.b` UInt32, `x y` String, SKIP `c.d`, SKIP REGEXP 'a.*\\'b')",
        "Tuple(a String, `b c` UInt8, `select` UInt8, `table` UInt8, `distinct` UInt8, `all` UInt8, `1a` Int8, true Int8)",
        "Tuple(String, UInt8)",
        "Map(String, Array(UInt8))",
        "DateTime",
        "DateTime('UTC')",
        "DateTime64(6, 'Europe/Berlin')",
        "Decimal(76, 10)",
        "SimpleAggregateFunction(groupUniqArrayArray, Array(String))",
        "Array(LowCardinality(Nullable(String)))",
        "Tuple(k Nested(a UInt8))",
    ] {
        let parsed: DataType = text.parse().unwrap();
        assert!(!matches!(parsed, DataType::Other(_)), "{text}");
        assert_eq!(parsed.to_string(), text);
    }
}

#[test]
fn another_spelling_is_the_same_type() {
    for (text, printed) in [
        (" Array( Nullable(DateTime64( 3,'Europe/Berlin')) ) ", "Array(Nullable(DateTime64(3, 'Europe/Berlin')))"),
        ("Decimal32(3)", "Decimal(9, 3)"),
        ("Decimal(5)", "Decimal(5, 0)"),
        ("DateTime64", "DateTime64(3)"),
        ("Enum8('b' = 2, 'a''' = -1)", "Enum8('a\\'' = -1, 'b' = 2)"),
        ("Variant(UInt64, String)", "Variant(String, UInt64)"),
        ("Tuple(`a` String)", "Tuple(a String)"),
    ] {
        assert_eq!(text.parse::<DataType>().unwrap().to_string(), printed);
    }
}

#[test]
fn what_is_not_known_keeps_its_text() {
    for text in ["DateTime64(12)", "Decimal(77, 0)", "Decimal(5, 6)", "Enum8('a')", "FixedString(0)", "Nothing"] {
        assert_eq!(text.parse(), Ok(DataType::Other(text.to_owned())));
        let array = format!("Array({text})");
        assert_eq!(array.parse(), Ok(DataType::Array(Box::new(DataType::Other(text.to_owned())))));
    }
}

#[test]
fn what_is_no_type_is_an_error() {
    let unbalanced = |text: &str| Err(DataTypeError::Unbalanced { text: text.to_owned() });
    for text in ["Array(String", "String)", ")(", "Enum8('a = 1)"] {
        assert_eq!(text.parse::<DataType>(), unbalanced(text), "{text}");
    }
    assert_eq!("".parse::<DataType>(), Err(DataTypeError::Empty));
    assert_eq!("Array()".parse::<DataType>(), Err(DataTypeError::Empty));
    for (open, close) in [("Array(", ")"), ("Tuple(a ", ")"), ("JSON(a ", ")"), ("Map(String, ", ")")] {
        let deep = format!("{}String{}", open.repeat(2_000), close.repeat(2_000));
        assert_eq!(deep.parse::<DataType>(), Err(DataTypeError::TooDeep { most: DEEPEST }));
    }
}
