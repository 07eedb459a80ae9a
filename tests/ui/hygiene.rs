//! Declarations in a hostile place, in a crate that is not ours: no prelude, modules that are called as crates are, another
//! name for the runtime, raw identifiers, lints denied. That it compiles is the test.

#[deny(
    missing_docs,
    nonstandard_style,
    rust_2018_idioms,
    unreachable_pub,
    unsafe_code,
    unused,
    unused_qualifications,
    warnings,
    clippy::all,
    clippy::pedantic
)]
mod hostile {
    #![no_implicit_prelude]

    #[expect(unused_imports, reason = "they only stand in the way")]
    use self::shadows::*;

    /// Things that are called like what generated code needs.
    #[expect(dead_code, non_camel_case_types, reason = "they only stand in the way")]
    mod shadows {
        pub(super) mod core {}
        pub(super) mod std {}
        pub(super) mod moose_runtime {}
        pub(super) struct str;
        pub(super) struct usize;
        pub(super) struct bool;
        pub(super) struct Option;
        pub(super) struct Some;
        pub(super) struct Default;
    }

    use ::moose_runtime as renamed;
    use ::moose_runtime::prelude::{DroppedTable, Engine, Index, IngestApi, IngestPipeline, OlapTable, Stream};

    /// A record of a crate that knows the runtime by its own name.
    #[derive(::moose_runtime::OlapRecord)]
    pub(super) struct r#Event {
        /// The key.
        #[key]
        #[olap(low_cardinality)]
        pub(super) r#type: ::std::string::String,
        #[olap(default = "now()")]
        pub(super) at: ::moose_runtime::prelude::DateTime<::moose_runtime::prelude::Utc>,
        #[olap(materialized = "toDate(at)")]
        pub(super) day: ::moose_runtime::prelude::NaiveDate,
        #[olap(ttl = "at + INTERVAL 1 DAY", codec = "ZSTD")]
        pub(super) r#loop: ::std::string::String,
        pub(super) version: ::core::primitive::u64,
        pub(super) kind: Kind<::core::primitive::u8>,
    }

    /// An enum with data.
    #[derive(::moose_runtime::OlapType)]
    #[expect(dead_code, reason = "only JSON makes it")]
    pub(super) enum Kind<T> {
        /// A number.
        r#In(T),
        /// A text.
        Text(#[olap(low_cardinality)] ::std::string::String),
        /// Nothing.
        Unset,
    }

    /// Everything that a table may have.
    #[renamed::pipeline(crate = "renamed")]
    pub(super) static r#TABLE: OlapTable<Event> = OlapTable::new("table")
        .engine(Engine::replacing().version("version"))
        .order_by(&["type", "toStartOfHour(at)"])
        .primary_key(&["type"])
        .partition_by("toYYYYMM(version)")
        .ttl("day + INTERVAL 90 DAY")
        .index(Index::new("by_version", "version", "minmax").granularity(4))
        .projection("by_version", "SELECT type ORDER BY version")
        .constraint("positive", "version > 0")
        .assume("small", "version < 1000")
        .settings(&[("deduplicate_merge_projection_mode", "rebuild")])
        .comment("everything");

    #[::moose_runtime::pipeline]
    static STREAM: Stream<Event> = Stream::new("stream").partitions(2).destination(&TABLE);

    #[renamed::pipeline(crate = "self::renamed")]
    static API: IngestApi<Event> = IngestApi::new("api").destination(&STREAM);

    /// Everything at once.
    #[::moose_runtime::pipeline]
    pub(super) static PIPELINE: IngestPipeline<Event> =
        IngestPipeline::new("pipeline").ingest_api(true).stream(true).table_with(
            OlapTable::new("summed")
                .engine(Engine::summing().columns(&["version"]))
                .sample_by("cityHash64(type)")
                .order_by(&["cityHash64(type)"]),
        );

    #[::moose_runtime::pipeline]
    static DROPPED: DroppedTable = DroppedTable::new("dropped");
}

#[test]
fn declarations_of_a_hostile_place_are_linked() {
    let model = moose_runtime::internal::declare::Model::linked().expect("they are right");
    let tables: Vec<&str> = model.tables.iter().map(|declared| declared.table.name.as_str()).collect();
    assert_eq!(tables, ["summed", "table"]);
    assert_eq!((model.streams.len(), model.apis.len(), model.dropped_tables.len()), (2, 2, 1));
    assert_eq!((hostile::TABLE.name(), hostile::PIPELINE.name()), ("table", "pipeline"));
}
