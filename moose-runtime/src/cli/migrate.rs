//! `migrate`: applied and pending migrations, and applying them.

use std::fmt::Write as _;

use serde_json::json;

use super::{
    arguments::{Migrate, Outcome},
    error::CliError,
    server::Server,
    terminal,
};
use crate::{
    app::{SchemaState, Topology},
    clickhouse::Client,
    config::Config,
    declare::Program,
    migrate::{self, InDoubt, Options},
    migration::{DIRECTORY, Draft, Migrations, package_directory},
};

/// Runs the command. False if something is pending or differs.
pub(super) async fn migrate(program: Program, config: &Config, what: Migrate, json: bool) -> Result<bool, CliError> {
    let topology = Topology::linked(config)?;
    if let Migrate::Save { name } = what {
        return save(&topology, &name, json).map(|()| true);
    }
    let migrations = Migrations::of_program(program.schema)?;
    let server = Server::find(config).await?;
    let job = Job { client: server.client.clone(), migrations, topology, alone: server.is_own(), json };
    let result = job.run(what).await;
    server.close().await;
    result
}

struct Job {
    client: Client,
    migrations: Migrations,
    topology: Topology,
    /// The engine was started for the command.
    alone: bool,
    json: bool,
}

impl Job {
    async fn run(&self, what: Migrate) -> Result<bool, CliError> {
        match what {
            Migrate::Status => self.status().await,
            Migrate::Plan => self.plan().await,
            Migrate::Apply { in_doubt } => self.apply(in_doubt).await,
            Migrate::Baseline => self.baseline().await,
            Migrate::Save { .. } => Ok(true),
        }
    }

    async fn status(&self) -> Result<bool, CliError> {
        let state = SchemaState::look(&self.client, &self.topology, &self.migrations).await?;
        let clean = state.is_clean();
        let SchemaState { status, unsaved, drift } = state;
        if self.json {
            print(&json!({ "clean": clean, "status": status, "drift": drift, "unsaved": unsaved }))?;
            return Ok(clean);
        }
        let mut text = status.to_string();
        for found in &drift {
            let _ = writeln!(text, "DRIFT    {found}");
        }
        for change in &unsaved {
            let _ = writeln!(text, "UNSAVED  {change}");
        }
        text.push_str(if clean { "the database is as declared\n" } else { "" });
        if !status.pending.is_empty() {
            text.push_str("apply what is pending with `migrate apply`\n");
        }
        write_out(&text)?;
        Ok(clean)
    }

    async fn plan(&self) -> Result<bool, CliError> {
        let status = migrate::status(&self.client, &self.migrations).await?;
        let draft = draft(&self.topology, &self.migrations)?;
        let pending = |file: &str| status.pending.iter().any(|pending| pending.file == file);
        let files = self.migrations.files().iter().filter(|migration| pending(&migration.file()));
        if self.json {
            let files: Vec<_> =
                files.map(|migration| json!({ "file": migration.file(), "sql": migration.sql() })).collect();
            let draft = draft.as_ref().map(|draft| json!({ "changes": draft.lines(), "sql": draft.sql() }));
            print(&json!({ "pending": files, "differences": status.differences, "draft": draft }))?;
        } else {
            let mut text = String::new();
            for migration in files {
                let _ = writeln!(text, "-- {}\n{}", migration.file(), migration.sql().trim_end());
            }
            for difference in &status.differences {
                let _ = writeln!(text, "-- DIFFERS  {difference}");
            }
            if let Some(draft) = &draft {
                let _ =
                    writeln!(text, "-- not saved yet: save it with `migrate save <name>`\n{}", draft.sql().trim_end());
            }
            if text.is_empty() {
                text.push_str("-- nothing is pending\n");
            }
            write_out(&text)?;
        }
        Ok(status.is_clean() && draft.is_none())
    }

    async fn apply(&self, in_doubt: Option<Outcome>) -> Result<bool, CliError> {
        let options =
            Options { storage: self.topology.storage, alone: self.alone, in_doubt: in_doubt.map(InDoubt::from) };
        let done = migrate::apply(&self.client, &self.migrations, options).await?;
        if self.json {
            print(&json!({ "applied": done.migrations, "statements": done.statements }))?;
        } else if done.migrations.is_empty() {
            write_out("nothing is pending\n")?;
        } else {
            let lines: Vec<String> = done.migrations.iter().map(|file| format!("applied  {file}\n")).collect();
            write_out(&lines.concat())?;
        }
        Ok(true)
    }

    async fn baseline(&self) -> Result<bool, CliError> {
        let files = migrate::baseline(&self.client, &self.migrations, self.topology.storage).await?;
        if self.json {
            print(&json!({ "baseline": files }))?;
        } else if files.is_empty() {
            write_out("all migrations are applied already\n")?;
        } else {
            let lines: Vec<String> = files.iter().map(|file| format!("taken as applied  {file}\n")).collect();
            write_out(&lines.concat())?;
        }
        Ok(true)
    }
}

/// The migration that is not saved yet; `None` if there is nothing to save.
fn draft(topology: &Topology, migrations: &Migrations) -> Result<Option<Draft>, CliError> {
    Draft::of(migrations, &topology.declared_tables(), &topology.dropped_tables)
        .map_err(|refused| CliError::Refused { list: refused.to_string() })
}

/// Writes it into the package, whose files count here, not those embedded in the binary.
fn save(topology: &Topology, name: &str, json: bool) -> Result<(), CliError> {
    let directory = package_directory().join(DIRECTORY);
    let there = Migrations::read(&directory)?.unwrap_or_default();
    let draft = draft(topology, &there)?;
    let saved = match &draft {
        Some(draft) => Some(draft.save(&directory, name)?),
        None => None,
    };
    if json {
        let changes = draft.map(|draft| draft.lines()).unwrap_or_default();
        return print(&json!({ "file": saved, "changes": changes }));
    }
    match (saved, draft) {
        (Some(path), Some(draft)) => {
            let lines: Vec<String> = draft.lines().iter().map(|line| format!("  {line}\n")).collect();
            let lines = lines.concat();
            write_out(&format!("saved {}\n{lines}read it, and commit it with schema.json\n", path.display()))
        }
        _ => write_out("nothing to save: the migrations lead to what is declared\n"),
    }
}

fn print(value: &serde_json::Value) -> Result<(), CliError> {
    write_out(&format!("{value}\n"))
}

fn write_out(text: &str) -> Result<(), CliError> {
    terminal::print(text.as_bytes()).map_err(CliError::system("write the result"))
}
