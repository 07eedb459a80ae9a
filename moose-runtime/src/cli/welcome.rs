//! The text that `dev` prints once everything is up: addresses, and a request to paste.

use std::{fmt::Write as _, net::SocketAddr, path::Path};

use super::sample;
use crate::{
    app::{ApiNode, StreamNode, TableNode, Topology},
    record::ColumnSpec,
};

/// The content of the text.
pub(super) struct Welcome<'a> {
    /// Name and version of the program.
    pub(super) program: (&'a str, &'a str),
    /// The command that started the program.
    pub(super) called: &'a str,
    /// The front door's APIs.
    pub(super) doors: Vec<Door>,
    /// Name and columns of each table.
    pub(super) tables: Vec<(String, Vec<String>)>,
    /// Address of the front door.
    pub(super) http: SocketAddr,
    /// Address of the management port.
    pub(super) management: SocketAddr,
    /// URL of ClickHouse.
    pub(super) clickhouse: &'a str,
    /// Users of the embedded engine with their passwords: the pipeline's user, and the read-only one.
    pub(super) users: Option<[(&'a str, &'a str); 2]>,
    /// Database of the tables.
    pub(super) database: &'a str,
    /// The data directory.
    pub(super) data_dir: &'a Path,
}

/// One API and where its records go.
pub(super) struct Door {
    /// Name of the API.
    api: String,
    /// Its stream.
    stream: String,
    /// The tables that the stream fills.
    tables: Vec<String>,
    /// A sample record for it.
    sample: String,
}

impl Door {
    /// The APIs of a pipeline.
    pub(super) fn of(topology: &Topology) -> Vec<Self> {
        let door = |ApiNode { name, topic, new_batch }: &ApiNode| {
            let tables = topology.stream(topic).into_iter().flat_map(StreamNode::tables).collect();
            Self::new(name, topic, tables, new_batch().columns())
        };
        topology.apis.iter().map(door).collect()
    }

    fn new(api: &str, stream: &str, tables: Vec<String>, columns: &[ColumnSpec]) -> Self {
        Self { api: api.to_owned(), stream: stream.to_owned(), tables, sample: sample::record(columns) }
    }
}

/// Names of the tables and of their columns.
pub(super) fn tables_of(topology: &Topology) -> Vec<(String, Vec<String>)> {
    let columns = |table: &crate::schema::Table| table.columns.iter().map(|column| column.name.clone()).collect();
    topology.tables.iter().map(TableNode::table).map(|table| (table.name.clone(), columns(table))).collect()
}

impl Welcome<'_> {
    /// The whole text; the ready line last.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string can't fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        let (name, version) = self.program;
        writeln!(text, "\n{name} {version}\n")?;
        self.write_doors(text)?;
        self.write_tables(text)?;
        writeln!(text, "  management    http://{}  /ready /health /metrics", self.management)?;
        let clickhouse = self.write_clickhouse(text)?;
        writeln!(text, "  data          {}\n", self.data_dir.display())?;
        self.write_example(text, &clickhouse)?;
        let engine = self.clickhouse.trim_start_matches("http://");
        writeln!(text, "ready: http={} management={} clickhouse={engine}", self.http, self.management)
    }

    /// The address to paste, with credentials; the read-only user for the example.
    fn write_clickhouse(&self, text: &mut String) -> Result<String, std::fmt::Error> {
        let (url, database) = (self.clickhouse.trim_end_matches('/'), self.database);
        let Some([all, reading]) = self.users else {
            let address = format!("{url}/?database={database}");
            writeln!(text, "  ClickHouse    {address}")?;
            return Ok(address);
        };
        let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let address = |(user, password): (&str, &str)| format!("{url}/?user={user}&password={}", encoded(password));
        writeln!(text, "  ClickHouse    {}", address(all))?;
        writeln!(text, "  to read only  {}", address(reading))?;
        Ok(address(reading))
    }

    fn write_doors(&self, text: &mut String) -> std::fmt::Result {
        let address = format!("http://{}", self.http);
        if self.doors.is_empty() {
            return writeln!(text, "  front door    {address}  (no API is declared)");
        }
        writeln!(text, "  front door    {address}")?;
        let api_width = width(self.doors.iter().map(|door| door.api.as_str()));
        let stream_width = width(self.doors.iter().map(|door| door.stream.as_str()));
        for Door { api, stream, tables, .. } in &self.doors {
            write!(text, "                POST /ingest/{api:api_width$}  -> stream ")?;
            match tables.as_slice() {
                [] => writeln!(text, "{stream}")?,
                [table] => writeln!(text, "{stream:stream_width$}  -> table {table}")?,
                several => writeln!(text, "{stream:stream_width$}  -> tables {}", several.join(", "))?,
            }
        }
        Ok(())
    }

    fn write_tables(&self, text: &mut String) -> std::fmt::Result {
        let name_width = width(self.tables.iter().map(|(name, _)| name.as_str()));
        for (index, (name, columns)) in self.tables.iter().enumerate() {
            let title = if index == 0 { "tables" } else { "" };
            writeln!(text, "  {title:12}  {name:name_width$}  ({})", columns.join(", "))?;
        }
        Ok(())
    }

    /// A request to paste, and a query for its result.
    fn write_example(&self, text: &mut String, clickhouse: &str) -> std::fmt::Result {
        let Some(door) = self.doors.first() else { return Ok(()) };
        let Door { api, sample, tables, .. } = door;
        writeln!(text, "Try it:\n")?;
        writeln!(
            text,
            "  curl -X POST http://{}/ingest/{api} -H 'Content-Type: application/json' -d {}",
            self.http,
            sample::shell_word(sample)
        )?;
        if let Some(table) = tables.first() {
            let query = format!("SELECT * FROM {table}");
            writeln!(text, "  {} query {}", self.called, sample::shell_word(&query))?;
            writeln!(text, "  curl {} -d {}", sample::shell_word(clickhouse), sample::shell_word(&query))?;
        }
        writeln!(text)
    }
}

