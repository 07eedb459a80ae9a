//! What the users of the engine may do, asked of the engine itself: each privilege, table function, table engine, database
//! engine and setting that it lists. What a later version adds fails these tests with its name, to be looked at.

use std::collections::BTreeSet;

use crate::client::{PIPELINE, Response, SHARED, ask, encode, reading, send};

const WHO: [&str; 2] = ["the pipeline", "who only reads"];

fn sent_by(who: &str, sql: &str) -> Response {
    let password = reading();
    let reader = [("X-ClickHouse-User", "readonly"), ("X-ClickHouse-Key", &password)];
    let login = if who == "the pipeline" { &PIPELINE } else { &reader };
    send(SHARED.address, "POST", "/?max_execution_time=20", login, sql.as_bytes())
}

/// Which of ClickHouse's errors it is, none if it works.
fn error_of(who: &str, sql: &str) -> String {
    sent_by(who, sql).header("x-clickhouse-exception-code").unwrap_or("none").to_owned()
}

fn listed(sql: &str) -> BTreeSet<String> {
    ask(sql).lines().map(str::to_owned).collect()
}

fn words(text: &str) -> BTreeSet<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// Fails with what there is more or less than is known.
fn assert_known(what: &str, found: &BTreeSet<String>, known: &BTreeSet<String>) {
    let more: Vec<_> = found.difference(known).collect();
    let less: Vec<_> = known.difference(found).collect();
    assert!(more.is_empty() && less.is_empty(), "{what}: unknown to this test {more:?}, not there any more {less:?}");
}

#[test]
fn no_privilege_is_held_that_was_not_meant() {
    let privileges = listed("SELECT privilege FROM system.privileges");
    let held = |who: &str, on: &str| -> BTreeSet<String> {
        let holds = |privilege: &&String| sent_by(who, &format!("CHECK GRANT {privilege} ON {on}")).text() == "1\n";
        privileges.iter().filter(holds).map(|privilege| privilege.replace(' ', "_")).collect()
    };
    for (who, everywhere, tables) in [
        (
            "the pipeline",
            words(
                "CREATE_ARBITRARY_TEMPORARY_TABLE CREATE_FUNCTION CREATE_TEMPORARY_TABLE CREATE_TEMPORARY_VIEW
                DROP_FUNCTION KILL_QUERY NONE SHOW_DATABASES SHOW_FILESYSTEM_CACHES SHOW_TABLES SYSTEM_MERGES",
            ),
            words(
                "ALTER CHECK CREATE_TABLE CREATE_VIEW CREATE_ROW_POLICY DROP_DICTIONARY DROP_ROW_POLICY DROP_TABLE
                DROP_VIEW INSERT NONE OPTIMIZE SELECT SHOW TRUNCATE UNDROP_TABLE dictGet",
            ),
        ),
        (
            "who only reads",
            words("CREATE_TEMPORARY_TABLE NONE SHOW_FILESYSTEM_CACHES"),
            words("NONE SELECT SHOW dictGet"),
        ),
    ] {
        // Of caches and logs: they lose nothing.
        let is_harmless = |name: &String| {
            ["SYSTEM_DROP_", "SYSTEM_PREWARM_", "SYSTEM_FLUSH"].iter().any(|start| name.starts_with(start))
        };
        let found: BTreeSet<_> = held(who, "*.*").into_iter().filter(|name| !is_harmless(name)).collect();
        assert_known(&format!("privileges of {who} on everything"), &found, &everywhere);
        let is_part = |name: &String| {
            let of_the_whole = ["ALTER_", "SHOW_", "SYSTEM_"].iter().any(|start| name.starts_with(start));
            of_the_whole && !name.ends_with("_ROW_POLICY")
        };
        let found: BTreeSet<_> = held(who, "moose.*").into_iter().filter(|name| !is_part(name)).collect();
        let known = tables.iter().cloned().chain(found.get("ALTER_ROW_POLICY").cloned()).collect();
        assert_known(&format!("privileges of {who} on the database"), &found, &known);
    }
}

