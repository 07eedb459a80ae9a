//! Which room of `moose-runtime` may name which, and which libraries live where (the house of `docs/architecture.md`).

use std::collections::BTreeSet;

use super::source::{Seen, Sight};

/// The ground floor: anyone may import it, and it imports no room.
const GROUND: &[&str] = &["config", "error", "fault", "machine", "memory", "shutdown", "telemetry", "time"];

/// Each room with the rooms below that it may import. A room that is missing here is a finding of its own.
const ROOMS: &[(&str, &[&str])] = &[
    ("schema", &[]),
    ("record", &["schema"]),
    ("declare", &["record", "schema"]),
    // The files of migrations: read, written and embedded, never run.
    ("migration", &["schema"]),
    ("build", &["declare", "migration", "schema"]),
    // Bytes in, bytes out: a stream never sees a record type.
    ("stream", &[]),
    ("clickhouse", &["schema"]),
    // How any port is served: what is answered there is its room's.
    ("port", &[]),
    // Knows nothing of the product: it could be anybody's.
    ("engine", &[]),
    // What a record must be to get into a stream, whoever has it.
    ("inlet", &["record", "stream"]),
    ("ingest", &["inlet", "port", "record", "stream"]),
    ("drain", &["clickhouse", "schema"]),
    ("sync", &["clickhouse", "drain", "record", "schema", "stream"]),
    ("migrate", &["clickhouse", "drain", "migration", "schema"]),
    ("manage", &["port", "stream"]),
    // `run!` and `app!`: what they expand to belongs to the program they stand in, and names `__private` alone.
    ("macros", &[]),
    (
        "app",
        &[
            "clickhouse",
            "declare",
            "drain",
            "engine",
            "ingest",
            "inlet",
            "manage",
            "migrate",
            "migration",
            "record",
            "schema",
            "stream",
            "sync",
        ],
    ),
    (
        "cli",
        &[
            "app",
            "clickhouse",
            "declare",
            "engine",
            "manage",
            "migrate",
            "migration",
            "record",
            "schema",
            "stream",
            "sync",
        ],
    ),
];

/// Libraries by the beginning of their paths, each with the places under `src/` that may name it.
const LIBRARIES: &[(&str, &[&str])] = &[
    ("axum", &["ingest", "manage", "port"]),
    // A command asks the running instance.
    ("hyper::client", &["clickhouse", "cli"]),
    ("hyper_util::client", &["clickhouse"]),
    // The application hands the official client's queries out.
    ("clickhouse", &["clickhouse", "app"]),
    ("rdkafka", &["stream/kafka"]),
    ("fjall", &["stream/log"]),
    ("rustix", &["machine"]),
    ("libloading", &["engine"]),
];

/// What the code of `file` (its path under `moose-runtime/src`) may not name, with the line.
pub(super) fn check(file: &str, seen: &[Seen]) -> Vec<(usize, String)> {
    let module = module_of(file);
    if file.split(['/', '.']).any(|part| part == "tests" || part.ends_with("_tests")) {
        return Vec::new();
    }
    let Some(room) = module.first() else { return Vec::new() };
    let mut findings = Vec::new();
    if !GROUND.contains(&room.as_str()) && !ROOMS.iter().any(|(known, _)| known == room) {
        findings.push((1, format!("`{room}` has no place in the house: give it one in tests/it/tidy/layers.rs")));
    }
    for seen in seen.iter().filter(|seen| !seen.in_test) {
        if let Some((modules, segments)) = seen.sight.path() {
            let around: Vec<String> = module.iter().chain(modules).cloned().collect();
            let complaint = match local(&around, segments) {
                Some(target) => layer(room, &target),
                None => library(file, &segments.join("::")),
            };
            findings.extend(complaint.map(|complaint| (seen.line, complaint)));
        }
        let complaint = match &seen.sight {
            Sight::Name { name, .. } if name.starts_with("chdb_") => chdb(file, name),
            // A text with spaces tells somebody about the library; a name without is used.
            Sight::Literal(text) if text.contains("chdb") && !text.contains(char::is_whitespace) => chdb(file, text),
            _ => None,
        };
        findings.extend(complaint.map(|complaint| (seen.line, complaint)));
    }
    findings
}

