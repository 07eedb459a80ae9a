//! The ClickHouse client: a connection pool for one server, user and database.

use std::{collections::HashSet, sync::Arc};

use bytes::Bytes;

use super::{
    ClickHouseError, Patience,
    insert::{InsertClient, http_client},
};
use crate::config::ClickHouseConfig;

/// Settings of INSERTs into our own bookkeeping tables: a response means stored, not queued, and no row is dropped as a
/// duplicate.
const NOTE: [(&str, &str); 4] =
    [("async_insert", "0"), ("wait_for_async_insert", "1"), ("insert_deduplicate", "0"), ("wait_end_of_query", "1")];

/// A complete result in the format `JSONCompact`.
#[derive(serde::Deserialize)]
struct Rows<T> {
    data: Vec<T>,
    /// The error if the query failed after the response had begun.
    exception: Option<String>,
}

/// A connection pool to one ClickHouse database. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    official: clickhouse::Client,
    insert: InsertClient,
    patience: Arc<Patience>,
    url: String,
    database: String,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Client")
            .field("url", &self.url)
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// A client of the server at `url`, with user, password and database from the configuration. Connects on first use.
    pub fn new(url: &str, config: &ClickHouseConfig) -> Result<Self, ClickHouseError> {
        let url = url.trim_end_matches('/').to_owned();
        let official = clickhouse::Client::with_http_client(http_client())
            .with_url(&url)
            .with_user(&config.user)
            .with_password(&config.password)
            .with_database(&config.database);
        let insert = InsertClient::new(&url, config)?;
        Ok(Self { official, insert, patience: Arc::default(), url, database: config.database.clone() })
    }

    /// The same for statements that may take hours: it waits as long as the server answers pings.
    #[must_use]
    pub fn unhurried(&self) -> Self {
        Self { patience: Arc::new(Patience::endless()), ..self.clone() }
    }

    /// Address of the server.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Database of the tables.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// The official client, for queries of the application's own.
    pub fn official(&self) -> &clickhouse::Client {
        &self.official
    }

    /// The client that INSERTs go through.
    #[doc(hidden)]
    pub fn insert(&self) -> &InsertClient {
        &self.insert
    }

    /// Runs a statement without a result.
    pub async fn execute(&self, sql: &str) -> Result<(), ClickHouseError> {
        self.guarded(async { self.official.query_raw(sql).execute().await }).await
    }

    /// Runs an INSERT into a bookkeeping table on which later decisions are based: once it returns, the row is stored,
    /// whatever the user's profile says about INSERTs.
    pub async fn note(&self, insert: &str) -> Result<(), ClickHouseError> {
        let query =
            NOTE.iter().fold(self.official.query_raw(insert), |query, (name, value)| query.with_setting(*name, *value));
        self.guarded(async { query.execute().await }).await
    }

    /// Runs a query and returns its result as bytes in a ClickHouse format.
    pub async fn query_text(&self, sql: &str, format: &str) -> Result<Bytes, ClickHouseError> {
        self.guarded(async { self.official.query_raw(sql).fetch_bytes(format)?.collect().await }).await
    }

    /// Runs a statement with the timeout.
    async fn guarded<T>(
        &self,
        statement: impl Future<Output = Result<T, clickhouse::error::Error>>,
    ) -> Result<T, ClickHouseError> {
        let statement = async { statement.await.map_err(|error| ClickHouseError::from_official(&self.url, &error)) };
        self.insert.watch().over(&self.patience, statement).await
    }

    /// Runs a query and returns all its rows, each a tuple of its columns, or an error. A truncated response, or a
    /// proxy's, is not a complete document and so an error.
    pub async fn query_rows<T: serde::de::DeserializeOwned>(&self, sql: &str) -> Result<Vec<T>, ClickHouseError> {
        let body = self.query_text(sql, "JSONCompact").await?;
        let answer: Rows<T> = serde_json::from_slice(&body).map_err(|error| ClickHouseError::Unexpected {
            url: self.url.clone(),
            reason: format!("the answer to `{sql}` can't be read: {error}"),
        })?;
        if let Some(text) = answer.exception {
            return Err(ClickHouseError::in_an_answer(&self.url, &text));
        }
        Ok(answer.data)
    }

    /// Names of the settings that the server has.
    pub async fn setting_names(&self) -> Result<HashSet<String>, ClickHouseError> {
        let rows: Vec<(String,)> = self.query_rows("SELECT name FROM system.settings").await?;
        Ok(rows.into_iter().map(|(name,)| name).collect())
    }
}
