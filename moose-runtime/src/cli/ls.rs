//! `ls`: the declared resources, and the rows in the tables.

use std::{collections::HashMap, fmt::Write as _};

use serde::Serialize;

use super::{error::CliError, server::Server, terminal};
use crate::{
    app::{ApiNode, TableNode, Topology, engine_path},
    config::Config,
};

/// The listing, which `--json` prints in this form.
#[derive(Debug, Serialize)]
struct Listing {
    apis: Vec<Api>,
    streams: Vec<Stream>,
    tables: Vec<Table>,
}

#[derive(Debug, Serialize)]
struct Api {
    name: String,
    path: String,
    stream: String,
}

#[derive(Debug, Serialize)]
struct Stream {
    name: String,
    partitions: u16,
    destinations: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Table {
    name: String,
    /// `None`: not created yet.
    rows: Option<u64>,
    bytes: Option<u64>,
    columns: Vec<Column>,
}

#[derive(Debug, Serialize)]
struct Column {
    name: String,
    #[serde(rename = "type")]
    data_type: String,
}

/// Rows and bytes of a table.
type Size = (u64, u64);

/// Lists tables, streams and APIs.
pub(super) async fn ls(config: &Config, json: bool) -> Result<(), CliError> {
    let topology = Topology::linked(config)?;
    let listing = Listing::new(&topology, &sizes(config).await?);
    let text = if json { format!("{}\n", serde_json::json!(listing)) } else { listing.text() };
    terminal::print(text.as_bytes()).map_err(CliError::system("write the list"))
}

/// The sizes of the existing tables.
async fn sizes(config: &Config) -> Result<HashMap<String, Size>, CliError> {
    // An engine that never ran has no tables, so none is started.
    let server = match Server::running(config)? {
        Some(server) => server,
        None if engine_path(config).exists() => Server::find(config).await?,
        None => return Ok(HashMap::new()),
    };
    let rows = server
        .client
        // As text, because settings decide whether ClickHouse writes large numbers in quotes.
        .query_rows::<(String, String, String)>(
            "SELECT name, toString(ifNull(total_rows, 0)), toString(ifNull(total_bytes, 0)) \
             FROM system.tables WHERE database = currentDatabase()",
        )
        .await;
    server.close().await;
    let number = |text: String| text.parse().unwrap_or(0);
    Ok(rows?.into_iter().map(|(name, rows, bytes)| (name, (number(rows), number(bytes)))).collect())
}

impl Listing {
    fn new(topology: &Topology, sizes: &HashMap<String, Size>) -> Self {
        let apis = topology.apis.iter().map(|ApiNode { name, topic, .. }| Api {
            name: name.clone(),
            path: format!("/ingest/{name}"),
            stream: topic.clone(),
        });
        let streams = topology.streams.iter().map(|stream| Stream {
            name: stream.topic.name.clone(),
            partitions: stream.topic.partitions,
            destinations: stream.tables().collect(),
        });
        let tables = topology.tables.iter().map(TableNode::table);
        let tables = tables.map(|table| Table::new(table, sizes.get(&table.name)));
        Self { apis: apis.collect(), streams: streams.collect(), tables: tables.collect() }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string can't fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        let names = |names: &mut dyn Iterator<Item = &String>| names.map(String::len).max().unwrap_or(0);
        writeln!(text, "APIs")?;
        let width = names(&mut self.apis.iter().map(|api| &api.path));
        for Api { path, stream, .. } in &self.apis {
            writeln!(text, "  POST {path:width$}  -> stream {stream}")?;
        }
        writeln!(text, "\nstreams")?;
        let width = names(&mut self.streams.iter().map(|stream| &stream.name));
        for Stream { name, partitions, destinations } in &self.streams {
            let plural = if *partitions == 1 { " " } else { "s" };
            let destinations = if destinations.is_empty() { "no table".to_owned() } else { destinations.join(", ") };
            writeln!(text, "  {name:width$}  {partitions} partition{plural}  -> {destinations}")?;
        }
        writeln!(text, "\ntables")?;
        let width = names(&mut self.tables.iter().map(|table| &table.name));
        for table in &self.tables {
            writeln!(text, "  {:width$}  {}", table.name, table.size())?;
            for Column { name, data_type } in &table.columns {
                writeln!(text, "    {name} {data_type}")?;
            }
        }
        Ok(())
    }
}

impl Table {
    fn new(table: &crate::schema::Table, size: Option<&Size>) -> Self {
        let columns = table
            .columns
            .iter()
            .map(|column| Column { name: column.name.clone(), data_type: column.data_type.to_string() });
        Self {
            name: table.name.clone(),
            rows: size.map(|(rows, _)| *rows),
            bytes: size.map(|(_, bytes)| *bytes),
            columns: columns.collect(),
        }
    }

    fn size(&self) -> String {
        match (self.rows, self.bytes) {
            (Some(rows), Some(bytes)) => {
                let plural = if rows == 1 { "" } else { "s" };
                format!("{rows} row{plural}, {}", bytesize::ByteSize::b(bytes))
            }
            _ => "not created yet".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing() -> Listing {
        let column = || Column { name: "id".to_owned(), data_type: "String".to_owned() };
        let table = |name: &str, size: Option<Size>| Table {
            name: name.to_owned(),
            rows: size.map(|size| size.0),
            bytes: size.map(|size| size.1),
            columns: vec![column()],
        };
        Listing {
            apis: vec![Api { name: "a".to_owned(), path: "/ingest/a".to_owned(), stream: "s".to_owned() }],
            streams: vec![
                Stream { name: "s".to_owned(), partitions: 1, destinations: vec!["t".to_owned(), "new".to_owned()] },
                Stream { name: "kept".to_owned(), partitions: 4, destinations: Vec::new() },
            ],
            tables: vec![table("t", Some((27_004, 123_456))), table("new", None)],
        }
    }

    #[test]
    fn people_get_names_sizes_and_columns() {
        insta::assert_snapshot!(listing().text(), @r"
        APIs
          POST /ingest/a  -> stream s

        streams
          s     1 partition   -> t, new
          kept  4 partitions  -> no table

        tables
          t    27004 rows, 120.6 KiB
            id String
          new  not created yet
            id String
        ");
    }

    #[test]
    fn programs_get_one_document_in_which_a_table_that_is_not_created_has_no_size() {
        let listing = serde_json::json!(listing());
        assert_eq!(listing["apis"], serde_json::json!([{ "name": "a", "path": "/ingest/a", "stream": "s" }]));
        assert_eq!(
            listing["streams"],
            serde_json::json!([
                { "name": "s", "partitions": 1, "destinations": ["t", "new"] },
                { "name": "kept", "partitions": 4, "destinations": [] },
            ])
        );
        let columns = [serde_json::json!({ "name": "id", "type": "String" })];
        assert_eq!(
            listing["tables"],
            serde_json::json!([
                { "name": "t", "rows": 27_004, "bytes": 123_456, "columns": columns },
                { "name": "new", "rows": null, "bytes": null, "columns": columns },
            ])
        );
    }
}
