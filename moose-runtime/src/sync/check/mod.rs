//! The check of tables: which delivery guarantee holds for each table that a stream fills, found out before the first
//! record is written.
//!
//! It only reads: a check changes nothing on the server. [`check`] runs it, [`Flaw`] is what it may find, [`Report`]
//! prints all of it in one message.

mod flaw;
mod judge;
mod seen;
#[cfg(test)]
mod tests;

use std::fmt::{self, Display};

pub use flaw::{Effect, Flaw};

use self::seen::{Grants, Seen};
use crate::{
    clickhouse::{ClickHouseError, Client},
    schema::{self, Storage},
};

/// The delivery guarantee for the rows of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Promise {
    /// Every record once, whatever fails.
    ExactlyOnce,
    /// Every record; after certain failures some of them twice. The reasons say which.
    AtLeastOnce(Vec<String>),
    /// After certain failures of the server rows can be missing. The reasons say which.
    MayLose(Vec<String>),
}

/// The findings about one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableReport {
    /// Its name.
    pub table: String,
    /// All findings, the most severe first.
    pub flaws: Vec<Flaw>,
}

impl TableReport {
    /// The guarantee for the table.
    pub fn promise(&self) -> Promise {
        let reasons = |wanted: &[Effect]| -> Vec<String> {
            self.flaws.iter().filter(|flaw| wanted.contains(&flaw.effect())).map(ToString::to_string).collect()
        };
        if self.flaws.iter().any(|flaw| matches!(flaw.effect(), Effect::Loses | Effect::Unknown)) {
            return Promise::MayLose(reasons(&[Effect::Unknown, Effect::Loses, Effect::Repeats]));
        }
        let reasons = reasons(&[Effect::Repeats]);
        if reasons.is_empty() { Promise::ExactlyOnce } else { Promise::AtLeastOnce(reasons) }
    }

    /// Nothing can be inserted into the table as it is, as far as known; records wait in the stream.
    pub fn is_blocked(&self) -> bool {
        self.flaws.iter().any(|flaw| matches!(flaw.effect(), Effect::Blocks | Effect::Unknown))
    }
}

/// The findings about all tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Each table, in the order of the check.
    pub tables: Vec<TableReport>,
}

impl Report {
    /// Whether every table has the full guarantee.
    pub fn is_exactly_once(&self) -> bool {
        self.tables.iter().all(|table| table.promise() == Promise::ExactlyOnce)
    }

    /// Whether every table can be inserted into.
    pub fn is_open(&self) -> bool {
        !self.tables.iter().any(TableReport::is_blocked)
    }

    /// The findings about one table.
    pub fn table(&self, name: &str) -> Option<&TableReport> {
        self.tables.iter().find(|report| report.table == name)
    }
}

impl Display for Promise {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::ExactlyOnce => "exactly once",
            Self::AtLeastOnce(_) => "at least once, not exactly once",
            Self::MayLose(_) => "not kept through every failure of the server",
        })
    }
}

impl Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("what is promised for each table:")?;
        for report in &self.tables {
            write!(formatter, "\n  {}: {}", report.table, report.promise())?;
            for flaw in &report.flaws {
                write!(formatter, "\n    {}: {flaw}", flaw.effect())?;
                if let Some(remedy) = flaw.remedy(&report.table) {
                    write!(formatter, "; {remedy}")?;
                }
            }
        }
        Ok(())
    }
}

/// Checks the tables. Fails only if the server is away; a table that it does not describe is a finding.
pub async fn check<'a>(
    client: &Client,
    storage: Storage,
    tables: impl IntoIterator<Item = &'a schema::Table>,
) -> Result<Report, ClickHouseError> {
    let server = client.setting_names().await?;
    let mut report = Report::default();
    for table in tables {
        let seen = async {
            let (facts, grants) = (client.facts(&table.name).await?, Grants::ask(client, table).await?);
            Ok(Seen { storage, declared: table, server: &server, facts, grants })
        };
        let mut flaws = match seen.await {
            Ok(seen) => judge::flaws(&seen),
            Err(error @ ClickHouseError::Unreachable { .. }) => return Err(error),
            Err(error) => vec![Flaw::NotSeen { reason: error.to_string() }],
        };
        flaws.sort_by_key(|flaw| std::cmp::Reverse(flaw.effect()));
        report.tables.push(TableReport { table: table.name.clone(), flaws });
    }
    Ok(report)
}