/// The rooms that a file names besides its own.
pub(super) fn named(file: &str, seen: &[Seen]) -> Vec<(String, String)> {
    let module = module_of(file);
    let Some(room) = module.first() else { return Vec::new() };
    let targets = seen.iter().filter(|seen| !seen.in_test).filter_map(|seen| {
        let (modules, segments) = seen.sight.path()?;
        let around: Vec<String> = module.iter().chain(modules).cloned().collect();
        local(&around, segments)?.into_iter().next()
    });
    targets.filter(|target| target != room).map(|target| (room.clone(), target)).collect()
}

/// Imports that are permitted and that nobody needs, given those that there are.
pub(super) fn unused(named: &BTreeSet<(String, String)>) -> Vec<String> {
    let permitted = ROOMS.iter().flat_map(|(room, below)| below.iter().map(move |target| (*room, *target)));
    permitted
        .filter(|(room, target)| !named.contains(&((*room).to_owned(), (*target).to_owned())))
        .map(|(room, target)| {
            format!("tests/it/tidy/layers.rs: `{room}` may import `{target}` and does not: take it away")
        })
        .collect()
}

/// Module path of a file under `src/`.
pub(super) fn module_of(file: &str) -> Vec<String> {
    let path = file.trim_end_matches(".rs");
    let path = path.strip_suffix("/mod").unwrap_or(path);
    if matches!(path, "lib" | "main" | "mod") {
        return Vec::new();
    }
    path.split('/').map(str::to_owned).collect()
}

/// The path from the crate's root, when it is one into this crate.
pub(super) fn local(around: &[String], segments: &[String]) -> Option<Vec<String>> {
    let (head, rest) = segments.split_first()?;
    match head.as_str() {
        "crate" | "moose_runtime" => Some(rest.to_vec()),
        "self" => Some(around.iter().chain(rest).cloned().collect()),
        "super" => {
            let ups = segments.iter().take_while(|segment| *segment == "super").count();
            let base = around.get(..around.len().saturating_sub(ups))?;
            Some(base.iter().chain(&segments[ups..]).cloned().collect())
        }
        _ => None,
    }
}

fn layer(room: &str, target: &[String]) -> Option<String> {
    let target = target.first()?.as_str();
    if target == room || GROUND.contains(&target) {
        return None;
    }
    if target == "prelude" {
        return Some("the prelude is for users: import from the room itself".to_owned());
    }
    if !ROOMS.iter().any(|(known, _)| *known == target) {
        return None;
    }
    let below = ROOMS.iter().find(|(known, _)| *known == room).map_or(&[][..], |(_, below)| below);
    if below.contains(&target) {
        return None;
    }
    let may = if below.is_empty() { "nothing but the ground floor".to_owned() } else { below.join(", ") };
    Some(format!("`{room}` names `{target}`: it may import {may}"))
}

fn library(file: &str, path: &str) -> Option<String> {
    let begins = |prefix: &str| path == prefix || path.strip_prefix(prefix).is_some_and(|rest| rest.starts_with("::"));
    if begins("serde_json") && file.starts_with("record/") && !under(file, &["record/json"]) {
        return Some("the JSON reader of records is named only under record/json/".to_owned());
    }
    let (name, places) = LIBRARIES.iter().find(|(name, _)| begins(name))?;
    (!under(file, places)).then(|| format!("`{name}` belongs under {} only", places.join("/, ") + "/"))
}

fn chdb(file: &str, name: &str) -> Option<String> {
    (!under(file, &["engine"])).then(|| format!("{name}: the engine's library is named only under engine/"))
}

fn under(file: &str, places: &[&str]) -> bool {
    places.iter().any(|place| file.strip_prefix(place).is_some_and(|rest| rest.starts_with('/') || rest == ".rs"))
}

#[cfg(test)]
mod tests {
    use super::{super::source::look, check};