#[test]
fn no_statement_takes_the_memory_that_inserts_need() {
    let machine = std::fs::read_to_string("/proc/meminfo").expect("Linux");
    let whole = machine.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB"));
    let whole: u64 = whole.and_then(|kib| kib.parse().ok()).map(|kib: u64| kib * 1024).expect("the machine's memory");
    for (who, part) in [("the pipeline", 2), ("who only reads", 10)] {
        let bound = sent_by(who, "SELECT getSetting('max_memory_usage')").text();
        let bound: u64 = bound.trim().parse().unwrap();
        assert!((1..=whole / part).contains(&bound), "{who}: {bound} of {whole}");
        for (value, error) in [(0, "452"), (bound + 1, "452"), (bound, "none"), (1 << 20, "none")] {
            assert_eq!(
                error_of(who, &format!("SELECT 1 SETTINGS max_memory_usage = {value}")),
                error,
                "{who}: {value}"
            );
        }
    }
    let together = sent_by("who only reads", "SELECT getSetting('max_memory_usage_for_user')").text();
    assert!(
        together.trim().parse::<u64>().is_ok_and(|bytes| (1..=whole / 5).contains(&bytes)),
        "{together} of {whole}"
    );
}

#[test]
fn tables_are_made_of_engines_that_stay_inside() {
    let inside = words(
        "AggregatingMergeTree Buffer CoalescingMergeTree CollapsingMergeTree Join Log MaterializedView Memory Merge
         MergeTree Null ReplacingMergeTree Set StripeLog SummingMergeTree TinyLog VersionedCollapsingMergeTree View",
    );
    let engines = listed("SELECT name FROM system.table_engines");
    assert!(engines.is_superset(&inside));
    for engine in &engines {
        for who in WHO {
            let granted = sent_by(who, &format!("CHECK GRANT TABLE ENGINE ON {engine}")).text() == "1\n";
            assert_eq!(granted, who == "the pipeline" && inside.contains(engine), "{who}: {engine}");
            if !granted {
                for kind in ["TABLE", "TEMPORARY TABLE"] {
                    let sql = format!("CREATE {kind} of_{engine} (x UInt8) ENGINE = {engine}");
                    assert_eq!(error_of(who, &sql), "497", "{who}: {sql}");
                }
            }
        }
    }
    for engine in listed("SELECT name FROM system.database_engines") {
        for who in WHO {
            let sql = format!("CREATE DATABASE of_{engine} ENGINE = {engine}");
            assert_eq!(error_of(who, &sql), "497", "{who}: {sql}");
        }
    }
}

/// Of rows that are made or are there, or of the statement itself.
const INSIDE: &str = "SQLStandardValues dictionary eval format fuzzJSON fuzzQuery generateRandom generateSeries
    generate_series input loop merge mergeTreeAnalyzeIndexes mergeTreeAnalyzeIndexesUUID mergeTreeIndex
    mergeTreeProjection mergeTreeTextIndex null numbers numbers_mt primes prometheusQuery prometheusQueryRange
    timeSeriesData timeSeriesMetrics timeSeriesSamples timeSeriesSelector timeSeriesTags values view viewExplain
    viewIfPermitted zeros zeros_mt";

/// Of files, programs and servers, with arguments that are complete: then it is the grant that is missing, 497.
const OUTSIDE: &[(&str, &str)] = &[
    ("cosn", "'http://127.0.0.1:1/bucket/x', 'CSV', 'x String'"),
    ("deltaLake", "'http://127.0.0.1:1/bucket/x'"),
    ("deltaLakeLocal", "'/nosuch'"),
    ("deltaLakeS3", "'http://127.0.0.1:1/bucket/x'"),
    ("file", "'/etc/passwd', 'LineAsString', 'x String'"),
    ("filesystem", "'/'"),
    ("gcs", "'http://127.0.0.1:1/bucket/x', 'CSV', 'x String'"),
    ("hudi", "'http://127.0.0.1:1/bucket/x'"),
    ("iceberg", "'http://127.0.0.1:1/bucket/x'"),
    ("icebergLocal", "'/nosuch'"),
    ("icebergS3", "'http://127.0.0.1:1/bucket/x'"),
    ("mysql", "'127.0.0.1:1', 'a', 'b', 'c', 'd'"),
    ("oss", "'http://127.0.0.1:1/bucket/x', 'CSV', 'x String'"),
    ("paimon", "'http://127.0.0.1:1/bucket/x'"),
    ("paimonLocal", "'/nosuch'"),
    ("paimonS3", "'http://127.0.0.1:1/bucket/x'"),
    ("postgresql", "'127.0.0.1:1', 'a', 'b', 'c', 'd'"),
    ("remote", "'127.0.0.1:1', 'moose', 'x'"),
    ("remoteSecure", "'127.0.0.1:1', 'moose', 'x'"),
    ("s3", "'http://127.0.0.1:1/bucket/x', 'CSV', 'x String'"),
    ("url", "'http://127.0.0.1:1/', 'CSV', 'x String'"),
];

