//! Users and grants of the embedded engine: generates its `users.xml`.
//!
//! Three users. `default` is the user of the library's own session, always and without a password: it may open the port
//! and keep the process alive. It may have one session, which is open before the port is, so nobody else can log in as
//! it. The pipeline's user has the tables of the one database, and what migrations and views need; the third user
//! reads. No source is granted (`file`, `url`, `remote`, `s3` and whatever a later version adds), no user management,
//! no `SYSTEM SHUTDOWN`, no further database, and of table engines only those that keep rows or pass them on inside.
//! Settings that name files, disks or servers are fixed. `tests/engine/grants.rs` asks the library itself what there is
//! to refuse.
//!
//! Two rights this library can't deny to users with a password: `SELECT file('/path')`, the function, reads what this
//! user of the machine may read; and the pipeline's user can turn a directory anywhere into a table's with `ATTACH
//! TABLE … FROM '/path'`.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{
    access::{Access, DATABASE, PIPELINE_USER, READING_USER},
    config::element,
    library::hexadecimal,
};
use crate::machine::{
    memory,
    open_files::{self, engine_connections},
};

/// The text of a `users.xml`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Users(String);

/// Shows nothing: it contains password hashes.
impl std::fmt::Debug for Users {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Users").finish_non_exhaustive()
    }
}

/// Maximum number of running statements of the read-only user. The pipeline has no such limit.
const READING_AT_ONCE: usize = 100;

/// The part of the engine's connections that these statements may have, so that the others are free for INSERTs: where few
/// files may be open there are few connections.
const READING_SHARE: usize = 2;

/// Of an engine that takes so many connections at once.
fn reading_at_once(connections: usize) -> usize {
    (connections / READING_SHARE).clamp(1, READING_AT_ONCE)
}

/// Memory limits of statements, in bytes.
struct Memory {
    /// Of one statement of the pipeline's user.
    working: u64,
    /// Of one statement of the read-only user, and of all of them together.
    reading: u64,
    reading_together: u64,
}

impl Memory {
    /// The limits for a machine with `total` bytes, of which ClickHouse uses nine tenths or, where other processes have
    /// more than the last one, less: two fifths for one large statement, a fifth for all read-only ones. The rest is
    /// for INSERTs, which would otherwise be refused with code 241 for as long as such a statement runs.
    fn of(total: Option<u64>) -> Self {
        const GIB: u64 = 1 << 30;
        let fifth = total.unwrap_or(8 * GIB) / 5;
        let reading_together = fifth.min(8 * GIB);
        Self { working: fifth * 2, reading: reading_together / 2, reading_together }
    }
}

/// Rights that the library's own session needs to open the port and to keep the process alive.
const HOLD: &[&str] = &[
    "GRANT SYSTEM LISTEN ON *.*",
    "GRANT CREATE DATABASE ON moose.*",
    "GRANT TABLE ENGINE ON Atomic",
    // For the table function that waits for the end of a pipe.
    "GRANT CREATE TEMPORARY TABLE ON *.*",
    "GRANT READ ON FILE",
];

/// Rights to see the state of the engine. Password hashes are not shown.
const LOOK: &[&str] = &[
    "GRANT SELECT, SHOW ON system.*",
    "GRANT SELECT ON information_schema.*",
    "GRANT SELECT ON INFORMATION_SCHEMA.*",
    "REVOKE SELECT ON system.users",
];

/// Rights that the pipeline, its migrations and their views need.
const WORK: &[&str] = &[
    "GRANT ALL ON moose.*",
    // Dictionary sources would run programs and read files.
    "REVOKE CREATE DICTIONARY ON moose.*",
    // The user could not create it again, and backups can leave the data directory.
    "REVOKE CREATE DATABASE, DROP DATABASE, BACKUP ON moose.*",
    "GRANT CREATE TEMPORARY TABLE, KILL QUERY ON *.*",
    "GRANT SYSTEM MERGES, SYSTEM FLUSH, SYSTEM DROP CACHE ON *.*",
    "GRANT CREATE FUNCTION, DROP FUNCTION ON *.*",
];

/// Table engines that keep rows, or pass them on inside the engine.
const TABLE_ENGINES: &[&str] = &[
    "AggregatingMergeTree",
    "Buffer",
    "CoalescingMergeTree",
    "CollapsingMergeTree",
    "Join",
    "Log",
    "MaterializedView",
    "Memory",
    "Merge",
    "MergeTree",
    "Null",
    "ReplacingMergeTree",
    "Set",
    "StripeLog",
    "SummingMergeTree",
    "TinyLog",
    "VersionedCollapsingMergeTree",
    "View",
];

const READ: &[&str] = &["GRANT SELECT, SHOW, dictGet ON moose.*", "GRANT CREATE TEMPORARY TABLE ON *.*"];

