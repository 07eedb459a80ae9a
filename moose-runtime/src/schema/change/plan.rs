//! Stages three and four: the plan of how each table is changed, and its text.

use std::fmt::{self, Display};

use super::super::{Table, quote_identifier, quote_string};
use super::{Change, PlanStep, Risk, TableChange, alter, model::line, rebuild};

/// The plan for changing a database from the recorded schema to the declared one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The tables, in order.
    pub tables: Vec<TablePlan>,
}

/// The plan for one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TablePlan {
    /// Name of the table.
    pub table: String,
    /// The changes, as text, with their risks.
    pub changes: Vec<(String, Risk)>,
    /// The steps, in order.
    pub steps: Vec<PlanStep>,
    /// Name under which a rebuild keeps the old table.
    pub kept: Option<String>,
    /// A table kept by an earlier rebuild that is dropped now.
    pub let_go: Option<String>,
}

/// The plan of these changes, in a migration of this number.
pub fn plan(changes: &[TableChange], number: u32) -> Plan {
    Plan { tables: changes.iter().map(|change| table_plan(change, number)).collect() }
}

fn table_plan(change: &TableChange, number: u32) -> TablePlan {
    match change {
        TableChange::Create(table) => TablePlan {
            table: table.name.clone(),
            changes: vec![(format!("create table with {}", columns(table)), Risk::Safe)],
            steps: vec![PlanStep::Statement(table.create_statement_as(&table.name))],
            kept: None,
            let_go: None,
        },
        TableChange::Drop { name, cluster } => {
            let cluster = cluster.as_ref().map(|name| format!(" ON CLUSTER {}", quote_string(name)));
            let statement = format!("DROP TABLE IF EXISTS {}{}", quote_identifier(name), cluster.unwrap_or_default());
            TablePlan {
                table: name.clone(),
                changes: vec![("drop table".to_owned(), Risk::Destructive)],
                steps: vec![PlanStep::Statement(statement)],
                kept: None,
                let_go: Some(name.clone()),
            }
        }
        TableChange::Alter { before, after, changes } => {
            let is_rebuilt = changes.iter().any(Change::needs_new_table);
            let mut told: Vec<(String, Risk)> =
                changes.iter().map(|change| (change.to_string(), change.risk())).collect();
            let kept = is_rebuilt.then(|| rebuild::kept(after, number));
            if let Some(kept) = &kept {
                told.push((format!("a new table takes its place; the old one is kept as `{kept}`"), Risk::Rewrite));
            }
            let steps = if is_rebuilt {
                rebuild::steps(before, after, changes, number)
            } else {
                alter::steps(before, after, changes)
            };
            TablePlan { table: after.name.clone(), changes: told, steps, kept, let_go: None }
        }
    }
}

/// `` `a`, `b` ``
fn columns(table: &Table) -> String {
    table.columns.iter().map(|column| quote_identifier(&column.name)).collect::<Vec<_>>().join(", ")
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// The changes, one line each: ``table `events`: add column `country` String (safe)``.
    pub fn lines(&self) -> Vec<String> {
        self.tables.iter().flat_map(TablePlan::lines).collect()
    }
}

impl TablePlan {
    fn lines(&self) -> Vec<String> {
        let line_of = |(change, risk): &(String, Risk)| format!("table `{}`: {} ({risk})", self.table, line(change));
        self.changes.iter().map(line_of).collect()
    }
}

/// The text of a migration, without its header.
impl Display for Plan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, table) in self.tables.iter().enumerate() {
            if index > 0 {
                formatter.write_str("\n")?;
            }
            for line in table.lines() {
                writeln!(formatter, "-- {line}")?;
            }
            for step in &table.steps {
                match step {
                    PlanStep::Drain(table) => writeln!(formatter, "-- moose: drain {table}")?,
                    PlanStep::Statement(statement) => writeln!(formatter, "{statement};")?,
                    PlanStep::Resume(table) => writeln!(formatter, "-- moose: resume {table}")?,
                }
            }
        }
        Ok(())
    }
}
