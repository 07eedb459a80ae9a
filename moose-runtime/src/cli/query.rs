//! `query "<sql>"`: runs one statement and prints its result.

use super::{error::CliError, server::Server, terminal};
use crate::config::Config;

/// The format for people, the same on a terminal and in a pipe.
const TABLE: &str = "PrettyCompactMonoBlock";

/// The format for programs, one line per row: it can be read while it is written, and an empty result has no lines.
const ROWS: &str = "JSONEachRow";

/// Runs the statement. A `FORMAT` in it overrides ours.
pub(super) async fn query(config: &Config, sql: &str, json: bool) -> Result<(), CliError> {
    let server = Server::find(config).await?;
    let result = server.client.unhurried().query_text(sql, if json { ROWS } else { TABLE }).await;
    server.close().await;
    terminal::print(&result?).map_err(CliError::system("write the result"))
}