fn width<'a>(names: impl Iterator<Item = &'a str>) -> usize {
    names.map(|name| name.chars().count()).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::DataType;

    const ID: ColumnSpec = ColumnSpec::new("id", &["id"], DataType::String);

    fn welcome() -> Welcome<'static> {
        Welcome {
            program: ("shop", "1.2.3"),
            called: "target/debug/shop",
            doors: vec![
                Door::new("audit", "audit_log", vec!["audit".to_owned(), "audit_archive".to_owned()], &[ID]),
                Door::new("events", "events", vec!["events".to_owned()], &[ID]),
                Door::new("raw", "raw", Vec::new(), &[ID]),
            ],
            tables: vec![
                ("audit".to_owned(), vec!["id".to_owned()]),
                ("audit_archive".to_owned(), vec!["id".to_owned(), "at".to_owned()]),
            ],
            http: "127.0.0.1:4000".parse().unwrap(),
            management: "127.0.0.1:4001".parse().unwrap(),
            clickhouse: "http://127.0.0.1:4002",
            users: Some([("moose", "s3cret&"), ("readonly", "an0ther")]),
            database: "moose",
            data_dir: Path::new(".moose"),
        }
    }

    #[test]
    fn it_says_what_is_where_how_to_try_it_and_at_last_that_it_is_ready() {
        insta::assert_snapshot!(welcome().text(), @r#"
        shop 1.2.3

          front door    http://127.0.0.1:4000
                        POST /ingest/audit   -> stream audit_log  -> tables audit, audit_archive
                        POST /ingest/events  -> stream events     -> table events
                        POST /ingest/raw     -> stream raw
          tables        audit          (id)
                        audit_archive  (id, at)
          management    http://127.0.0.1:4001  /ready /health /metrics
          ClickHouse    http://127.0.0.1:4002/?user=moose&password=s3cret%26
          to read only  http://127.0.0.1:4002/?user=readonly&password=an0ther
          data          .moose

        Try it:

          curl -X POST http://127.0.0.1:4000/ingest/audit -H 'Content-Type: application/json' -d '{"id":"id-1"}'
          target/debug/shop query 'SELECT * FROM audit'
          curl 'http://127.0.0.1:4002/?user=readonly&password=an0ther' -d 'SELECT * FROM audit'

        ready: http=127.0.0.1:4000 management=127.0.0.1:4001 clickhouse=127.0.0.1:4002
        "#);
    }

    #[test]
    fn a_server_of_ones_own_has_users_of_its_own() {
        let text = Welcome { users: None, ..welcome() }.text();
        assert!(text.contains("  ClickHouse    http://127.0.0.1:4002/?database=moose\n"), "{text}");
        assert!(!text.contains("password"), "{text}");
    }

    #[test]
    fn without_an_api_there_is_nothing_to_try() {
        let text = Welcome { doors: Vec::new(), ..welcome() }.text();
        assert!(text.contains("(no API is declared)"), "{text}");
        assert!(!text.contains("Try it"), "{text}");
        assert!(text.ends_with("ready: http=127.0.0.1:4000 management=127.0.0.1:4001 clickhouse=127.0.0.1:4002\n"));
    }
}
