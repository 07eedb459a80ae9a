//! The one table of configuration keys: name, default, bounds and description of each.

use std::{ops::RangeInclusive, time::Duration};

use super::{Config, value::Slot};

/// Prefix of the configuration's environment variables.
pub(super) const ENVIRONMENT_PREFIX: &str = "MOOSE";

/// Separator between the levels of a key in an environment variable.
pub(super) const ENVIRONMENT_SEPARATOR: &str = "__";

/// Variables (without the prefix, lower case) that belong to the build, the engine library or the tests.
pub(super) const NOT_CONFIGURATION: [&str; 4] = ["engine_library", "migrations", "save_migration", "schema"];

/// Variables with this prefix (after the first one, lower case) belong to the tests.
pub(super) const NOT_CONFIGURATION_PREFIX: &str = "test_";

/// One key of the configuration.
pub(super) struct Key {
    /// Path of the key, dots between the levels.
    pub(super) name: &'static str,
    /// Its command-line flag, if it has one, without dashes in front.
    pub(super) flag: Option<&'static str>,
    /// The default in words, where the value itself would not explain it.
    pub(super) default: Option<&'static str>,
    /// Its purpose, in one sentence.
    pub(super) meaning: &'static str,
    /// The field of the configuration, and the values allowed there.
    pub(super) slot: for<'a> fn(&'a mut Config) -> Slot<'a>,
}

impl Key {
    /// The environment variable.
    pub(super) fn environment(&self) -> String {
        environment_of(self.name)
    }

    /// The default as documented: the value, or a description.
    pub(super) fn default(&self, config: &mut Config) -> String {
        self.default.map_or_else(|| (self.slot)(config).show(), str::to_owned)
    }
}

/// A key that has a command-line flag, as the help shows it.
pub(crate) struct FlagHelp {
    /// The key.
    pub(crate) key: &'static str,
    /// The flag, without dashes in front.
    pub(crate) flag: &'static str,
    /// Its purpose, with default and environment variable.
    pub(crate) help: String,
}

/// All keys that have a command-line flag.
pub(crate) fn flags() -> Vec<FlagHelp> {
    let mut config = Config::default();
    let help = |key: &Key, config: &mut Config| {
        let meaning = key.meaning.trim_end_matches('.');
        format!("{meaning} [env: {}] [default: {}]", key.environment(), key.default(config))
    };
    KEYS.iter()
        .filter_map(|key| Some(FlagHelp { key: key.name, flag: key.flag?, help: help(key, &mut config) }))
        .collect()
}

