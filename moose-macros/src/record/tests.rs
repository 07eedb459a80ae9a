//! Snapshot tests of the derive: input and generated code side by side, one small record per feature.

use quote::ToTokens;

/// The input as it stands, and the code for it as rustfmt would have it.
fn expansion(input: &str) -> String {
    let record: syn::DeriveInput = syn::parse_str(input).unwrap();
    let expanded: syn::File = syn::parse2(super::derive(&record)).unwrap();
    format!("{}\n// --- becomes ---\n\n{}", input.trim(), prettyplease::unparse(&expanded))
}

/// The same for a type that stands in a record.
fn type_expansion(input: &str) -> String {
    let input_type: syn::DeriveInput = syn::parse_str(input).unwrap();
    let expanded: syn::File = syn::parse2(super::derive_type(&input_type)).unwrap();
    format!("{}\n// --- becomes ---\n\n{}", input.trim(), prettyplease::unparse(&expanded))
}

macro_rules! snapshot {
    ($name:ident, $input:expr) => {
        snapshot!($name, $input, expansion);
    };
    ($name:ident, $input:expr, $expansion:ident) => {
        #[test]
        fn $name() {
            insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
                insta::assert_snapshot!(stringify!($name), $expansion($input));
            });
        }
    };
}

snapshot!(
    a_record_with_a_key,
    r#"
/// One product event.
#[derive(OlapRecord)]
#[serde(rename_all = "camelCase")]
struct Event {
    #[key]
    id: String,
    /// Who did it.
    user_id: Option<String>,
}
"#
);

snapshot!(
    attributes_of_columns,
    r#"
#[derive(OlapRecord)]
struct Event {
    #[key]
    #[olap(low_cardinality, codec = "ZSTD(3)")]
    kind: String,
    #[olap(precision = 6, default = "now64(6)", rename = "time")]
    at: DateTime<Utc>,
    #[olap(column = colours::ColourColumn)]
    colour: Colour,
}
"#
);

snapshot!(
    fields_that_may_be_missing,
    r#"
#[derive(OlapRecord)]
#[olap(crate = "crate::renamed")]
#[serde(default, deny_unknown_fields)]
struct Event {
    #[key]
    #[serde(alias = "key", rename = "type")]
    r#type: String,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default = "five")]
    count: u8,
    #[serde(skip)]
    cache: Cache,
}
"#
);

snapshot!(
    columns_that_clickhouse_computes,
    r#"
/// One visit.
#[derive(OlapRecord)]
#[olap(dropped("old", "older"))]
struct Visit {
    #[key]
    id: String,
    #[olap(materialized = "toDate(at)", renamed_from = "date")]
    day: NaiveDate,
    #[olap(ttl = "at + INTERVAL 30 DAY", narrowed)]
    at: DateTime<Utc>,
    #[olap(ephemeral)]
    raw: String,
    #[olap(alias = "lower(id)")]
    shown: String,
}
"#
);

snapshot!(
    a_generic_record,
    r"
#[derive(OlapRecord)]
struct Measured<T: Copy, const N: usize>
where
    T: Unit,
{
    #[key]
    value: T,
}
"
);

snapshot!(
    mistakes_with_a_stub,
    r#"
#[derive(OlapRecord)]
struct Event<T> {
    #[olap(codex = "LZ4")]
    id: T,
}
"#
);

snapshot!(
    forms_of_types,
    r#"
#[derive(OlapRecord)]
struct Event {
    #[key]
    #[olap(fixed = 3, low_cardinality)]
    code: String,
    #[olap(compact, timezone = "Europe/Berlin")]
    at: DateTime<Utc>,
    #[olap(decimal(18, 4), aggregate = "sum")]
    amount: Decimal,
    #[olap(nested)]
    lines: Vec<Line>,
    #[olap(json(max_dynamic_paths = 8, path("a.b", u32), skip = "c"))]
    rest: Value,
}
"#
);

