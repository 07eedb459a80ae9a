//! Records of which table replaced which: written before an exchange, and read by a worker whose cursor knows another
//! table.

use uuid::Uuid;

use super::marker::UNKNOWN_TABLE;
use crate::{
    clickhouse::{ClickHouseError, Client},
    schema::{Storage, quote_identifier, quote_string},
};

/// The table of these records.
const TABLE: &str = "_moose_successors";

/// More changes than any cursor can have missed; a bound in case the records form a circle.
const MOST: usize = 1_000;

/// A table that replaces another one with all its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Successor {
    /// The name of both.
    pub table: String,
    /// The uuid before.
    pub was: Uuid,
    /// The uuid after.
    pub is: Uuid,
}

impl Successor {
    /// Records it. To be done before the exchange; a record without its exchange does no harm.
    pub async fn note(&self, client: &Client, storage: Storage) -> Result<(), ClickHouseError> {
        let name = quote_identifier(TABLE);
        let settings = if storage == Storage::Embedded {
            " SETTINGS fsync_after_insert = 1, fsync_part_directory = 1"
        } else {
            ""
        };
        client
            .execute(&format!(
                "CREATE TABLE IF NOT EXISTS {name} (`table` String, was UUID, is UUID, \
                 at DateTime64(3, 'UTC') DEFAULT now64(3)) ENGINE = MergeTree ORDER BY (`table`, at){settings}"
            ))
            .await?;
        let Self { table, was, is } = self;
        let table = quote_string(table);
        client.note(&format!("INSERT INTO {name} (`table`, was, is) VALUES ({table}, '{was}', '{is}')")).await
    }

    /// Whether table `is` replaced `was`, with its rows, by one exchange or several.
    pub async fn leads(client: &Client, table: &str, was: Uuid, is: Uuid) -> Result<bool, ClickHouseError> {
        let (name, table) = (quote_identifier(TABLE), quote_string(table));
        let sql = format!("SELECT was, is FROM {name} WHERE `table` = {table} ORDER BY at");
        match client.query_rows::<(Uuid, Uuid)>(&sql).await {
            Ok(notes) => Ok(reaches(&notes, was, is)),
            Err(error) if error.code() == Some(UNKNOWN_TABLE) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// An exchange that failed and was repeated has two records with the same `was`: any of them may lead on.
fn reaches(notes: &[(Uuid, Uuid)], was: Uuid, is: Uuid) -> bool {
    let mut known = vec![was];
    let mut at = 0;
    while let Some(from) = known.get(at).copied() {
        if from == is {
            return true;
        }
        let next: Vec<Uuid> = notes.iter().filter(|(was, _)| *was == from).map(|(_, is)| *is).collect();
        known.extend(next.into_iter().filter(|is| !known.contains(is)).collect::<Vec<_>>());
        at += 1;
        if at > MOST {
            return false;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn successors_lead_on_over_several_exchanges_and_failed_ones() {
        let [a, b, c, d] = [1, 2, 3, 4].map(Uuid::from_u128);
        let notes = [(a, b), (a, c), (c, d), (d, c)];
        assert!(reaches(&notes, a, d), "over c, whose exchange came after that of b had failed");
        assert!(reaches(&notes, a, b) && reaches(&notes, c, d));
        assert!(!reaches(&notes, b, d), "nothing leads on from a copy that was never put in place");
        assert!(!reaches(&[], a, b));
        assert!(!reaches(&[(a, b), (b, a)], a, c), "notes in a circle end");
    }
}
