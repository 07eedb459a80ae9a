//! Tables as people use them: what a declaration can say, ClickHouse takes; columns that it computes are computed, and
//! nothing of delivery is lost by them.

use moose_runtime::{
    declare::Resource,
    internal::{
        declare::Model,
        schema::{self, Storage},
        stream::{
            Backend as _, DeadLetterQuery,
            log::{Log, LogOptions},
        },
    },
    prelude::*,
};
use moose_tests::{
    http,
    proxy::{Fault, insert_into},
};

use crate::stage::{LATE, SOON, Stage, ingest};

/// One visit of a page.
#[derive(OlapRecord)]
#[olap(dropped("referrer"))]
struct Visit {
    /// Names the visit.
    #[key]
    id: u64,
    /// When it was.
    #[olap(codec = "Delta, ZSTD")]
    at: DateTime<Utc>,
    /// Its day, for the partition key.
    #[olap(materialized = "toDate(at)")]
    day: NaiveDate,
    /// The address as it came.
    #[olap(ephemeral)]
    url: String,
    /// What of the address is kept.
    #[olap(materialized = "domain(url)", low_cardinality)]
    domain: String,
    /// Computed by reading.
    #[olap(alias = "concat(domain, '/', toString(id))")]
    label: String,
    /// Goes after ten years.
    #[olap(ttl = "at + INTERVAL 10 YEAR", default = "1")]
    count: u32,
    /// Which of two visits stays.
    version: u32,
    /// Whether a visit is none.
    deleted: u8,
    /// 1 or -1.
    sign: i8,
}

static VISITS: IngestPipeline<Visit> = IngestPipeline::new("visits").ingest_api(true).stream(true).table_with(
    OlapTable::new("visits")
        .order_by(&["toStartOfHour(at)", "id"])
        .partition_by("toYYYYMM(day)")
        .constraint("not_refused", "domain != 'refused.example'"),
);

static EVERYTHING: OlapTable<Visit> = OlapTable::new("everything_said")
    .order_by(&["domain", "cityHash64(id)", "id"])
    .primary_key(&["domain", "cityHash64(id)"])
    .partition_by("toYYYYMM(day)")
    .sample_by("cityHash64(id)")
    .ttl("at + INTERVAL 1 MONTH DELETE WHERE deleted = 1, at + INTERVAL 1 YEAR")
    .index(Index::new("by_version", "version", "minmax").granularity(4))
    .index(Index::new("by_label", "lower(label)", "bloom_filter(0.01)"))
    .index(Index::new("by_words", "domain", "tokenbf_v1(1024, 2, 0)"))
    .projection("per_domain", "SELECT domain, sum(count) AS visits GROUP BY domain")
    .projection("by_time", "SELECT * ORDER BY at")
    .constraint("counted", "count > 0")
    .assume("signed", "sign IN (1, -1)")
    .settings(&[("index_granularity", "1024")])
    .comment("All that can be said of a table");

static REPLACING: OlapTable<Visit> =
    OlapTable::new("replacing").engine(Engine::replacing().version("version").is_deleted("deleted"));
static REPLACING_LAST: OlapTable<Visit> = OlapTable::new("replacing_last")
    .engine(Engine::replacing())
    .projection("by_time", "SELECT * ORDER BY at")
    .settings(&[("deduplicate_merge_projection_mode", "rebuild")]);
static SUMMING: OlapTable<Visit> =
    OlapTable::new("summing").order_by(&["domain"]).engine(Engine::summing().columns(&["count", "version"]));
static SUMMING_ALL: OlapTable<Visit> = OlapTable::new("summing_all").engine(Engine::summing());
static AGGREGATING: OlapTable<Visit> = OlapTable::new("aggregating").engine(Engine::aggregating());
static COLLAPSING: OlapTable<Visit> = OlapTable::new("collapsing").engine(Engine::collapsing("sign"));
static VERSIONED: OlapTable<Visit> =
    OlapTable::new("versioned").engine(Engine::versioned_collapsing("sign", "version"));
static COALESCING: OlapTable<Visit> = OlapTable::new("coalescing").engine(Engine::coalescing().columns(&["count"]));

static REPLICATED: OlapTable<Visit> = OlapTable::new("replicated")
    .engine(Engine::replacing().version("version").replicated_at("/tables/{shard}/visits", "{replica}"))
    .cluster("all");