snapshot!(
    a_tuple_with_names,
    r#"
#[derive(OlapType)]
#[serde(rename_all = "camelCase")]
struct Pair<A> {
    the_one: A,
    #[serde(default)]
    other: u8,
}
"#,
    type_expansion
);

snapshot!(
    a_newtype,
    r"
#[derive(OlapType)]
struct Label<T>(#[olap(low_cardinality)] T);
",
    type_expansion
);

snapshot!(
    an_enum,
    r#"
#[derive(OlapType)]
#[serde(rename_all = "kebab-case")]
enum Colour {
    Red = 1,
    #[serde(alias = "green")]
    DarkGreen,
}
"#,
    type_expansion
);

snapshot!(
    an_enum_with_data,
    r"
#[derive(OlapType)]
#[serde(untagged)]
enum Reading<T> {
    Number(T),
    Text(#[olap(low_cardinality)] String),
    Missing,
}
",
    type_expansion
);

#[test]
fn no_type_stops_the_macro() {
    for input in [
        "struct S;",
        "struct S {}",
        "struct S();",
        "struct S(u8, u8);",
        "enum E {}",
        "union U { a: u8 }",
        "enum E { A { a: u8 } }",
        "enum E { A(u8, u8) }",
        "enum E { A, B, C(u8) }",
        "enum E { #[serde(rename = \"B\")] A, B }",
        "enum E { #[serde(flatten)] A }",
        "enum E { #[olap(codec = \"LZ4\")] A }",
        "#[serde(tag = \"t\")] enum E { A(u8) }",
        "#[olap(engine = \"x\")] enum E { A }",
        "enum E<T> { A }",
        "#[serde(untagged)] enum E { A }",
        "enum E { A() , B(u8) }",
        "enum E { #[olap(compact)] A(u8) }",
        "enum E { A(#[key] u8) }",
        "enum E { A(#[serde(default)] u8) }",
        "struct S { #[key] a: u8 }",
        "struct S { #[olap(codec = \"LZ4\")] a: u8 }",
        "struct S(#[olap(rename = \"x\")] u8);",
        "struct S(#[olap(compact, precision = 3)] u8);",
        "struct S(#[olap(column = A, decimal(1, 1))] u8);",
        "struct S(#[olap(decimal(77, 1))] u8);",
        "struct S(#[olap(decimal(3, 4))] u8);",
        "struct S(#[olap(decimal = 3)] u8);",
        "struct S(#[olap(fixed = 0)] u8);",
        "struct S(#[olap(fixed = 257)] u8);",
        "struct S(#[olap(timezone = \"it's\")] u8);",
        "struct S(#[olap(aggregate = \"smu\")] u8);",
        "struct S(#[olap(json)] u8);",
        "struct S(#[olap(json(path(\"a\")))] u8);",
        "struct S(#[olap(json(max_dynamic_types = 255))] u8);",
        "struct S(#[olap(json(path(\"a\", u8), path(\"a\", u8)))] u8);",
        "struct S(#[olap(json(skips = \"a\"))] u8);",
        "struct S<'a>(&'a str) where;",
    ] {
        let Ok(input_type) = syn::parse_str::<syn::DeriveInput>(input) else { panic!("{input}") };
        let expanded = super::derive_type(&input_type).to_token_stream().to_string();
        assert!(expanded.contains("compile_error"), "{input}: {expanded}");
    }
}

#[test]
fn an_enum_has_as_many_variants_as_16_bits_have_values() {
    let expanded = |count: usize| {
        let variants: Vec<String> = (0..count).map(|place| format!("V{place},")).collect();
        super::derive_type(&syn::parse_str(&format!("enum E {{ {} }}", variants.concat())).unwrap()).to_string()
    };
    assert!(expanded((1 << 16) + 1).contains("an enum has at most 65536 variants"));
    let counted = expanded(1 << 15);
    assert!(!counted.contains("compile_error") && !counted.contains("assert"), "counted from 0 they have 16 bits");
    assert!(expanded((1 << 15) + 1).contains("assert"), "the compiler looks at the last");
}

#[test]
fn no_input_stops_the_macro() {
    for input in [
        "struct S;",
        "struct S {}",
        "struct S(u8);",
        "enum E {}",
        "union U { a: u8 }",
        "struct S { #[olap] a: u8 }",
        "struct S { #[olap = \"x\"] a: u8 }",
        "struct S { #[olap(codec = )] a: u8 }",
        "struct S { #[olap(codec(\"x\"))] a: u8 }",
        "struct S { #[serde(default = 5)] a: u8 }",
        "struct S { #[serde(rename(deserialize))] a: u8 }",
        "struct S { #[serde(rename = \"\")] a: u8 }",
        "struct S { #[olap(column = \"String\")] a: u8 }",
        "struct S { #[olap(precision = 300)] #[key] a: u8 }",
        "struct S { #[key(1)] a: u8 }",
        "struct S { #[key] #[serde(skip)] a: u8 }",
        "#[key] struct S { a: u8 }",
        "#[olap(crate = \"1\")] struct S { #[key] a: u8 }",
        "#[olap(engine = \"x\")] struct S { #[key] a: u8 }",
        "#[serde(rename_all(serialize = \"camelCase\", deserialize = 5))] struct S { #[key] a: u8 }",
        "#[serde(transparent)] struct S { #[key] a: u8 }",
        "#[serde(flatten)] struct S { #[key] a: u8 }",
        "struct S<'a> { #[key] a: &'a str }",
        "#[olap(dropped)] struct S { #[key] a: u8 }",
        "#[olap(dropped(a))] struct S { #[key] a: u8 }",
        "#[olap(dropped(\"a\"))] struct S { #[key] a: u8 }",
        "#[olap(dropped(\"b\", \"b\"))] struct S { #[key] a: u8 }",
        "struct S { #[key] #[olap(alias = \"1\")] a: u8 }",
        "struct S { #[key] #[olap(materialized = \"1\")] a: u8 }",
        "struct S { #[key] a: u8, #[olap(materialized)] b: u8 }",
        "struct S { #[key] a: u8, #[olap(ephemeral = 1)] b: u8 }",
        "struct S { #[key] a: u8, #[olap(renamed_from = \"a\")] b: u8 }",
        "struct S { #[key] a: u8, #[olap(renamed_from = \"c\")] b: u8 }",
        "struct S { #[key] a: u8, #[serde(rename = \"d\")] #[olap(renamed_from = \"c\")] b: u8 }",
        "struct S { #[key] a: u8, #[olap(narrowed = true)] b: u8 }",
    ] {
        let record: syn::DeriveInput = syn::parse_str(input).unwrap();
        let expanded = super::derive(&record).to_token_stream().to_string();
        assert!(expanded.contains("compile_error"), "{input}: {expanded}");
    }
}

/// Characters of the code for a record of so many fields, as the compiler gets it.
fn size_of_code(fields: usize) -> usize {
    let fields: Vec<String> = (0..fields).map(|field| format!("field_{field:03}: Option<String>,")).collect();
    let fields = fields.concat();
    let record: syn::DeriveInput = syn::parse_str(&format!("struct Event {{ #[key] id: String, {fields} }}")).unwrap();
    super::derive(&record).to_string().len()
}

#[test]
fn code_grows_by_a_bounded_amount_with_each_field() {
    let (few, many) = (size_of_code(10), size_of_code(210));
    let each = (many - few) / 200;
    assert!(each < 1500, "{each} characters for a field");
    // The tenth as large as the two-hundredth: nothing is said about a field once for each other.
    let again = (size_of_code(410) - many) / 200;
    assert!(again.abs_diff(each) < 50, "{each} and then {again} characters for a field");
}
