//! `readers list|adopt|forget`: which groups have read the streams, and taking over or deleting their cursors.
//!
//! As with dead letters, the running instance of the data directory is asked through its management port; where none
//! runs, the command opens the streams itself.

use std::{fmt::Write as _, process::ExitCode, sync::Arc};

use serde_json::{Value, json};

use super::{addresses, arguments::Readers, error::CliError, management, server::Server, terminal};
use crate::{
    app::{Books, ReaderCommand, ReaderDesk, Topology, streams},
    config::Config,
    manage::READERS_PATH,
};

/// Runs the command.
pub(super) async fn readers(config: &Config, what: Readers, json: bool) -> Result<ExitCode, CliError> {
    let command = match what {
        Readers::List => ReaderCommand::List,
        Readers::Adopt { reader } => ReaderCommand::Adopt { reader },
        Readers::Forget { reader } => ReaderCommand::Forget { reader },
    };
    let answer = match addresses::running_management(&config.data_dir) {
        Some(address) => management::ask(address, READERS_PATH, &json!(command)).await?,
        None => alone(config, command).await?,
    };
    let text = if json { format!("{answer}\n") } else { text(&answer) };
    terminal::print(text.as_bytes()).map_err(CliError::system("write the result"))?;
    Ok(ExitCode::SUCCESS)
}

/// Opens the streams for this command.
async fn alone(config: &Config, command: ReaderCommand) -> Result<Value, CliError> {
    let topology = Topology::linked(config)?;
    let Some(books) = Books::open(&topology, config).await? else { return Ok(json!({ "readers": [] })) };
    // Adopting a reader needs the tables; on Kafka the registry of readers is beside them.
    let needed = streams::on_brokers(config) || matches!(command, ReaderCommand::Adopt { .. });
    let server = if needed { Some(Server::find(config).await) } else { None };
    let answer = match server.as_ref() {
        Some(Err(_)) => None,
        server => {
            let client = server.and_then(|server| server.as_ref().ok()).map(|server| server.client.clone());
            let desk = ReaderDesk::new(Arc::clone(books.streams()), client, books.ways().to_vec());
            Some(desk.answer(command).await)
        }
    };
    let closed = books.close().await;
    match (server.transpose()?, answer) {
        (server, Some(answer)) => {
            if let Some(server) = server {
                server.close().await;
            }
            closed?;
            answer.map_err(|reason| CliError::Desk { reason })
        }
        (_, None) => Err(CliError::Desk { reason: "ClickHouse could not be asked".to_owned() }),
    }
}

/// The answer as text.
fn text(answer: &Value) -> String {
    let mut text = String::new();
    for (name, values) in answer.as_object().into_iter().flatten() {
        let values = values.as_array().map(Vec::as_slice).unwrap_or_default();
        if values.is_empty() {
            text.push_str("no readers\n");
        }
        for value in values {
            let word = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
            let number = |key: &str| value.get(key).and_then(Value::as_u64).unwrap_or_default();
            // Writing to a String does not fail.
            let _ = match name.as_str() {
                "readers" => {
                    let declared = value.get("declared").and_then(Value::as_bool) == Some(true);
                    let note = if declared { "" } else { ", not declared: records are kept for it" };
                    writeln!(
                        text,
                        "stream {} partition {}: {} at {} of {}, lag {}{note}",
                        word("stream"),
                        number("partition"),
                        word("reader"),
                        number("next"),
                        number("end"),
                        number("lag")
                    )
                }
                "adopted" => {
                    writeln!(text, "stream {}: {} goes on where {} was", word("stream"), word("heir"), word("reader"))
                }
                _ => writeln!(text, "stream {}: {} is forgotten", word("stream"), word("reader")),
            };
        }
    }
    text
}
