//! The configuration: `moose.toml`, then the environment (`MOOSE_…`, `__` between levels), then flags.
//!
//! Every key is a field here and a line of the table in `keys.rs`, from which loading, the messages and
//! `docs/configuration.md` are made. An unknown key is an error that names the nearest known one; a value that does not
//! fit is an error that says what would. A [`Config`] that [`load`](Config::load) returns is within all bounds.

mod keys;
mod load;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
mod value;

use std::{collections::BTreeMap, fmt, net::SocketAddr, path::PathBuf, time::Duration};

pub use bytesize::ByteSize;

pub(crate) use keys::flags;
pub use load::{ConfigError, Flag, Sources};

/// All settings of a process.
#[derive(Clone, Debug)]
pub struct Config {
    /// The directory of everything durable.
    pub data_dir: PathBuf,
    /// The application.
    pub app: AppConfig,
    /// The front door.
    pub http: HttpConfig,
    /// The management port.
    pub management: ManagementConfig,
    /// The ClickHouse to write to; without `url` the embedded engine.
    pub clickhouse: ClickHouseConfig,
    /// The embedded engine.
    pub engine: EngineConfig,
    /// How streams are synced into tables.
    pub sync: SyncConfig,
    /// The embedded stream.
    pub stream: StreamConfig,
    /// The Kafka that keeps the streams; without `brokers` the embedded log.
    pub kafka: KafkaConfig,
    /// How much may be held in memory.
    pub memory: MemoryConfig,
    /// How the process stops.
    pub shutdown: ShutdownConfig,
}

/// `app.*`
#[derive(Clone, Debug)]
pub struct AppConfig {
    /// Names the cursors: two applications on one stream each have their own.
    pub name: String,
}

/// `http.*`
#[derive(Clone, Debug)]
pub struct HttpConfig {
    /// Address of the front door; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Largest request body as sent.
    pub max_body: ByteSize,
    /// Largest request body once decompressed.
    pub max_decompressed: ByteSize,
    /// How long a client may take to send its request head.
    pub header_timeout: Duration,
    /// How many connections may be open at once.
    pub max_connections: usize,
}

/// `management.*`
#[derive(Clone, Debug)]
pub struct ManagementConfig {
    /// Address of the management port; port 0 lets the system choose.
    pub listen: SocketAddr,
}

/// `clickhouse.*`
#[derive(Clone)]
pub struct ClickHouseConfig {
    /// HTTP address, such as `http://clickhouse:8123`.
    pub url: Option<String>,
    /// User name.
    pub user: String,
    /// Password.
    pub password: String,
    /// Database of the tables.
    pub database: String,
}

/// Shows everything but the password.
impl fmt::Debug for ClickHouseConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ClickHouseConfig")
            .field("url", &self.url)
            .field("user", &self.user)
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

/// `engine.*`
#[derive(Clone)]
pub struct EngineConfig {
    /// Address of the embedded engine's HTTP interface; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Password of the pipeline's user; if empty, the stored one, or a new one.
    pub password: String,
    /// Whether the engine's whole log is written to a file.
    pub log: bool,
}

/// Shows everything but the password.
impl fmt::Debug for EngineConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("EngineConfig")
            .field("listen", &self.listen)
            .field("log", &self.log)
            .finish_non_exhaustive()
    }
}

/// `sync.*`
#[derive(Clone, Copy, Debug)]
pub struct SyncConfig {
    /// A range closes at exactly this many records.
    pub max_rows: usize,
    /// A range closes once its encoding has this many bytes.
    pub max_bytes: ByteSize,
    /// A range closes this long after its first record.
    pub max_delay: Duration,
    /// Lag in time above which `/ready` fails, unless the backlog is being worked off.
    pub lag_bound: Duration,
}

/// `stream.*`
#[derive(Clone, Copy, Debug)]
pub struct StreamConfig {
    /// Age after which synced records are deleted, unless the stream declares its own.
    pub retention: Duration,
    /// Most that one stream may take on disk; above it the front door answers 503.
    pub disk_budget: ByteSize,
}

/// `kafka.*`
#[derive(Clone, Default)]
pub struct KafkaConfig {
    /// `host:port` of some brokers, separated by commas.
    pub brokers: Option<String>,
    /// Replication factor of topics that are created; 0 for the brokers' default.
    pub replication_factor: usize,
    /// More properties of librdkafka.
    pub properties: BTreeMap<String, String>,
}

/// Shows names of properties, never their values: passwords are among them.
impl fmt::Debug for KafkaConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("KafkaConfig")
            .field("brokers", &self.brokers)
            .field("replication_factor", &self.replication_factor)
            .field("properties", &self.properties.keys())
            .finish()
    }
}

/// `memory.*`
#[derive(Clone, Copy, Debug)]
pub struct MemoryConfig {
    /// Most bytes of records that are held at once: half of it at the front door, half on the way into tables.
    pub budget: ByteSize,
}

/// `shutdown.*`
#[derive(Clone, Copy, Debug)]
pub struct ShutdownConfig {
    /// How long a graceful shutdown may take.
    pub deadline: Duration,
}

impl Default for Config {
    fn default() -> Self {
        let loopback = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Self {
            data_dir: PathBuf::from(".moose"),
            app: AppConfig { name: "moose".to_owned() },
            http: HttpConfig {
                listen: loopback(4000),
                max_body: ByteSize::mib(10),
                max_decompressed: ByteSize::mib(64),
                header_timeout: Duration::from_secs(10),
                max_connections: 1024,
            },
            management: ManagementConfig { listen: loopback(4001) },
            clickhouse: ClickHouseConfig {
                url: None,
                user: "default".to_owned(),
                password: String::new(),
                database: "moose".to_owned(),
            },
            engine: EngineConfig { listen: loopback(4002), password: String::new(), log: false },
            sync: SyncConfig {
                max_rows: 100_000,
                max_bytes: ByteSize::mib(64),
                max_delay: Duration::from_secs(1),
                lag_bound: Duration::from_mins(1),
            },
            stream: StreamConfig { retention: Duration::from_hours(24 * 7), disk_budget: ByteSize::gib(16) },
            kafka: KafkaConfig::default(),
            memory: MemoryConfig { budget: ByteSize::mib(512) },
            shutdown: ShutdownConfig { deadline: Duration::from_secs(30) },
        }
    }
}
