//! The draft: what the declarations have beyond the migrations, and saving it as the next migration.
//!
//! The build script and the binary's `migrate` both use this, so what a build drafts is what either of them saves.

use std::{
    fmt::{self, Display},
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
};

use crate::schema::{
    Table,
    change::{Declared, Plan, PlanStep, Recorded, Refusal, diff, plan},
};

use super::{
    Action, Migration, MigrationError, Migrations, RecordedSchema, SCHEMA_FILE, Saved,
    file::{check_name, file_name},
};

/// A migration without a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    number: u32,
    plan: Plan,
    /// The schema that it leads to.
    tables: Vec<Table>,
    /// Names of the old tables kept by rebuilds, after it.
    kept: Vec<String>,
}

/// Changes that need a decision of the author before they can be drafted; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The changes, each with what to write.
    pub refusals: Vec<Refusal>,
}

/// One line for each.
impl Display for Refused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, refusal) in self.refusals.iter().enumerate() {
            let line_end = if index == 0 { "" } else { "\n" };
            write!(formatter, "{line_end}{refusal}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Refused {}

impl Draft {
    /// The draft that leads from `migrations` to the declared `tables`, where `dropped` names the tables that may be
    /// dropped; `None` if the migrations already lead there.
    pub fn of(migrations: &Migrations, tables: &[Table], dropped: &[String]) -> Result<Option<Self>, Refused> {
        let recorded = migrations
            .schema()
            .map_or_else(Recorded::default, |schema| Recorded { tables: &schema.tables, kept: &schema.kept });
        let changes = diff(recorded, Declared { tables, dropped }).map_err(|refusals| Refused { refusals })?;
        if changes.is_empty() {
            return Ok(None);
        }
        let number = migrations.next_number();
        let plan = plan(&changes, number);
        let is_let_go = |name: &&String| !plan.tables.iter().any(|table| table.let_go.as_ref() == Some(*name));
        let mut kept: Vec<String> = recorded.kept.iter().filter(is_let_go).cloned().collect();
        kept.extend(plan.tables.iter().filter_map(|table| table.kept.clone()));
        Ok(Some(Self { number, plan, tables: tables.iter().map(Table::recordable).collect(), kept }))
    }

    /// What changes, one line each.
    pub fn lines(&self) -> Vec<String> {
        self.plan.lines()
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The text of the migration.
    pub fn sql(&self) -> String {
        format!(
            "-- Made from the declarations. Read it, change it if need be, and commit it with {SCHEMA_FILE}; once it is\n\
             -- applied it stays as it is. Statements name no database: they run in the configured one.\n\n{}",
            self.plan
        )
    }

    /// Writes the migration and the schema that it leads to into the directory, and creates that if missing. Returns
    /// the path of the migration.
    ///
    /// The directory is read again: it must be the same as when the draft was made.
    pub fn save(&self, directory: &Path, name: &str) -> Result<PathBuf, MigrationError> {
        check_name(name)?;
        let there = Migrations::read(directory)?.unwrap_or_default();
        if let Some(file) = there.files().iter().find(|file| file.name() == name) {
            return Err(MigrationError::NameTaken { name: name.to_owned(), file: file.file() });
        }
        let file = file_name(self.number, name);
        if there.next_number() != self.number {
            return Err(MigrationError::Overtaken { file });
        }
        let sql = self.sql();
        self.check(&file, &sql)?;
        let saved_with = Saved { number: self.number, name: name.to_owned() };
        let schema = RecordedSchema {
            version: RecordedSchema::VERSION,
            saved_with,
            tables: self.tables.clone(),
            kept: self.kept.clone(),
        };
        let mut json = serde_json::to_string_pretty(&schema).map_err(|source| MigrationError::Schema { source })?;
        json.push('\n');

        fs::create_dir_all(directory).map_err(|source| MigrationError::Write { path: directory.to_owned(), source })?;
        let (migration, schema) = (directory.join(&file), directory.join(SCHEMA_FILE));
        let (new_migration, new_schema) = (temporary(&migration), temporary(&schema));
        write(&new_migration, &sql)?;
        write(&new_schema, &json)?;
        // A kill between the two leaves a schema without its migration, which the next build refuses. In the opposite
        // order the next build would draft the same changes again.
        rename(&new_schema, &schema)?;
        rename(&new_migration, &migration)?;
        Ok(migration)
    }

    /// Fails if an expression of the author would change where its statement ends.
    fn check(&self, file: &str, sql: &str) -> Result<(), MigrationError> {
        let planned = self.plan.tables.iter().flat_map(|table| &table.steps).map(|step| match step {
            PlanStep::Drain(table) => Action::Drain(table.clone()),
            PlanStep::Statement(statement) => Action::Statement(statement.trim_end().to_owned()),
            PlanStep::Resume(table) => Action::Resume(table.clone()),
        });
        let read = Migration::parse(file, sql)?;
        let odd = planned
            .zip(read.steps().iter().map(Some).chain(std::iter::repeat(None)))
            .find_map(|(planned, step)| (step.map(|step| &step.action) != Some(&planned)).then_some(planned));
        match odd {
            Some(Action::Statement(statement) | Action::Drain(statement) | Action::Resume(statement)) => {
                Err(MigrationError::Expression { statement })
            }
            None => Ok(()),
        }
    }
}

/// A name beside `path` that no other process uses.
fn temporary(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    PathBuf::from(name)
}

fn write(path: &Path, text: &str) -> Result<(), MigrationError> {
    let written = File::create(path).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|source| MigrationError::Write { path: path.to_owned(), source })
}

fn rename(from: &Path, to: &Path) -> Result<(), MigrationError> {
    fs::rename(from, to).map_err(|source| MigrationError::Write { path: to.to_owned(), source })
}

#[cfg(test)]
#[path = "draft_tests.rs"]
mod tests;