/// Of clusters, none of which there is: they don't come as far as the grant.
const CLUSTERS: &str = "azureBlobStorageCluster cluster clusterAllReplicas deltaLakeAzureCluster deltaLakeCluster
    deltaLakeS3Cluster fileCluster hdfsCluster hudiCluster icebergAzureCluster icebergCluster icebergHDFSCluster
    icebergLocalCluster icebergS3Cluster paimonAzureCluster paimonCluster paimonHDFSCluster paimonS3Cluster s3Cluster
    urlCluster";

/// They look for what they are to read, or run, before the grant is asked; without a right answer they end there.
const LOOKING: &str = "azureBlobStorage deltaLakeAzure executable hdfs icebergAzure icebergHDFS jdbc mongodb odbc
    paimonAzure paimonHDFS redis sqlite ytsaurus";

#[test]
fn no_table_function_leads_outside() {
    let outside = OUTSIDE.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" ");
    let known = words(&[INSIDE, CLUSTERS, LOOKING, &outside].join(" "));
    assert_known("table functions", &listed("SELECT name FROM system.table_functions"), &known);
    assert_eq!(ask("SELECT count() FROM system.clusters"), "0");
    for who in WHO {
        for (name, arguments) in OUTSIDE {
            for sql in [
                format!("SELECT * FROM {name}({arguments})"),
                format!("SELECT * FROM view(SELECT * FROM {name}({arguments}))"),
                format!("DESCRIBE TABLE {name}({arguments})"),
            ] {
                assert_eq!(error_of(who, &sql), "497", "{who}: {sql}: {}", sent_by(who, &sql).text());
            }
        }
        for source in ["READ", "WRITE"] {
            for of in ["AZURE", "FILE", "HDFS", "JDBC", "MONGO", "ODBC", "REDIS", "REMOTE", "S3", "URL", "YTSAURUS"] {
                let answer = sent_by(who, &format!("CHECK GRANT {source} ON {of}"));
                assert_eq!(answer.text(), "0\n", "{who}: {source} ON {of}");
            }
        }
    }
}

