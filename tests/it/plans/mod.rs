//! The law of plans, on the real engine: whatever table is there and whatever is declared, applying the plan gives exactly
//! the declared table, and every row with every value that the plan does not say to drop.
//!
//! Each walk goes through several schemas and adds rows at each, so that columns are missing in older parts. A plan either
//! is stopped by its guard before anything changes, or is carried out.

mod walk;

use moose_runtime::internal::{
    migration::{Action, Draft, Migration, Migrations, RecordedSchema, Saved},
    schema::{Storage, Table, quote_string},
};
use moose_tests::{
    http::{self, try_sql},
    is_full,
    random::Random,
};

use crate::stage::Stage;

use walk::{Walk, stored_values};

/// Rows that each schema of a walk gets.
const ROWS: u64 = 10;

#[tokio::test]
async fn a_plan_gives_exactly_the_declared_table_with_every_row_that_it_promises() {
    let stage = Stage::new().await;
    let mut random = Random::seeded();
    let (mut applied, mut stopped) = (0, 0);
    for number in 0..if is_full() { 120 } else { 5 } {
        let mut scene = Scene::new(&stage, random.branch(), number).await;
        for _ in 0..if is_full() { 8 } else { 5 } {
            if scene.step().await { applied += 1 } else { stopped += 1 }
        }
    }
    eprintln!("{applied} plans applied, {stopped} stopped by their guard");
    assert!(applied > 0);
}

#[tokio::test]
async fn a_list_of_structs_comes_whole_and_stays_whole() {
    let stage = Stage::new().await;
    let mut scene = Scene::new(&stage, Random::seeded(), 0).await;
    for _ in 0..3 {
        let mut after = scene.table.recordable();
        scene.walk.add_nested_column(&mut after);
        assert!(scene.go_to(after).await, "adding a column stops at nothing");
    }
    let apart = scene.sql("SELECT count() FROM system.columns WHERE database = currentDatabase() AND name LIKE '%.%'");
    assert_eq!(apart.await, "0");
}

/// One walk in two databases: one where plans are applied, one where each schema is made anew.
struct Scene<'a> {
    stage: &'a Stage,
    walk: Walk,
    table: Table,
    migrations: Migrations,
    rows: u64,
    /// Where plans are applied, and where tables are made to compare with.
    databases: [String; 2],
}

impl<'a> Scene<'a> {
    async fn new(stage: &'a Stage, random: Random, number: u32) -> Self {
        let databases = ["walk", "fresh"].map(|name| format!("{}_{name}_{number}", stage.database));
        for database in &databases {
            stage.sql(&format!("CREATE DATABASE {database} ENGINE = Atomic")).await;
        }
        let (walk, table) = Walk::begin(random);
        let mut scene = Self { stage, walk, table, migrations: Migrations::default(), rows: 0, databases };
        let migration = scene.draft(&scene.table.clone()).expect("a first schema");
        assert!(scene.apply(&migration).await, "creating a table stops at nothing");
        scene.migrations = scene.saved(migration, scene.table.clone());
        scene.insert().await;
        scene
    }

    async fn sql(&self, statement: &str) -> String {
        http::sql(&self.url(0), statement).await
    }

    fn url(&self, database: usize) -> String {
        format!("{}/?database={}&mutations_sync=2&alter_sync=2", self.stage.engine.url(), self.databases[database])
    }

    /// Goes to another schema; answers whether the plan was carried out.
    async fn step(&mut self) -> bool {
        let after = self.walk.step(&self.table);
        self.go_to(after).await
    }

    async fn go_to(&mut self, after: Table) -> bool {
        let Some(migration) = self.draft(&after) else { return true };
        let context = format!("{}\n{}", self.table.create_statement("before", &Storage::Server), migration.sql());
        self.sql("DROP TABLE IF EXISTS shadow").await;
        self.shadow().await;
        let before = self.definition(0, "events").await;
        if !self.apply(&migration).await {
            assert_eq!(self.definition(0, "events").await, before, "a guard stops before anything changes:\n{context}");
            return false;
        }
        http::sql(&self.url(1), "DROP TABLE IF EXISTS events SYNC").await;
        http::sql(&self.url(1), &after.create_statement(&self.databases[1], &Storage::Server)).await;
        let (is, should) = (self.definition(0, "events").await, self.definition(1, "events").await);
        assert_eq!(is, should, "another table than declared:\n{context}");
        self.check_rows(&after, &context).await;
        self.migrations = self.saved(migration, after.recordable());
        self.table = after.recordable();
        self.insert().await;
        true
    }

    /// What a build would save; `None` without a difference.
    fn draft(&self, table: &Table) -> Option<Migration> {
        let draft = match Draft::of(&self.migrations, std::slice::from_ref(table), &[]) {
            Ok(draft) => draft?,
            Err(refused) => panic!("refused: {refused}"),
        };
        let file = format!("{:04}_step.sql", self.migrations.next_number());
        Some(Migration::parse(&file, &draft.sql()).expect("a draft is a migration"))
    }

