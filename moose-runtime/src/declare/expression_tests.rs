//! Tests of the check of expressions. An error panics: in a const that is a compile error.

use super::*;

const COLUMNS: Columns<'_> = Columns::Named(&[
    ("id", None),
    ("userId", None),
    ("at", None),
    ("price", Some(DefaultKind::Default)),
    ("day", Some(DefaultKind::Materialized)),
    ("shown", Some(DefaultKind::Alias)),
    ("raw", Some(DefaultKind::Ephemeral)),
    ("odd name", None),
]);

/// The error, if there is one.
fn mistake(expression: &str, rules: Rules) -> Option<String> {
    let expression = expression.to_owned();
    let caught = std::panic::catch_unwind(move || check("option", &expression, COLUMNS, rules));
    caught.err().map(|panic| panic.downcast_ref::<String>().cloned().expect("a text"))
}

#[test]
fn expressions_over_columns_pass() {
    for expression in [
        "id",
        "(id, userId)",
        "toYYYYMM(at)",
        "at + INTERVAL 90 DAY",
        "toDateTime(at) + toIntervalDay(1) DELETE WHERE price = 0 OR NOT isFinite(price)",
        "at + INTERVAL 1 MONTH TO DISK 'cold', at + INTERVAL 1 YEAR RECOMPRESS CODEC(ZSTD(17))",
        "at + INTERVAL 1 DAY GROUP BY id SET price = sum(price)",
        "`odd name` != 'it''s not a column' AND \"id\" = 'nor `this`' ",
        "arrayMap(x -> x + price, [1, 2e5, 0x1F])",
        "arrayMap((x, y) -> (x.1 + y.first) * price, [id.part], [day])",
        "CAST(id AS Nullable(UInt8)) + id::Decimal(9, 2)",
        "CASE WHEN price > 1 THEN 'a' ELSE NULL END",
        "SELECT userId, count() AS visits GROUP BY userId ORDER BY visits DESC",
        "_stream_offset % 8",
        "SELECT * ORDER BY at",
        "at > DATE '2024-01-01' AND EXTRACT(YEAR FROM at) > 2000",
        "SELECT id, at ORDER BY at ASC NULLS LAST",
        "tuple()",
    ] {
        assert_eq!(mistake(expression, Rules::STORED), None, "{expression}");
    }
}

#[test]
fn a_name_that_is_no_column_is_told_with_the_nearest_or_all() {
    assert_eq!(
        mistake("toDate(att)", Rules::STORED).as_deref(),
        Some("`option` is `toDate(att)`, in which `att` is not a column of the record; did you mean `at`?")
    );
    assert_eq!(
        mistake("lower(customer)", Rules::STORED).as_deref(),
        Some(
            "`option` is `lower(customer)`, in which `customer` is not a column of the record; its columns are: id, \
             userId, at, price, day, shown, raw, odd name"
        )
    );
    for expression in [
        "x -> y",
        "`user id`",
        "id AND idd",
        "toYYYYMM(timestamp)",
        "1 + day_",
        "f(date)",
        "hour",
        "order = 1",
        "at + INTERVAL 1 DAYZ",
        "(x, id) + x",
        "id.x + z.id",
    ] {
        assert!(mistake(expression, Rules::STORED).is_some_and(|text| text.contains("not a column")), "{expression}");
    }
}

#[test]
fn what_would_break_the_statement_is_told() {
    for (expression, wrong) in [
        ("", "is empty"),
        (" ", "is empty"),
        ("f(id", "parenthesis without its partner"),
        ("id)", "parenthesis without its partner"),
        ("id = 'a", "quote without its end"),
        ("id -- all", "a comment in it"),
        ("id /* all */", "a comment in it"),
        ("id; DROP TABLE x", "would end the statement"),
    ] {
        assert!(mistake(expression, Rules::STORED).is_some_and(|text| text.contains(wrong)), "{expression}");
    }
}

#[test]
fn columns_that_are_not_stored_are_for_some_expressions_only() {
    assert!(mistake("shown + 1", Rules::STORED).is_some_and(|text| text.contains("an `alias`")));
    assert!(mistake("raw + 1", Rules::INDEX).is_some_and(|text| text.contains("`ephemeral`")));
    assert_eq!(mistake("shown + 1", Rules::INDEX), None);
    assert_eq!(mistake("raw + shown", Rules::VALUE), None);
}

#[test]
fn a_key_is_the_same_at_each_try_and_a_ttl_is_not_the_same_for_all_rows() {
    assert!(mistake("(id, NOW())", Rules::KEY).is_some_and(|text| text.contains("`NOW()` gives another value")));
    assert_eq!(mistake("at < now()", Rules::STORED), None);
    assert!(mistake("now() + INTERVAL 1 DAY", Rules::TTL).is_some_and(|text| text.contains("names no column")));
}

#[test]
fn the_column_of_a_field_does_not_follow_from_itself() {
    let columns: &[ColumnName] = &[("a", None), ("b", Some(DefaultKind::Materialized))];
    let check = |expression: &'static str| {
        std::panic::catch_unwind(|| check_field("b", Some(DefaultKind::Materialized), expression, columns)).is_ok()
    };
    assert!(check("a + 1") && check("b(a)") && check("a.b"));
    assert!(!check("a + b") && !check("`b`") && !check("c"));
}

#[test]
fn the_first_function_that_makes_something_up_is_found() {
    assert_eq!(made_up_in("toDate(Now64(3)) + rand()"), Some("Now64"));
    assert_eq!(made_up_in("'now()' || now"), None);
}
