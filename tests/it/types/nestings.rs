//! Random nestings of types, one record for each. Made by `generator`, which says how to make others.

#[rustfmt::skip]
pub(super) fn cases() -> Vec<super::Case> {
    #[expect(clippy::wildcard_imports, reason = "which types there are is chance")]
    use super::generator::scope::*;
    vec![
        super::case!("Array(Array(IPv4))", [], Vec<Vec<Ipv4Addr>>),
        super::case!("Array(Array(DateTime64(3, 'UTC')))", [], Vec<Vec<DateTime<Utc>>>),
        super::case!("Array(Tuple(Float32, Float64))", [], Vec<(f32, f64)>),
        super::case!("Array(Tuple(one Nullable(UInt64), other DateTime64(3, 'UTC')))", [], Vec<Both<Option<u64>, DateTime<Utc>>>),
        super::case!("Map(DateTime64(3, 'UTC'), Array(UUID))", [], BTreeMap<DateTime<Utc>, Vec<Uuid>>),
        super::case!("Array(Array(Array(Point)))", [], Vec<Vec<Vec<Point>>>),
        super::case!("Nullable(UUID)", [], Option<Uuid>),
        super::case!("Tuple(one Date32, other Nullable(Float32))", [], Both<NaiveDate, Option<f32>>),
        super::case!("UInt16", [], u16),
        super::case!("Nullable(UInt16)", [], Option<u16>),
        super::case!("Nullable(DateTime64(3, 'UTC'))", [], Option<DateTime<Utc>>),
        super::case!("Map(UUID, Array(Float64))", [], BTreeMap<Uuid, Vec<f64>>),
        super::case!("Array(Int8)", [], Vec<i8>),
        super::case!("IPv4", [], Ipv4Addr),
        super::case!("Array(Nullable(IPv6))", [], Vec<Option<Ipv6Addr>>),
        super::case!("Array(Array(Map(IPv6, Nullable(Int32))))", [], Vec<Vec<BTreeMap<Ipv6Addr, Option<i32>>>>),
        super::case!("Nullable(Int32)", [], Option<i32>),
        super::case!("Time64(3)", [], NaiveTime),
        super::case!("Map(Int128, Array(Decimal(18, 4)))", [], BTreeMap<i128, Vec<Money>>),
        super::case!("Array(Tuple(Tuple(one Array(Enum16('Low' = -32768, 'Middle' = 0, 'High' = 32767)), other Array(DateTime64(3, 'UTC'))), Array(Map(Int128, Date32))))", [], Vec<(Both<Vec<Level>, Vec<DateTime<Utc>>>, Vec<BTreeMap<i128, NaiveDate>>)>),
        super::case!("Nullable(IPv6)", [], Option<Ipv6Addr>),
        super::case!("Array(Time64(3))", [], Vec<NaiveTime>),
        super::case!("UInt64", [], u64),
        super::case!("Tuple(Date32, Tuple(one UUID, other Tuple(Tuple(UInt16, Bool), Array(Bool))))", [], (NaiveDate, Both<Uuid, ((u16, bool), Vec<bool>)>)),
        super::case!("Nullable(Time64(3))", [], Option<NaiveTime>),
        super::case!("Map(UUID, Tuple(Map(UInt16, Enum16('Low' = -32768, 'Middle' = 0, 'High' = 32767)), Tuple(DateTime64(3, 'UTC'), Enum16('Low' = -32768, 'Middle' = 0, 'High' = 32767))))", [], BTreeMap<Uuid, (BTreeMap<u16, Level>, (DateTime<Utc>, Level))>),
        super::case!("Map(DateTime64(3, 'UTC'), Map(LowCardinality(String), Tuple(UUID, UUID)))", [], BTreeMap<DateTime<Utc>, BTreeMap<Label, (Uuid, Uuid)>>),
        super::case!("Nullable(UInt64)", [], Option<u64>),
        super::case!("Nullable(Time64(3))", [], Option<NaiveTime>),
        super::case!("Int128", [], i128),
        super::case!("Nullable(IPv4)", [], Option<Ipv4Addr>),
        super::case!("Tuple(Nullable(Int128), UInt64)", [], (Option<i128>, u64)),
        super::case!("Map(DateTime64(3, 'UTC'), Map(UInt16, Map(UInt16, Bool)))", [], BTreeMap<DateTime<Utc>, BTreeMap<u16, BTreeMap<u16, bool>>>),
        super::case!("Tuple(one Map(UInt16, Int8), other Nullable(Float32))", [], Both<BTreeMap<u16, i8>, Option<f32>>),
        super::case!("Tuple(one Int8, other Array(Tuple(Array(IPv4), IPv4)))", [], Both<i8, Vec<(Vec<Ipv4Addr>, Ipv4Addr)>>),
        super::case!("Tuple(Nullable(UInt16), Map(Time64(3), Map(UInt64, Point)))", [], (Option<u16>, BTreeMap<NaiveTime, BTreeMap<u64, Point>>)),
        super::case!("Time64(3)", [], NaiveTime),
        super::case!("DateTime64(3, 'UTC')", [], DateTime<Utc>),
        super::case!("Tuple(one Nullable(Decimal(18, 4)), other Tuple(LowCardinality(String), String))", [], Both<Option<Money>, (Label, String)>),
        super::case!("Int32", [], i32),
    ]
}
