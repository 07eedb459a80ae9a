//! `dead-letters list|show|replay|drop`: records that could not be stored, with the reason; sent again, or dropped.
//!
//! The running instance of the data directory is asked through its management port, because its log is locked. Where
//! none runs, the command opens the log itself, and for a replay starts the engine.

use std::{fmt::Write as _, process::ExitCode, sync::Arc};

use serde_json::{Value, json};

use super::{addresses, arguments::Letters, error::CliError, management, server::Server, terminal};
use crate::{
    app::{LetterCommand, LetterDesk, Topology, streams},
    config::Config,
    manage::DEAD_LETTERS_PATH,
};

/// Runs the command. Fails if some of the letters could not be replayed.
pub(super) async fn dead_letters(config: &Config, letters: Letters, json: bool) -> Result<ExitCode, CliError> {
    let command = match letters {
        Letters::List { table, after, limit } => LetterCommand::List { table, after, limit },
        Letters::Show { key } => LetterCommand::Show { key },
        Letters::Replay(which) => LetterCommand::Replay(which.into()),
        Letters::Drop(which) => LetterCommand::Drop(which.into()),
    };
    let answer = match addresses::running_management(&config.data_dir) {
        Some(address) => management::ask(address, DEAD_LETTERS_PATH, &json!(command)).await?,
        None => alone(config, command).await?,
    };
    let text = if json { format!("{answer}\n") } else { text(&answer) };
    terminal::print(text.as_bytes()).map_err(CliError::system("write the result"))?;
    let incomplete = |name| answer.get(name).and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    Ok(if incomplete("failed") || incomplete("unknown") { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Opens the log for this command.
async fn alone(config: &Config, command: LetterCommand) -> Result<Value, CliError> {
    let topology = Topology::linked(config)?;
    let streams = streams::open(config).await?;
    let replays = matches!(command, LetterCommand::Replay(_));
    let server = if replays { Some(Server::find(config).await?) } else { None };
    let client = server.as_ref().map(|server| server.client.clone());
    let desk = LetterDesk::new(Arc::clone(&streams), client, topology.destinations());
    let answer = desk.answer(command).await;
    if let Some(server) = server {
        server.close().await;
    }
    streams.close().await?;
    answer.map_err(|reason| CliError::Desk { reason })
}

/// The answer as text.
fn text(answer: &Value) -> String {
    let mut text = String::new();
    // Writing to a String does not fail.
    if let Some(letters) = answer.get("dead_letters").and_then(Value::as_array) {
        for letter in letters {
            let _ = writeln!(text, "{}\n    {} since {}", word(letter, "key"), reason(letter), word(letter, "since"));
        }
        if letters.is_empty() {
            text.push_str("no dead letters\n");
        }
        if let Some(next) = answer.get("next").and_then(Value::as_str) {
            let _ = writeln!(text, "more with --after {next}");
        }
        return text;
    }
    for (name, value) in answer.as_object().into_iter().flatten() {
        match value {
            Value::Null => {}
            Value::String(value) => _ = writeln!(text, "{name}: {value}"),
            Value::Array(values) => values.iter().for_each(|value| _ = writeln!(text, "{name}: {value}")),
            value => _ = writeln!(text, "{name}: {value}"),
        }
    }
    text
}

fn word<'a>(letter: &'a Value, name: &str) -> &'a str {
    letter.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn reason(letter: &Value) -> String {
    let mut text = word(letter, "reason").to_owned();
    for error in letter.get("errors").and_then(Value::as_array).into_iter().flatten() {
        let _ = write!(text, "; {}: {}", word(error, "pointer"), word(error, "message"));
    }
    if letter.get("maybe_stored").and_then(Value::as_bool) == Some(true) {
        text.push_str(" (maybe stored)");
    }
    text
}