/// The loopback networks, IPv4 and IPv6.
const LOOPBACK: &[&str] = &["127.0.0.0/8", "::1"];
const ANYWHERE: &[&str] = &["::/0"];

impl Users {
    /// The users of an embedded engine that listens on `listen`.
    pub fn of(access: &Access, listen: SocketAddr) -> Self {
        let from = if listen.ip().is_loopback() { LOOPBACK } else { ANYWHERE };
        let engines: Vec<String> =
            TABLE_ENGINES.iter().map(|engine| format!("GRANT TABLE ENGINE ON {engine}")).collect();
        let work: Vec<&str> =
            WORK.iter().copied().chain(LOOK.iter().copied()).chain(engines.iter().map(String::as_str)).collect();
        let read: Vec<&str> = READ.iter().chain(LOOK).copied().collect();
        Self(format!(
            "<clickhouse>\n<profiles>\n{profiles}</profiles>\n<users>\n{hold}{pipeline}{reading}</users>\n\
             <quotas><default/></quotas>\n</clickhouse>\n",
            profiles = profiles(&Memory::of(memory::total()), reading_at_once(engine_connections(open_files::raise()))),
            hold = user("default", "<password/>", &["127.0.0.1"], "hold", None, HOLD),
            pipeline = user(PIPELINE_USER, &password(&access.moose), from, "pipeline", Some(DATABASE), &work),
            reading = user(READING_USER, &password(&access.readonly), from, "reading", Some(DATABASE), &read),
        ))
    }

    /// Custom users: the whole text of a `users.xml`, which must have a user `default` without a password.
    pub fn custom(xml: impl Into<String>) -> Self {
        Self(xml.into())
    }

    /// The text.
    pub(super) fn xml(&self) -> &str {
        &self.0
    }
}

/// Table settings that would lead out of the data directory: disks of one's own.
const DISKS: &[&str] = &["merge_tree_disk", "merge_tree_storage_policy", "merge_tree_table_disk"];

/// Statement settings that name files, which are written or read wherever they are, or servers.
const PATHS: &[&str] = &[
    "format_avro_schema_registry_url",
    "format_schema",
    "format_template_resultset",
    "format_template_row",
    "input_format_record_errors_file_path",
    "output_format_schema",
];

/// With this setting on, 100,000 nested expressions in a value of an INSERT end the process by stack overflow.
const DEEP: &str = "input_format_values_deduce_templates_of_expressions";

fn profiles(memory: &Memory, reading_at_once: usize) -> String {
    let setting = |name: &str, value: &str| element(name, value);
    // The maximum to which a statement may set it.
    let at_most =
        |bytes: u64| element("max_memory_usage", &(element("min", "1") + &element("max", &bytes.to_string())));
    let default = setting("implicit_select", "0")
        + &setting("cancel_http_readonly_queries_on_client_close", "1")
        + &setting(DEEP, "0");
    let hold = setting("max_sessions_for_user", "1");
    let fixed = |names: &[&str]| names.iter().map(|name| element(name, "<readonly/>")).collect::<String>();
    let pipeline = setting("max_memory_usage", &memory.working.to_string())
        + &setting("constraints", &(at_most(memory.working) + &fixed(DISKS) + &fixed(PATHS) + &fixed(&[DEEP])));
    let bounds = [
        at_most(memory.reading),
        fixed(&["max_memory_usage_for_user", "max_concurrent_queries_for_user"]),
        fixed(PATHS),
        fixed(&[DEEP]),
    ];
    let reading = [
        // Settings may be changed within these limits: clients send some with every statement.
        setting("readonly", "2"),
        setting("max_memory_usage", &memory.reading.to_string()),
        setting("max_memory_usage_for_user", &memory.reading_together.to_string()),
        setting("max_concurrent_queries_for_user", &reading_at_once.to_string()),
        setting("constraints", &bounds.concat()),
    ];
    let own = |name: &str, settings: &str| element(name, &(element("profile", "default") + settings)) + "\n";
    element("default", &default)
        + "\n"
        + &own("hold", &hold)
        + &own("pipeline", &pipeline)
        + &own("reading", &reading.concat())
}

fn password(secret: &str) -> String {
    element("password_sha256_hex", &hexadecimal(&Sha256::digest(secret.as_bytes())))
}

fn user(name: &str, password: &str, from: &[&str], profile: &str, database: Option<&str>, grants: &[&str]) -> String {
    let networks: String = from.iter().map(|network| element("ip", network)).collect();
    let grants: String = grants.iter().map(|grant| element("query", grant)).collect();
    let database = database.map(|database| element("default_database", database)).unwrap_or_default();
    let inner = [
        password.to_owned(),
        element("networks", &networks),
        element("profile", profile),
        element("quota", "default"),
        database,
        element("grants", &grants),
    ];
    element(name, &inner.concat()) + "\n"
}
