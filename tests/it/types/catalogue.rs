//! A record for every type that ClickHouse stores.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use moose_runtime::{
    prelude::*,
    record::{
        Int256, UInt256,
        column::{DynamicColumn, LineString, MultiLineString, MultiPolygon, Point, Polygon, Ring},
    },
};

use super::{Case, case};

#[derive(OlapType)]
#[serde(rename_all = "snake_case")]
pub(super) enum Colour {
    Red = 1,
    DarkGreen = -128,
    #[serde(rename = "it's \\ \n blue")]
    Blue = 127,
}

#[derive(OlapType)]
pub(super) enum Level {
    Low = -32_768,
    Middle = 0,
    High = 32_767,
}

#[derive(OlapType)]
#[serde(rename_all = "camelCase")]
pub(super) struct Address {
    #[olap(low_cardinality)]
    street_name: String,
    #[serde(rename = "select")]
    number: Option<u16>,
    #[serde(rename = "the lines")]
    lines: Vec<String>,
}

/// A tuple of two of anything.
#[derive(OlapType)]
pub(super) struct Both<A, B> {
    one: A,
    other: B,
}

#[derive(PartialEq, Eq, Hash, PartialOrd, Ord, OlapType)]
pub(super) struct Label(#[olap(low_cardinality)] String);

#[derive(PartialEq, Eq, PartialOrd, Ord, OlapType)]
pub(super) struct Digest(#[olap(fixed = 16)] [u8; 16]);

#[derive(OlapType)]
pub(super) struct Money(#[olap(decimal(18, 4))] Decimal);

#[derive(OlapType)]
#[serde(untagged)]
#[expect(dead_code, reason = "only JSON makes them")]
pub(super) enum Bare {
    Flag(bool),
    Number(i64),
    Numbers(Vec<u8>),
    Tuple(Both<u8, String>),
    Text(String),
    Nothing,
}

/// Without a variant that is NULL.
#[derive(OlapType)]
#[serde(untagged)]
#[expect(dead_code, reason = "only JSON makes them")]
pub(super) enum Reading {
    Number(i64),
    Text(String),
}

/// Every type, in the order of the documentation.
pub(super) fn cases() -> Vec<Case> {
    [texts(), numbers(), times(), others(), nested(), json(), shapes()].concat()
}

fn texts() -> Vec<Case> {
    vec![
        case!("String", [], String),
        case!("String", [], Box<str>),
        case!("String", [], Cow<'static, str>),
        case!("FixedString(3)", [olap(fixed = 3)], String),
        case!("Nullable(FixedString(256))", [olap(fixed = 256)], Option<String>),
        case!("FixedString(3)", [olap(fixed = 3)], [u8; 3]),
        case!("Array(FixedString(2))", [olap(fixed = 2)], Vec<[u8; 2]>),
        case!("Nullable(FixedString(16))", [], Option<Digest>),
        case!("LowCardinality(String)", [olap(low_cardinality)], String),
        case!("LowCardinality(Nullable(String))", [olap(low_cardinality)], Option<String>),
        case!("LowCardinality(FixedString(2))", [olap(fixed = 2, low_cardinality)], Box<str>),
        case!("LowCardinality(Nullable(FixedString(2)))", [olap(fixed = 2, low_cardinality)], Option<String>),
        case!("LowCardinality(UUID)", [olap(low_cardinality)], Uuid),
        case!("LowCardinality(Nullable(UUID))", [olap(low_cardinality)], Option<Uuid>),
        case!("Enum8('dark_green' = -128, 'red' = 1, 'it\\'s \\\\ \\n blue' = 127)", [], Colour),
        case!("Enum16('Low' = -32768, 'Middle' = 0, 'High' = 32767)", [], Level),
        case!("Nullable(Enum16('Low' = -32768, 'Middle' = 0, 'High' = 32767))", [], Option<Level>),
    ]
}

fn numbers() -> Vec<Case> {
    vec![
        case!("Bool", [], bool),
        case!("Int8", [], i8),
        case!("Int16", [], i16),
        case!("Int32", [], i32),
        case!("Int64", [], i64),
        case!("Int128", [], i128),
        case!("Int256", [], Int256),
        case!("UInt8", [], u8),
        case!("UInt16", [], u16),
        case!("UInt32", [], u32),
        case!("UInt64", [], u64),
        case!("UInt128", [], u128),
        case!("UInt256", [], UInt256),
        case!("BFloat16", [olap(compact)], f32),
        case!("Float32", [], f32),
        case!("Float64", [], f64),
        case!("Decimal(9, 2)", [olap(decimal(9, 2))], Decimal),
        case!("Decimal(18, 4)", [], Money),
        case!("Decimal(38, 0)", [olap(decimal(38, 0))], Decimal),
        case!("Decimal(76, 38)", [olap(decimal(76, 38))], Decimal),
        case!("Nullable(Decimal(76, 76))", [olap(decimal(76, 76))], Option<Decimal>),
        case!("Array(Decimal(10, 5))", [olap(decimal(10, 5))], Vec<Decimal>),
    ]
}

fn times() -> Vec<Case> {
    vec![
        case!("Date32", [], NaiveDate),
        case!("Date", [olap(compact)], NaiveDate),
        case!("Time64(3)", [], NaiveTime),
        case!("Time64(9)", [olap(precision = 9)], NaiveTime),
        case!("Time", [olap(compact)], NaiveTime),
        case!("DateTime64(3, 'UTC')", [], DateTime<Utc>),
        case!("DateTime64(0, 'UTC')", [olap(precision = 0)], DateTime<Utc>),
        case!("DateTime64(9, 'UTC')", [olap(precision = 9)], DateTime<Utc>),
        case!(
            "Nullable(DateTime64(6, 'America/St_Johns'))",
            [olap(precision = 6, timezone = "America/St_Johns")],
            Option<DateTime<Utc>>
        ),
        case!("DateTime('UTC')", [olap(compact)], DateTime<Utc>),
        case!("DateTime('Europe/Berlin')", [olap(compact, timezone = "Europe/Berlin")], DateTime<Utc>),
    ]
}

fn others() -> Vec<Case> {
    vec![
        case!("UUID", [], Uuid),
        case!("IPv4", [], Ipv4Addr),
        case!("IPv6", [], Ipv6Addr),
        case!("IPv6", [], IpAddr),
        case!("SimpleAggregateFunction(sum, UInt64)", [olap(aggregate = "sum")], u64),
        case!(
            "SimpleAggregateFunction(max, Nullable(DateTime64(3, 'UTC')))",
            [olap(aggregate = "max")],
            Option<DateTime<Utc>>
        ),
        case!(
            "SimpleAggregateFunction(groupUniqArrayArray, Array(String))",
            [olap(aggregate = "groupUniqArrayArray")],
            Vec<String>
        ),
    ]
}

fn nested() -> Vec<Case> {
    vec![
        case!("Nullable(Int64)", [], Option<i64>),
        case!("Nullable(Bool)", [], Option<bool>),
        case!("Nullable(IPv6)", [], Option<Ipv6Addr>),
        case!("Nullable(IPv6)", [], Option<IpAddr>),
        case!("Array(String)", [], Vec<String>),
        case!("Array(UInt16)", [], Vec<u16>),
        case!("Array(UInt16)", [], [u16; 3]).of_length(3),
        case!("Array(Nullable(String))", [], [Option<String>; 2]).of_length(2),
        case!("Array(Array(Nullable(Int8)))", [], Vec<Vec<Option<i8>>>),
        case!("Array(LowCardinality(Nullable(String)))", [olap(low_cardinality)], Vec<Option<String>>),
        case!("Array(DateTime('UTC'))", [olap(compact)], Vec<DateTime<Utc>>),
        case!("Map(String, UInt64)", [], HashMap<String, u64>),
        case!("Map(LowCardinality(String), Array(String))", [olap(low_cardinality)], BTreeMap<String, Vec<String>>),
        case!("Map(LowCardinality(String), Nullable(Float64))", [], BTreeMap<Label, Option<f64>>),
        case!("Map(Int64, String)", [], BTreeMap<i64, String>),
        case!("Map(IPv6, Int8)", [], BTreeMap<IpAddr, i8>),
        case!("Map(FixedString(16), Bool)", [], BTreeMap<Digest, bool>),
        case!("Map(UUID, Date32)", [], BTreeMap<Uuid, NaiveDate>),
        case!("Tuple(UInt8, String)", [], (u8, String)),
        case!(
            "Tuple(Array(Tuple(Bool, Nullable(Int8))), Date32, UUID)",
            [],
            (Vec<(bool, Option<i8>)>, NaiveDate, Uuid)
        ),
        case!(
            "Tuple(streetName LowCardinality(String), `select` Nullable(UInt16), `the lines` Array(String))",
            [],
            Address
        ),
        case!("Array(Tuple(one UInt8, other Nullable(String)))", [], Vec<Both<u8, Option<String>>>),
        case!(
            "Nested(streetName LowCardinality(String), `select` Nullable(UInt16), `the lines` Array(String))",
            [olap(nested)],
            Vec<Address>
        ),
        case!("Variant(Array(UInt8), Bool, Int64, String, Tuple(one UInt8, other String))", [], Bare),
        case!("Array(Variant(Array(UInt8), Bool, Int64, String, Tuple(one UInt8, other String)))", [], Vec<Bare>),
        case!("Variant(Int64, String)", [], Option<Reading>),
        case!("Array(Variant(Int64, String))", [], Vec<Option<Reading>>),
        case!(
            "Map(String, Array(Tuple(one LowCardinality(String), other Map(Int64, String))))",
            [],
            HashMap<String, Vec<Both<Label, BTreeMap<i64, String>>>>
        ),
    ]
}

fn json() -> Vec<Case> {
    vec![
        case!("JSON", [], serde_json::Value),
        case!("Nullable(JSON)", [], Option<serde_json::Value>),
        case!("Array(JSON)", [], Vec<serde_json::Value>),
        case!("Dynamic", [olap(column = DynamicColumn)], serde_json::Value),
        case!(
            "JSON(max_dynamic_types=16, max_dynamic_paths=8, `a.b` UInt32, c Array(String), SKIP `d.e`, SKIP REGEXP '^x.*')",
            [olap(json(
                max_dynamic_types = 16,
                max_dynamic_paths = 8,
                path("a.b", u32),
                path("c", Vec<String>),
                skip = "d.e",
                skip_regexp = "^x.*"
            ))],
            serde_json::Value
        ),
    ]
}

fn shapes() -> Vec<Case> {
    vec![
        case!("Point", [], Point),
        case!("Ring", [], Ring),
        case!("LineString", [], LineString),
        case!("MultiLineString", [], MultiLineString),
        case!("Polygon", [], Polygon),
        case!("MultiPolygon", [], MultiPolygon),
        case!("Array(Point)", [], Vec<Point>),
    ]
}
