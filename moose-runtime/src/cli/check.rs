//! `check`: what is guaranteed for each table, and with `--counts` whether streams and tables have the same records.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::json;

use super::{addresses, error::CliError, management, server::Server, terminal};
use crate::{
    app::{Books, SchemaState, StreamNode, Topology, streams},
    config::Config,
    declare::Program,
    migration::Migrations,
    stream::accounting::Account,
    sync::{
        check::{self, Promise, Report},
        counts::{Counter, TableCounts, Uncounted},
    },
};

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Every table has the full guarantee, can be written, and agrees with the migrations and these with the
    /// declarations.
    Good,
    /// A table lacks the full guarantee or can't be written, a dead letter may be too large, or the counts disagree.
    Wrong,
    /// Migrations are pending or missing, or a table differs from what they lead to.
    Pending,
}

/// Prints the guarantee of each table, and the problems with migrations.
pub(super) async fn check(program: Program, config: &Config, json: bool) -> Result<Found, CliError> {
    let topology = Topology::linked(config)?;
    let migrations = Migrations::of_program(program.schema)?;
    let server = Server::find(config).await?;
    let report = check::check(&server.client, topology.storage, topology.filled_tables()).await;
    let problems = async {
        // A package without migrations does not need any.
        if migrations.files().is_empty() {
            return Ok(Vec::new());
        }
        SchemaState::look(&server.client, &topology, &migrations).await.map(|state| state.problems())
    }
    .await;
    server.close().await;
    let (report, problems) = (report?, problems?);
    let letters = letters(&topology, config).await?;
    let text = if json {
        format!("{}\n", as_json(&report, &problems, &letters))
    } else {
        let lines = problems.iter().map(|line| format!("migrations: {line}\n"));
        let lines = lines.chain(letters.iter().map(|line| format!("dead letters: {line}\n")));
        format!("{report}\n{}", lines.collect::<String>())
    };
    terminal::print(text.as_bytes()).map_err(CliError::system("write the result"))?;
    Ok(match problems.is_empty() {
        false => Found::Pending,
        true if report.is_exactly_once() && report.is_open() && letters.is_empty() => Found::Good,
        true => Found::Wrong,
    })
}

/// Which dead letters would be too large for where they are kept.
async fn letters(topology: &Topology, config: &Config) -> Result<Vec<String>, CliError> {
    if !streams::on_brokers(config) {
        return Ok(Vec::new());
    }
    let backend = streams::open(config).await?;
    let mut found = Vec::new();
    for StreamNode { topic, .. } in &topology.streams {
        match backend.letters_at_risk(&topic.name).await {
            Ok(flaw) => found.extend(flaw),
            Err(error) => found.push(format!("can't be checked: {error}")),
        }
    }
    backend.close().await?;
    Ok(found)
}

fn as_json(report: &Report, migrations: &[String], letters: &[String]) -> serde_json::Value {
    let tables = report.tables.iter().map(|table| {
        let promise = match table.promise() {
            Promise::ExactlyOnce => "exactly once",
            Promise::AtLeastOnce(_) => "at least once",
            Promise::MayLose(_) => "may lose",
        };
        let findings = table.flaws.iter().map(|flaw| {
            json!({ "effect": flaw.effect().to_string(), "message": flaw.to_string(), "remedy": flaw.remedy(&table.table) })
        });
        json!({
            "table": table.table,
            "promise": promise,
            "writable": !table.is_blocked(),
            "findings": findings.collect::<Vec<_>>(),
        })
    });
    json!({ "tables": tables.collect::<Vec<_>>(), "migrations": migrations, "dead_letters": letters })
}

/// Both sides of one account.
#[derive(Debug, Serialize)]
struct Line {
    #[serde(flatten)]
    account: Account,
    accepted: u64,
    in_the_stream: u64,
    /// The table's side; `None` if it can't be counted.
    counts: Option<TableCounts>,
    /// The contradictions between the two sides.
    contradictions: Vec<String>,
}