    fn saved(&self, migration: Migration, table: Table) -> Migrations {
        let saved_with = Saved { number: migration.number(), name: migration.name().to_owned() };
        let version = RecordedSchema::VERSION;
        let schema = RecordedSchema { version, saved_with, tables: vec![table], kept: Vec::new() };
        let files = self.migrations.files().iter().cloned().chain([migration]).collect();
        Migrations::of(files, Some(schema)).expect("one after the other")
    }

    /// Runs the statements; answers false when a guard stops them.
    async fn apply(&self, migration: &Migration) -> bool {
        for step in migration.steps() {
            let Action::Statement(statement) = &step.action else { continue };
            let answer = try_sql(&self.url(0), statement).await;
            if answer.status != 200 && answer.text().contains("FUNCTION_THROW_IF_VALUE_IS_NON_ZERO") {
                return false;
            }
            assert_eq!(answer.status, 200, "{}\n{statement}\nof\n{}", answer.text(), migration.sql());
        }
        true
    }

    async fn insert(&mut self) {
        let (names, values) = stored_values(&self.table);
        let (from, count) = (self.rows, ROWS);
        self.sql(&format!(
            "INSERT INTO events ({names}) SELECT {values} FROM (SELECT number + {from} AS number FROM numbers({count})) \
             SETTINGS insert_allow_materialized_columns = 1"
        ))
        .await;
        self.rows += ROWS;
    }

    /// Keeps what the rows show before the plan, under the types of before.
    async fn shadow(&self) {
        let mut columns: Vec<String> = self.table.columns.iter().map(|column| column.name.clone()).collect();
        if self.table.provenance {
            columns.push("_stream_offset".to_owned());
        }
        let columns = columns.join(", ");
        // As a table without defaults, so that it holds what was shown.
        self.sql(&format!(
            "CREATE TABLE shadow ENGINE = MergeTree ORDER BY tuple() AS SELECT {columns} FROM events \
                          SETTINGS flatten_nested = 0"
        ))
        .await;
    }

    async fn check_rows(&self, after: &Table, context: &str) {
        let rows = self.sql("SELECT count(), uniqExact(id) FROM events").await;
        assert_eq!(rows, format!("{0}\t{0}", self.rows), "rows are lost or doubled:\n{context}");
        let mut conditions = Vec::new();
        if self.table.provenance && after.provenance {
            conditions.push("events._stream_offset = shadow._stream_offset".to_owned());
        }
        for column in &after.columns {
            let old_name = column.renamed_from.as_ref().unwrap_or(&column.name);
            let old = self.table.columns.iter().find(|old| old.name == *old_name);
            let name = &column.name;
            if let Some(condition) = old.and_then(|old| walk::is_kept(old, column)) {
                conditions.push(format!("({condition})"));
            } else if let Some(value) = walk::value_of_old_rows(old, column) {
                conditions.push(format!("(events.{name} IS NOT DISTINCT FROM CAST({value}, {}))", quoted(column)));
            }
        }
        if conditions.is_empty() {
            return;
        }
        let sum: Vec<String> = conditions.iter().map(|condition| format!("countIf(NOT {condition})")).collect();
        let found = self
            .sql(&format!("SELECT {} FROM events INNER JOIN shadow ON events.id = shadow.id", sum.join(", ")))
            .await;
        let wrong: Vec<_> = (found.split('\t').zip(&conditions)).filter(|(count, _)| *count != "0").collect();
        assert!(wrong.is_empty(), "values are not as promised: {wrong:?}\n{context}");
    }

    /// The table as the server has it, in a form in which only what means something differs.
    async fn definition(&self, database: usize, table: &str) -> Vec<String> {
        let url = self.url(database);
        let text = http::sql(&url, &format!("SHOW CREATE TABLE {table} FORMAT TSVRaw")).await;
        let is_column = |line: &&str| line.starts_with("    `");
        let mut lines: Vec<String> = text
            .lines()
            .filter(is_column)
            .map(|line| walk::without_ephemeral_default(line.trim_end_matches(',')))
            .collect();
        let mut rest: Vec<String> = text.lines().filter(|line| !is_column(line)).skip(1).map(clauses).collect();
        // Without a primary key it is the sorting key.
        let is_said_twice = |line: &String| {
            line.strip_prefix("PRIMARY KEY ").is_some_and(|key| text.lines().any(|it| it == format!("ORDER BY {key}")))
        };
        rest.retain(|line| !is_said_twice(line));
        rest.sort();
        lines.extend(rest);
        lines
    }
}

/// A line in which the order of settings does not count.
fn clauses(line: &str) -> String {
    let line = line.trim_end_matches(',');
    let Some(settings) = line.strip_prefix("SETTINGS ") else { return line.to_owned() };
    let mut settings: Vec<&str> = settings.split(", ").collect();
    settings.sort_unstable();
    settings.join(", ")
}

fn quoted(column: &moose_runtime::internal::schema::Column) -> String {
    quote_string(&column.data_type.to_string())
}
