//! Files of migrations for the declarations of the tests.

use std::{
    fs,
    path::{Path, PathBuf},
};

use moose_runtime::internal::{
    declare::Model,
    schema::{Storage, Table},
};
use serde_json::json;

use crate::process::Launch;

/// The directory of a package, with its migrations.
#[derive(Clone, Debug)]
pub struct Package {
    directory: PathBuf,
}

impl Package {
    /// A package without migrations.
    ///
    /// # Panics
    /// When the directory can't be made.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        let package = Self { directory: directory.into() };
        fs::create_dir_all(package.migrations()).expect("a directory in the test's directory");
        package
    }

    fn migrations(&self) -> PathBuf {
        self.directory.join("migrations")
    }

    /// Path of a file of the package's migrations.
    pub fn file(&self, name: &str) -> PathBuf {
        self.migrations().join(name)
    }

    /// Writes a migration, and the schema that all of them lead to.
    ///
    /// # Panics
    /// When they can't be written.
    pub fn save(&self, file: &str, sql: &str, tables: &[Table]) {
        let (number, name) = file.trim_end_matches(".sql").split_once('_').expect("a file's name has a number");
        let number: u32 = number.parse().expect("a number");
        let saved = json!({ "version": 1, "saved_with": { "number": number, "name": name }, "tables": tables });
        fs::write(self.file(file), sql).expect("a file in the test's directory");
        fs::write(self.file("schema.json"), saved.to_string()).expect("a file in the test's directory");
    }

    /// Writes the migration `0001_first.sql`, which makes all declared tables.
    pub fn save_first(&self) {
        let tables = declared();
        let sql: Vec<String> = tables.iter().map(create).collect();
        self.save("0001_first.sql", &sql.join("\n"), &tables);
    }

    /// The same program on this package.
    #[must_use]
    pub fn on(&self, launch: Launch) -> Launch {
        launch.environment("CARGO_MANIFEST_DIR", &self.directory.to_string_lossy())
    }

    /// Where it lies.
    pub fn directory(&self) -> &Path {
        &self.directory
    }
}

/// The tables that the tests declare.
///
/// # Panics
/// When the declarations don't fit together.
pub fn declared() -> Vec<Table> {
    let model = Model::linked().expect("declarations that fit together");
    model.tables.into_iter().map(|declared| declared.table).collect()
}

/// The declared table of that name.
///
/// # Panics
/// When there is none.
pub fn declared_table(name: &str) -> Table {
    declared().into_iter().find(|table| table.name == name).expect("a declared table")
}

/// The statement that makes a table, as it stands in a migration: for a server, and without the database.
pub fn create(table: &Table) -> String {
    let statement = table.create_statement("moose", &Storage::Server);
    format!("{};\n", statement.replacen("`moose`.", "", 1).replacen(" IF NOT EXISTS", "", 1))
}

/// A rebuild of a declared table: a new one with this sorting key, a copy, an exchange. The old one stays as
/// `<table>__old_<number>`.
pub fn rebuild(table: &str, number: u32, order_by: &[&str]) -> String {
    let mut new = declared_table(table);
    new.name = format!("{table}__new_{number}");
    new.order_by = order_by.iter().map(|&name| name.to_owned()).collect();
    let columns: Vec<&str> = new.columns.iter().map(|column| column.name.as_str()).collect();
    let columns = format!("{}, _stream_epoch, _stream_partition, _stream_offset", columns.join(", "));
    format!(
        "-- moose: drain {table}\n{create}\
         INSERT INTO {new} ({columns}) SELECT {columns} FROM {table} SETTINGS insert_allow_materialized_columns = 1;\n\
         EXCHANGE TABLES {table} AND {new};\n\
         RENAME TABLE {new} TO {table}__old_{number};\n\
         -- moose: resume {table}\n",
        create = create(&new),
        new = new.name,
    )
}