impl Line {
    fn new(account: Account, counts: Result<TableCounts, Uncounted>, end: u64) -> Self {
        let mut contradictions = Vec::new();
        if !account.is_balanced() {
            contradictions.push("accepted is not inserted + dead-lettered + in the stream".to_owned());
        }
        for other in &account.others {
            contradictions.push(format!("`{other}` has read the stream into the table too: see `readers list`"));
        }
        match &counts {
            Ok(counts) => contradictions.extend(counts.contradictions(&account, end)),
            Err(reason) => {
                contradictions.push(format!("the table can't be asked which records it has: {reason}"));
            }
        }
        let (accepted, in_the_stream) = (account.accepted(), account.in_the_stream());
        Self { accepted, in_the_stream, account, counts: counts.ok(), contradictions }
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        let Self { account, accepted, in_the_stream, counts, contradictions } = self;
        let Account { stream, partition, table, inserted, dead_lettered, replayed, without_record, .. } = account;
        writeln!(text, "stream {stream} partition {partition} -> table {table}")?;
        writeln!(
            text,
            "  stream  {accepted} accepted = {inserted} inserted + {dead_lettered} dead-lettered + {in_the_stream} in the stream"
        )?;
        if *without_record > 0 {
            writeln!(text, "          {without_record} more offsets hold no record (transactions, compaction)")?;
        }
        if *replayed > 0 {
            writeln!(text, "          {replayed} of the dead letters were replayed and are in the table")?;
        }
        match counts {
            Some(TableCounts { rows, records, ahead_rows, .. }) => {
                writeln!(text, "  table   {rows} rows of {records} records, and {ahead_rows} on their way")?;
            }
            None => writeln!(text, "  table   can't be asked")?,
        }
        if let Some(TableCounts { beyond: beyond @ 1.., .. }) = counts {
            writeln!(
                text,
                "          {beyond} more rows are of records that the stream does not have: perhaps it was put back from a copy"
            )?;
        }
        for (first, last) in &account.views_in_doubt {
            writeln!(text, "  note    views behind it may lack offsets {first}..={last}: compare them with the table")?;
        }
        for contradiction in contradictions {
            writeln!(text, "  WRONG   {contradiction}")?;
        }
        if contradictions.is_empty() {
            writeln!(text, "  agreed")?;
        }
        Ok(())
    }
}

/// Counts on both sides and prints them.
pub(super) async fn counts(config: &Config, json: bool) -> Result<Found, CliError> {
    let topology = Topology::linked(config)?;
    let lines = match addresses::running_management(&config.data_dir) {
        Some(address) => {
            let accounts = management::accounts(address).await?;
            let counts = counted(config, &topology, &accounts).await?;
            // Queried again, because records kept arriving meanwhile.
            let after = management::accounts(address).await?;
            both(accounts, counts, &after)
        }
        None => match Books::open(&topology, config).await? {
            Some(books) => {
                let lines = stopped(config, &topology, &books).await;
                books.close().await?;
                lines?
            }
            None => Vec::new(),
        },
    };
    let agreed = lines.iter().all(|line| line.contradictions.is_empty());
    let text = if json { format!("{}\n", json!({ "agreed": agreed, "accounts": lines })) } else { text(&lines) };
    terminal::print(text.as_bytes()).map_err(CliError::system("write the result"))?;
    Ok(if agreed { Found::Good } else { Found::Wrong })
}

async fn stopped(config: &Config, topology: &Topology, books: &Books) -> Result<Vec<Line>, CliError> {
    let accounts = books.accounting.accounts().await?;
    let counts = counted(config, topology, &accounts).await?;
    let after = accounts.clone();
    Ok(both(accounts, counts, &after))
}

/// The tables' side: each account's table is counted, or has a reason why not, independently of the others.
async fn counted(
    config: &Config,
    topology: &Topology,
    accounts: &[Account],
) -> Result<Vec<Result<TableCounts, Uncounted>>, CliError> {
    let server = Server::find(config).await?;
    let counted = async {
        let counter = Counter::new(&server.client).await?;
        let mut counts = Vec::with_capacity(accounts.len());
        for account in accounts {
            counts.push(match topology.filled_tables().find(|table| table.name == account.table) {
                Some(table) => counter.count(table, account).await,
                None => Err(Uncounted::NotDeclared),
            });
        }
        Ok(counts)
    }
    .await;
    server.close().await;
    counted
}

fn both(accounts: Vec<Account>, counts: Vec<Result<TableCounts, Uncounted>>, after: &[Account]) -> Vec<Line> {
    let same = |account: &Account, later: &Account| {
        (&account.stream, account.partition, &account.table) == (&later.stream, later.partition, &later.table)
    };
    accounts
        .into_iter()
        .zip(counts)
        .map(|(account, counts)| {
            let end = after.iter().find(|later| same(&account, later)).map_or(account.end, |later| later.end);
            Line::new(account, counts, end)
        })
        .collect()
}

fn text(lines: &[Line]) -> String {
    if lines.is_empty() {
        return "there are no streams here yet\n".to_owned();
    }
    let mut text = String::new();
    for line in lines {
        // Writing to a string can't fail.
        let _ = line.write(&mut text);
    }
    text
}
