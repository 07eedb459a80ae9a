//! Texts that one type or another may read wrongly.

use moose_runtime::internal::schema::DataType;

/// Scalars, and what looks like them.
const HOSTILE: [&str; 79] = [
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
    "0e400",
    "0.0e-400",
    "12345678.90",
    "0.001",
    "1.005",
    "\"\"",
    "\"0\"",
    "\"-1\"",
    "\"1.5\"",
    "\"1e2\"",
    "\"0e400\"",
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

/// The hostile texts for a type, in an order that is always the same: of those that are not of its kind only some.
pub(super) fn hostile(data_type: &DataType) -> Vec<String> {
    let takes_scalars = ["Variant", "Dynamic"].iter().any(|name| data_type.to_string().contains(name));
    let (scalars, nested) = if takes_scalars {
        (1, 1)
    } else if is_flat(data_type) {
        (1, 5)
    } else {
        (5, 1)
    };
    let some = |texts: &[&str], step: usize| -> Vec<String> {
        texts.iter().step_by(step).map(|text| (*text).to_owned()).collect()
    };
    [some(&HOSTILE, scalars), some(&HOSTILE_NESTED, nested)].concat()
}

/// Whether there is no value in a value.
pub(super) fn is_flat(data_type: &DataType) -> bool {
    let text = data_type.to_string();
    let values_in_values =
        ["Array", "Map", "Tuple", "Nested", "Variant", "Dynamic", "JSON", "Point", "Ring", "Line", "Polygon"];
    !values_in_values.iter().any(|name| text.contains(name))
}