    /// The findings for one line in a file.
    fn findings(file: &str, code: &str) -> Vec<String> {
        let seen = look(code).expect("Rust");
        check(file, &seen).into_iter().map(|(line, complaint)| format!("{line}: {complaint}")).collect()
    }

    #[test]
    fn every_line_across_the_layers_is_found() {
        for (file, code) in [
            ("schema/table.rs", "use crate::record::ColumnSpec;"),
            ("record/mod.rs", "use crate::declare::Stream;"),
            ("stream/log/mod.rs", "use crate::record::ErasedBatch;"),
            ("ingest/mod.rs", "fn f() { crate::clickhouse::ping(); }"),
            ("ingest/mod.rs", "use super::clickhouse::Client;"),
            ("ingest/answer.rs", "use crate::{config::Config, sync::Worker};"),
            ("ingest/answer.rs", "use super::super::sync::Worker;"),
            ("ingest/mod.rs", "mod inner { use super::super::engine::Engine; }"),
            ("sync/worker.rs", "fn f() { println!(\"{}\", crate::ingest::PATH); }"),
            ("sync/worker.rs", "use ::moose_runtime::ingest::Door;"),
            ("clickhouse/mod.rs", "use crate::engine::Engine;"),
            ("manage/mod.rs", "pub(crate) use crate::app::App;"),
            ("app.rs", "use crate::cli::Command;"),
            ("config.rs", "use crate::stream::Retention;"),
            ("record/mod.rs", "use crate::prelude::*;"),
            ("novelty/mod.rs", ""),
            ("sync/mod.rs", "use axum::Router;"),
            ("ingest/mod.rs", "use hyper_util::{client::legacy::Client, rt::TokioIo};"),
            ("sync/mod.rs", "fn f(c: ::clickhouse::Client) {}"),
            ("stream/log/mod.rs", "use rdkafka as kafka;"),
            ("stream/mod.rs", "type K = fjall::Keyspace;"),
            ("record/seed.rs", "use serde_json::value::RawValue;"),
            ("cli/mod.rs", "fn f() { engine.chdb_connect(); }"),
            ("cli/mod.rs", "const NAME: &str = \"libchdb.so\";"),
        ] {
            assert_eq!(findings(file, code).len(), 1, "{file}: {code}");
        }
        let line = findings("sync/mod.rs", "//! Words.\n\nuse axum::Router;");
        assert_eq!(line, ["3: `axum` belongs under ingest/, manage/, port/ only"]);
    }

    #[test]
    fn lines_within_the_layers_are_not() {
        for (file, code) in [
            ("declare/mod.rs", "use crate::{record::OlapRecord, schema::Table};"),
            ("sync/worker.rs", "use super::range::Range; use crate::{clickhouse::Client, stream::Backend};"),
            ("ingest/mod.rs", "use axum::Router; use hyper_util::server::conn::auto;"),
            ("clickhouse/insert.rs", "use hyper::client::conn::http1; use clickhouse::Client;"),
            ("record/json/serde.rs", "use serde_json::Deserializer;"),
            ("sync/mod.rs", "//! Not an import: `crate::ingest`.\n/// nor this: libchdb\n// crate::cli::x\nfn f() {}"),
            ("sync/mod.rs", "#[cfg(test)] mod tests { use crate::engine::Engine; use axum::Router; }"),
            ("sync/tests.rs", "use crate::engine::Engine;"),
            ("cli/mod.rs", "use crate::{app::App, engine, sync::Worker};"),
            ("macros.rs", "macro_rules! run { () => { $crate::__private::main() } }"),
            ("lib.rs", "pub use record::OlapRecord; pub mod prelude { pub use crate::cli::x; }"),
            ("cli/mod.rs", "const HELP: &str = \"where libchdb.so lies\";"),
            ("engine/ffi.rs", "const NAME: &str = \"libchdb.so\"; fn f() { chdb_connect(); }"),
            ("config.rs", "use crate::shutdown::Deadline;"),
        ] {
            assert_eq!(findings(file, code), Vec::<String>::new(), "{file}: {code}");
        }
    }
}
