//! The table's side of the accounting: counts the records that it has, by its provenance columns.

use serde::Serialize;

use super::settings::Settings;
use crate::{
    clickhouse::{ClickHouseError, Client},
    schema::{Table, provenance, quote_identifier},
    stream::accounting::Account,
};

/// What a table has of one partition of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TableCounts {
    /// Rows of records that are done.
    pub rows: u64,
    /// Distinct records among them.
    pub records: u64,
    /// Rows of records that are not done yet: on their way, or finished since the stream was queried.
    pub ahead_rows: u64,
    /// Distinct records among those.
    pub ahead_records: u64,
    /// One more than the last offset that the table has; 0 without any.
    pub end: u64,
    /// Rows of records that the stream does not have, under epochs that it knows: it was restored from a copy since.
    pub beyond: u64,
    /// The table is not the one that the stream was synced into.
    pub replaced: bool,
}

impl TableCounts {
    /// How the table contradicts the stream; empty if both agree. `end` is the end of the stream's partition, queried
    /// after the table was.
    pub fn contradictions(&self, account: &Account, end: u64) -> Vec<String> {
        let mut found = Vec::new();
        if self.replaced {
            found.push("it is not the table that the stream was synced into".to_owned());
        }
        let doubled =
            (self.rows - self.records.min(self.rows)) + (self.ahead_rows - self.ahead_records.min(self.ahead_rows));
        if doubled > 0 {
            found.push(format!("{doubled} rows are there more than once"));
        }
        let least = account.inserted.saturating_add(account.replayed);
        if self.records < least {
            found.push(format!("{} rows were confirmed and are not there", least - self.records));
        }
        // A dead letter may be in the table while its replay is not recorded yet, or if it was dropped after a doubt.
        let most = account.inserted.saturating_add(account.dead_lettered);
        if self.records > most {
            found.push(format!("{} records are there that were not counted", self.records - most));
        }
        if self.end > end {
            found.push(format!("offset {} is there and the stream ends before {end}", self.end - 1));
        }
        found
    }
}

/// Why the records in a table can't be counted.
#[derive(Debug, thiserror::Error)]
pub enum Uncounted {
    /// There is none of that name, or none that our user may see.
    #[error("it is not there, or this user may not see it")]
    NoTable,
    /// It is declared without the provenance columns.
    #[error("it has no hidden columns (`.provenance(false)`)")]
    NoProvenance,
    /// Its engine merges rows.
    #[error("its engine {engine} collapses rows")]
    Collapses {
        /// The engine.
        engine: String,
    },
    /// No declared table has that name any more.
    #[error("it is not declared")]
    NotDeclared,
    /// The server failed to respond with numbers.
    #[error(transparent)]
    ClickHouse(#[from] ClickHouseError),
}

/// Counts the records of streams in tables.
#[derive(Debug)]
pub struct Counter<'a> {
    client: &'a Client,
    settings: Settings,
}

impl<'a> Counter<'a> {
    /// Queries what concerns all tables of the server. Fails if the server can't be queried at all.
    pub async fn new(client: &'a Client) -> Result<Self, ClickHouseError> {
        Ok(Self { client, settings: Settings::known_to(&client.setting_names().await?) })
    }

    /// Counts what the table has of an account's partition.
    pub async fn count(&self, table: &Table, account: &Account) -> Result<TableCounts, Uncounted> {
        let client = self.client;
        let state = client.table(&table.name).await?.ok_or(Uncounted::NoTable)?;
        if !state.keeps_every_row() {
            return Err(Uncounted::Collapses { engine: state.engine });
        }
        if !table.provenance {
            return Err(Uncounted::NoProvenance);
        }
        let unexpected = |reason| ClickHouseError::Unexpected { url: client.url().to_owned(), reason };
        let (offset, next) = (provenance::OFFSET, account.next);
        // Where each epoch begins and ends: what is beyond belongs to records that the stream has lost.
        let epochs: Vec<u64> = account.epochs.iter().map(|start| start.epoch).collect();
        let firsts: Vec<u64> = account.epochs.iter().map(|start| start.first).collect();
        let ends: Vec<u64> = firsts.iter().skip(1).copied().chain([u64::MAX]).collect();
        let of_epoch = |bounds: &[u64]| {
            let wide = |numbers: &[u64]| format!("CAST({numbers:?}, 'Array(UInt64)')");
            format!("transform({}, {}, {}, toUInt64({}))", provenance::EPOCH, wide(&epochs), wide(bounds), u64::MAX)
        };
        let sql = format!(
            // As text, because settings decide whether ClickHouse writes large numbers in quotes.
            "WITH {offset} >= {firsts} AND {offset} < {ends} AS known, known AND {offset} < {next} AS done, \
             known AND {offset} >= {next} AS ahead \
             SELECT toString(countIf(done)), toString(uniqExactIf({offset}, done)), \
             toString(countIf(ahead)), toString(uniqExactIf({offset}, ahead)), \
             toString(if(countIf(known) = 0, 0, maxIf({offset}, known) + 1)), toString(countIf(NOT known)) FROM {} \
             WHERE has(CAST({epochs:?}, 'Array(UInt64)'), {}) AND {} = {} AND {offset} >= {}{}",
            quote_identifier(&table.name),
            provenance::EPOCH,
            provenance::PARTITION,
            account.partition,
            account.from,
            self.settings.probe,
            firsts = of_epoch(&firsts),
            ends = of_epoch(&ends),
        );
        // All rows of the table are read: that may take a while.
        let rows: Vec<[String; 6]> = client.unhurried().query_rows(&sql).await?;
        let not_numbers = || unexpected("the answer to a count is not six numbers".to_owned());
        let row = rows.into_iter().next().ok_or_else(not_numbers)?;
        let [rows, records, ahead_rows, ahead_records, end, beyond] =
            row.map(|text| text.parse::<u64>().map_err(|_| not_numbers()));
        Ok(TableCounts {
            rows: rows?,
            records: records?,
            ahead_rows: ahead_rows?,
            ahead_records: ahead_records?,
            end: end?,
            beyond: beyond?,
            replaced: account.table_uuid.is_some_and(|known| known != state.uuid),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::EpochStart;

    fn account() -> Account {
        Account {
            stream: "s".to_owned(),
            partition: 0,
            table: "t".to_owned(),
            epoch: String::new(),
            id: None,
            epochs: vec![EpochStart { first: 0, epoch: 7 }],
            table_uuid: None,
            others: Vec::new(),
            views_in_doubt: Vec::new(),
            from: 0,
            next: 10,
            end: 12,
            inserted: 10,
            dead_lettered: 2,
            replayed: 1,
            without_record: 0,
        }
    }

    #[test]
    fn a_table_with_every_record_once_agrees() {
        let counts =
            TableCounts { rows: 11, records: 11, ahead_rows: 2, ahead_records: 2, end: 12, ..TableCounts::default() };
        assert_eq!(counts.contradictions(&account(), 12), Vec::<String>::new());
    }

    #[test]
    fn what_is_missing_doubled_or_from_nowhere_is_told() {
        let counts =
            TableCounts { rows: 11, records: 10, ahead_rows: 3, ahead_records: 2, end: 13, ..TableCounts::default() };
        let found = counts.contradictions(&account(), 12);
        assert_eq!(
            found,
            [
                "2 rows are there more than once",
                "1 rows were confirmed and are not there",
                "offset 12 is there and the stream ends before 12",
            ]
        );
        let counts = TableCounts { rows: 13, records: 13, end: 10, ..TableCounts::default() };
        assert_eq!(counts.contradictions(&account(), 12), ["1 records are there that were not counted"]);
    }
}