fn tables(resources: &[&'static dyn Resource]) -> Vec<schema::Table> {
    let model = Model::of(resources).expect("the declarations are right");
    model.tables.into_iter().map(|model| model.table).collect()
}

#[tokio::test]
async fn whatever_a_declaration_says_clickhouse_takes() {
    let stage = Stage::new().await;
    let engines: [&'static dyn Resource; 8] =
        [&REPLACING, &REPLACING_LAST, &SUMMING, &SUMMING_ALL, &AGGREGATING, &COLLAPSING, &VERSIONED, &COALESCING];
    for table in tables(&engines).into_iter().chain(tables(&[&EVERYTHING, &VISITS])) {
        stage.sql(&table.create_statement(&stage.database, &Storage::Embedded)).await;
        let name = &table.name;
        let engine = format!(
            "SELECT engine_full FROM system.tables WHERE database = '{}' AND name = '{name}' FORMAT TSVRaw",
            stage.database
        );
        let shown = stage.sql(&engine).await;
        let (actual, _) = schema::Engine::read(&shown).expect("an engine");
        assert!(table.engine.is_met_by(&actual), "{name}: {shown}");
        let hidden = format!(
            "SELECT countIf(startsWith(name, '_stream_')) FROM system.columns WHERE database = '{}' AND table = '{name}'",
            stage.database
        );
        assert_eq!(stage.sql(&hidden).await, if table.engine.keeps_every_row() { "3" } else { "0" }, "{name}");
    }
    let said = |what: &str| format!("SELECT {what} WHERE database = '{}' AND ", stage.database);
    let keys = said("sorting_key, primary_key, partition_key, sampling_key, comment FROM system.tables");
    assert_eq!(
        stage.sql(&format!("{keys} name = 'everything_said' FORMAT TSVRaw")).await,
        "domain, cityHash64(id), id\tdomain, cityHash64(id)\ttoYYYYMM(day)\tcityHash64(id)\tAll that can be said of a table"
    );
    let indexes = said("name, expr, type_full, granularity FROM system.data_skipping_indices");
    assert_eq!(
        stage.sql(&format!("{indexes} table = 'everything_said' ORDER BY name FORMAT TSVRaw")).await,
        "_stream_offset_range\t_stream_offset\tminmax\t1\nby_label\tlower(concat(domain, '/', toString(id)))\tbloom_filter(0.01)\t1\n\
         by_version\tversion\tminmax\t4\nby_words\tdomain\ttokenbf_v1(1024, 2, 0)\t1"
    );
    let columns = said("name, default_kind, default_expression, comment FROM system.columns");
    assert_eq!(
        stage
            .sql(&format!(
                "{columns} table = 'visits' AND default_kind != '' AND name NOT LIKE '\\\\_stream%' FORMAT TSVRaw"
            ))
            .await,
        "day\tMATERIALIZED\ttoDate(at)\tIts day, for the partition key.\n\
         url\tEPHEMERAL\tdefaultValueOfTypeName('String')\tThe address as it came.\n\
         domain\tMATERIALIZED\tdomain(url)\tWhat of the address is kept.\n\
         label\tALIAS\tconcat(domain, '/', toString(id))\tComputed by reading.\n\
         count\tDEFAULT\t1\tGoes after ten years."
    );
}

#[test]
fn a_replicated_table_of_a_cluster_says_both() {
    let tables = tables(&[&REPLICATED]);
    let statement = tables[0].create_statement("moose", &Storage::Server);
    assert!(statement.contains("`replicated` ON CLUSTER 'all'\n"), "{statement}");
    assert!(
        statement.contains("ReplicatedReplacingMergeTree('/tables/{shard}/visits', '{replica}', `version`)"),
        "{statement}"
    );
    assert_eq!(tables[0].dropped, ["referrer"]);
}

/// Visits as one NDJSON body; those of the ids that `refused` names are refused by the table.
fn visits(ids: std::ops::Range<u64>, refused: impl Fn(u64) -> bool) -> String {
    let line = |id: u64| {
        let domain = if refused(id) { "refused.example" } else { "example.org" };
        // What ClickHouse computes is no field: whatever JSON says about it is not looked at.
        format!(
            "{{\"id\":{id},\"at\":\"2024-0{}-15T10:30:00Z\",\"url\":\"https://{domain}/{id}\",\"count\":{id},\
             \"version\":1,\"deleted\":0,\"sign\":1,\"label\":5}}",
            id % 9 + 1
        )
    };
    ids.map(line).collect::<Vec<_>>().join("\n")
}

const COMPUTED: &str = "SELECT count(), uniqExact(id), countIf(day = toDate(at) AND domain = 'example.org' AND \
                        label = concat('example.org/', toString(id)) AND count = id), uniqExact(_stream_offset) FROM visits";

#[tokio::test]
async fn clickhouse_computes_what_is_its_to_compute_and_an_ephemeral_column_feeds_it() {
    let stage = Stage::new().await;
    let app = stage.start(&[&VISITS]).await;
    let answer = http::post(&ingest(&app, "visits"), "application/x-ndjson", visits(0..50, |_| false)).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (200, "{\"accepted\":50}".to_owned()));
    stage.shows(COMPUTED, "50\t50\t50\t50", SOON).await;
    let shown = stage.sql("SELECT * FROM visits WHERE id = 3 FORMAT TSVWithNames").await;
    assert_eq!(shown, "id\tat\tcount\tversion\tdeleted\tsign\n3\t2024-04-15 10:30:00.000\t3\t1\t0\t1");
    let insert = &stage.proxy.inserts("visits")[0];
    let named = &insert.statement;
    for (column, is_named) in
        [("`id`", true), ("`url`", true), ("`day`", false), ("`domain`", false), ("`label`", false)]
    {
        assert_eq!(named.contains(column), is_named, "{column} in {named}");
    }
    let missing = http::post(&ingest(&app, "visits"), "application/json", "{\"id\":1}".to_owned()).await.json();
    let pointers: Vec<_> =
        missing["errors"].as_array().expect("errors").iter().map(|error| &error["pointer"]).collect();
    assert_eq!(pointers, ["/at", "/url", "/count", "/version", "/deleted", "/sign"]);
    app.stop().await.expect("an orderly stop");
}

#[tokio::test]
async fn a_lost_answer_costs_no_row_of_a_table_with_computed_columns() {
    let stage = Stage::new().await;
    let app = stage.start(&[&VISITS]).await;
    stage.proxy.when(insert_into("visits")).times(2).make(Fault::DropAnswer);
    let answer = http::post(&ingest(&app, "visits"), "application/x-ndjson", visits(0..500, |_| false)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    stage.shows(COMPUTED, "500\t500\t500\t500", LATE).await;
    app.stop().await.expect("an orderly stop");
    assert_eq!(stage.sql(COMPUTED).await, "500\t500\t500\t500");
}

#[tokio::test]
async fn a_row_that_a_constraint_over_computed_columns_refuses_is_a_dead_letter() {
    let stage = Stage::new().await;
    let app = stage.start(&[&VISITS]).await;
    let body = visits(0..300, |id| id == 17 || id == 200);
    let answer = http::post(&ingest(&app, "visits"), "application/x-ndjson", body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    stage.shows(COMPUTED, "298\t298\t298\t298", LATE).await;
    app.stop().await.expect("an orderly stop");
    let log = Log::open(LogOptions::new(stage.data_dir().join("stream"))).expect("the log opens");
    let letters = log
        .dead_letters(&DeadLetterQuery { limit: usize::MAX, ..DeadLetterQuery::default() })
        .await
        .expect("dead letters can be read");
    assert_eq!(letters.len(), 2, "{letters:?}");
    log.close().await.expect("the log closes");
}

#[tokio::test]
async fn a_table_that_replaces_rows_gets_them_and_says_what_it_can_not_promise() {
    static USERS: IngestPipeline<Visit> = IngestPipeline::new("users")
        .ingest_api(true)
        .stream(true)
        .table_with(OlapTable::new("users").engine(Engine::replacing().version("version").is_deleted("deleted")));
    let stage = Stage::new().await;
    let app = stage.start(&[&USERS]).await;
    for version in 1..=3 {
        let body = visits(0..10, |_| false).replace("\"version\":1", &format!("\"version\":{version}"));
        let answer = http::post(&ingest(&app, "users"), "application/x-ndjson", body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        stage.shows("SELECT max(version) FROM users", &version.to_string(), SOON).await;
    }
    let last = "SELECT count(), min(version) FROM users FINAL";
    stage.shows(last, "10\t3", SOON).await;
    let text = app.report().to_string();
    assert!(text.contains("users: not kept through every failure of the server"), "{text}");
    assert!(text.contains("ReplacingMergeTree collapses rows"), "{text}");
    app.stop().await.expect("an orderly stop");
}