/// Ways to files that are neither table functions nor engines.
#[test]
fn no_statement_and_no_setting_writes_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("there"), "x").unwrap();
    let disk = |kind: &str| format!("disk(type = {kind}, path = '{}/')", path("disk"));
    let blobs = disk("'local_blob_storage'");
    let objects = disk("'object_storage', object_storage_type = 'local', metadata_type = 'plain_rewritable'");
    let schema = "FORMAT ProtobufSingle SETTINGS format_protobuf_use_autogenerated_schema = 1, output_format_schema =";
    for (sql, expected) in [
        (format!("SELECT 1 INTO OUTFILE '{}'", path("out")), "358"),
        (format!("SELECT 1 INTO\u{a0}OUTFILE '{}'", path("out")), "358"),
        (format!("INSERT INTO FUNCTION file('{}', 'CSV', 'x String') VALUES ('x')", path("in")), "497"),
        (format!("SELECT 1::UInt64 AS a {schema} '{}'", path("schema.proto")), "452"),
        (
            format!(
                "SELECT * FROM format(CSV, 'a UInt8', 'x') SETTINGS input_format_allow_errors_num = 1, \
                 input_format_record_errors_file_path = '{}'",
                path("errors")
            ),
            "452",
        ),
        (format!("SELECT 1 AS a FORMAT Template SETTINGS format_template_row = '{}'", path("there")), "452"),
        (format!("SELECT 1 AS a FORMAT Protobuf SETTINGS format_schema = '{}:M'", path("there")), "452"),
        (format!("SELECT * FROM `{}`", path("there")), "60"),
        (format!("SELECT * FROM default.`{}`", path("there")), "497"),
        ("BACKUP DATABASE moose TO Null".to_owned(), "497"),
        (format!("BACKUP DATABASE moose TO File('{}')", path("backup")), "497"),
        ("CREATE NAMED COLLECTION n AS a = 1".to_owned(), "497"),
        ("DROP DATABASE moose".to_owned(), "497"),
        ("SET allow_introspection_functions = 1, output_format_schema = 'x'".to_owned(), "452"),
    ] {
        for who in WHO {
            assert_eq!(error_of(who, &sql), expected, "{who}: {sql}: {}", sent_by(who, &sql).text());
        }
    }
    for disk in [&blobs, &objects, "'default'"] {
        for sql in [
            format!("CREATE TABLE on_a_disk (x UInt8) ENGINE = MergeTree ORDER BY x SETTINGS disk = {disk}"),
            format!("CREATE TEMPORARY TABLE on_a_disk (x UInt8) ENGINE = MergeTree ORDER BY x SETTINGS disk = {disk}"),
        ] {
            assert_eq!(error_of("the pipeline", &sql), "452", "{sql}");
        }
    }
    let written = |directory: &std::path::Path| -> Vec<_> {
        let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(|path| path.is_file() && !path.ends_with("there")).collect()
    };
    assert_eq!(written(directory.path()), Vec::<std::path::PathBuf>::new());
    assert_eq!(written(&directory.path().join("disk")), Vec::<std::path::PathBuf>::new());
}

/// Settings whose values are names of files, disks and servers, as far as names tell: those of the first list are fixed.
#[test]
fn settings_that_name_places_are_known() {
    let fixed = words(
        "format_avro_schema_registry_url format_schema format_template_resultset format_template_row
         input_format_record_errors_file_path output_format_schema",
    );
    let harmless = words(
        "ai_function_embedding_default_credentials ai_function_text_default_credentials
         arrow_flight_request_descriptor_type column_names_for_schema_inference
         default_materialized_view_sql_security default_normal_view_sql_security distributed_cache_file_cache_name
         file_like_engine_default_partition_strategy filesystem_cache_name format_schema_message_name
         format_schema_source format_template_resultset_format format_template_row_format
         format_template_rows_between_delimiter jemalloc_profile_text_output_format local_filesystem_read_method remote_filesystem_read_method
         rename_files_after_processing s3_uri_style s3queue_default_zookeeper_path schema_inference_hints
         schema_inference_mode storage_file_read_method temporary_files_codec trace_profile_events_list url_base",
    );
    let places = "(path|url|uri|file|schema|template|disk|policy|host|endpoint|credential|script|directory)";
    let found = listed(&format!(
        "SELECT name FROM system.settings WHERE match(name, '(?i){places}') AND alias_for = '' \
         AND NOT match(type, '^(Bool|U?Int64|Float|Double|Seconds|Milliseconds|NonZero|BoolAuto|UInt64Auto|MaxThreads)')"
    ));
    assert_known("settings of places", &found, &fixed.union(&harmless).cloned().collect());
    for name in &fixed {
        for who in WHO {
            let answer = sent_by(who, &format!("SELECT 1 SETTINGS {name} = 'x'"));
            assert_eq!(answer.header("x-clickhouse-exception-code"), Some("452"), "{who}: {name}: {}", answer.text());
            let url = format!("/?{name}=x&query={}", encode("SELECT 1"));
            assert!(send(SHARED.address, "GET", &url, &PIPELINE, b"").status >= 400, "{url}");
        }
    }
    let of_tables = "SELECT name FROM system.merge_tree_settings WHERE match(name, '^(.*_)?(disk|policy)$')";
    assert_known(
        "settings of tables",
        &listed(of_tables),
        &words("concurrent_part_removal_threshold_for_remote_disk disk storage_policy table_disk"),
    );
}