/// The environment variable that sets `key`.
pub(super) fn environment_of(key: &str) -> String {
    format!("{ENVIRONMENT_PREFIX}_{}", key.replace('.', ENVIRONMENT_SEPARATOR).to_ascii_uppercase())
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;

const fn milliseconds(first: u64, last: Duration) -> RangeInclusive<Duration> {
    Duration::from_millis(first)..=last
}

/// The section whose keys are librdkafka's.
pub(super) const PROPERTIES: &str = "kafka.properties";

/// Properties that the streams' guarantees depend on: their values are fixed.
pub(super) const RESERVED_PROPERTIES: &[&str] = &[
    "acks",
    "auto.offset.reset",
    "bootstrap.servers",
    "client.id",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.idempotence",
    "enable.partition.eof",
    "group.id",
    "isolation.level",
    "metadata.broker.list",
    "partition.assignment.strategy",
    "request.required.acks",
    "transactional.id",
];

/// All keys, in the order of the reference.
pub(super) const KEYS: &[Key] = &[
    Key {
        name: "data_dir",
        flag: Some("data-dir"),
        default: None,
        meaning: "Where everything durable lies: the streams, the embedded engine's tables, `addresses.json`. The user's \
                  alone: made and mended at each start as 0700, files as 0600.",
        slot: |config| Slot::Path(&mut config.data_dir),
    },
    Key {
        name: "app.name",
        flag: None,
        default: Some("the package's name"),
        meaning: "Names the cursors: two applications on one stream each have their own.",
        slot: |config| Slot::Name(&mut config.app.name),
    },
    Key {
        name: "http.listen",
        flag: Some("http-listen"),
        default: None,
        meaning: "Address of the front door.",
        slot: |config| Slot::Address(&mut config.http.listen),
    },
    Key {
        name: "http.max_body",
        flag: None,
        default: None,
        meaning: "Largest request body as sent; a larger one is answered 413.",
        slot: |config| Slot::Size(&mut config.http.max_body, KIB..=GIB),
    },
    Key {
        name: "http.max_decompressed",
        flag: None,
        default: None,
        meaning: "Largest request body once decompressed; at least `http.max_body`.",
        slot: |config| Slot::Size(&mut config.http.max_decompressed, KIB..=GIB),
    },
    Key {
        name: "http.header_timeout",
        flag: None,
        default: None,
        meaning: "How long a client may take to send the head of a request, and may keep a connection idle.",
        slot: |config| Slot::Duration(&mut config.http.header_timeout, milliseconds(100, Duration::from_mins(10))),
    },
    Key {
        name: "http.max_connections",
        flag: None,
        default: None,
        meaning: "How many connections the front door keeps open at once; further ones wait. Fewer where the hard limit of open \
                  files leaves fewer, which is said at the start.",
        slot: |config| Slot::Count(&mut config.http.max_connections, 1..=65_536),
    },
    Key {
        name: "management.listen",
        flag: Some("management-listen"),
        default: None,
        meaning: "Address of the management port: `/metrics`, `/health`, `/ready`.",
        slot: |config| Slot::Address(&mut config.management.listen),
    },
    Key {
        name: "clickhouse.url",
        flag: Some("clickhouse-url"),
        default: Some("the embedded engine"),
        meaning: "HTTP address of the ClickHouse server to write to.",
        slot: |config| Slot::Url(&mut config.clickhouse.url),
    },
    Key {
        name: "clickhouse.user",
        flag: None,
        default: None,
        meaning: "User name at ClickHouse.",
        slot: |config| Slot::Text(&mut config.clickhouse.user),
    },
    Key {
        name: "clickhouse.password",
        flag: None,
        default: Some("none"),
        meaning: "Password at ClickHouse; better in the environment than in a file.",
        slot: |config| Slot::Text(&mut config.clickhouse.password),
    },
    Key {
        name: "clickhouse.database",
        flag: None,
        default: None,
        meaning: "Database of the tables.",
        slot: |config| Slot::Name(&mut config.clickhouse.database),
    },
    Key {
        name: "engine.listen",
        flag: Some("engine-listen"),
        default: None,
        meaning: "Address of the embedded engine's HTTP interface.",
        slot: |config| Slot::Address(&mut config.engine.listen),
    },
    Key {
        name: "engine.password",
        flag: None,
        default: Some("made at the first start"),
        meaning: "Password of the embedded engine's user `moose`; better in the environment than in a file. It is kept in \
                  `<data_dir>/engine/access.json`, with that of the user `readonly`, until another is set or the file is \
                  removed.",
        slot: |config| Slot::Secret(&mut config.engine.password),
    },
    Key {
        name: "engine.log",
        flag: None,
        default: None,
        meaning: "Whether everything that the embedded engine has to say is written to \
                  `<data_dir>/engine/clickhouse.log` (at most 400 MB); its warnings and errors are in the log of the \
                  application anyway.",
        slot: |config| Slot::Flag(&mut config.engine.log),
    },
    Key {
        name: "sync.max_rows",
        flag: None,
        default: None,
        meaning: "A range closes, and is inserted, at exactly this many records.",
        slot: |config| Slot::Count(&mut config.sync.max_rows, 1..=1_000_000),
    },
    Key {
        name: "sync.max_bytes",
        flag: None,
        default: None,
        meaning: "A range closes once its encoding has this many bytes.",
        slot: |config| Slot::Size(&mut config.sync.max_bytes, 64 * KIB..=GIB),
    },
    Key {
        name: "sync.max_delay",
        flag: None,
        default: None,
        meaning: "A range closes this long after its first record.",
        slot: |config| Slot::Duration(&mut config.sync.max_delay, milliseconds(1, Duration::from_mins(10))),
    },
    Key {
        name: "sync.lag_bound",
        flag: None,
        default: None,
        meaning: "Lag above which `/ready` says no, unless the backlog is being worked off.",
        slot: |config| Slot::Duration(&mut config.sync.lag_bound, milliseconds(1000, Duration::from_hours(24 * 7))),
    },
    Key {
        name: "stream.retention",
        flag: None,
        default: None,
        meaning: "Age after which records that every table has may go, unless the stream declares its own.",
        slot: |config| {
            Slot::Duration(&mut config.stream.retention, milliseconds(1000, Duration::from_hours(24 * 3650)))
        },
    },
    Key {
        name: "stream.disk_budget",
        flag: None,
        default: None,
        meaning: "Most that one stream may take on disk; above it the front door answers 503.",
        slot: |config| Slot::Size(&mut config.stream.disk_budget, MIB..=1024 * TIB),
    },
    Key {
        name: "kafka.brokers",
        flag: None,
        default: Some("the embedded log"),
        meaning: "`host:port` of some brokers of the Kafka that keeps the streams, divided by commas; needs a build with \
                  the feature `kafka` or `kafka-tls`.",
        slot: |config| Slot::Brokers(&mut config.kafka.brokers),
    },
    Key {
        name: "kafka.replication_factor",
        flag: None,
        default: Some("what the brokers are set to"),
        meaning: "How many brokers keep each topic that is made.",
        slot: |config| Slot::Count(&mut config.kafka.replication_factor, 0..=32),
    },
    Key {
        name: PROPERTIES,
        flag: None,
        default: Some("none"),
        meaning: "Any property of librdkafka by its own name, as in `kafka.properties.security.protocol`, for every \
                  client that is made.",
        slot: |config| Slot::Properties(&mut config.kafka.properties),
    },
    Key {
        name: "memory.budget",
        flag: None,
        default: None,
        meaning: "Most bytes of records that are held in memory: half of it at the front door, which answers 503 above \
                  it, and half on the way into tables, of which Kafka's clients may take a half for what they read \
                  ahead.",
        slot: |config| Slot::Size(&mut config.memory.budget, 16 * MIB..=TIB),
    },
    Key {
        name: "shutdown.deadline",
        flag: None,
        default: None,
        meaning: "How long an orderly stop may take: a third of it requests under way, then the tables what is left but for the \
                  last 5s.",
        slot: |config| Slot::Duration(&mut config.shutdown.deadline, milliseconds(1000, Duration::from_hours(1))),
    },
];
