//! The record counts (accounting) of an application that does not run, read from its streams' storage.

use std::sync::Arc;

use super::{AppError, Topology, streams};
use crate::{
    config::Config,
    stream::{
        Backend,
        accounting::{Accounting, Way},
    },
};

struct Streams(Arc<dyn Backend>);

impl std::fmt::Debug for Streams {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Streams")
    }
}

/// The streams of an application that does not run, opened to read their record counts.
#[derive(Debug)]
pub(crate) struct Books {
    streams: Streams,
    /// The record counts.
    pub(crate) accounting: Accounting,
}

impl Books {
    /// Opens the streams in the data directory; `None` if there are none yet. Nobody else can open them meanwhile.
    pub(crate) async fn open(topology: &Topology, config: &Config) -> Result<Option<Self>, AppError> {
        if !streams::may_exist(config) {
            return Ok(None);
        }
        let backend = streams::open(config).await?;
        let (_, ways) = streams::open_topics(&*backend, topology).await?;
        let accounting = Accounting::new(Arc::clone(&backend), ways);
        Ok(Some(Self { streams: Streams(backend), accounting }))
    }

    /// The streams.
    pub(crate) fn streams(&self) -> &Arc<dyn Backend> {
        &self.streams.0
    }

    /// Every stream with each of its destinations.
    pub(crate) fn ways(&self) -> &[Way] {
        self.accounting.ways()
    }

    /// Closes the streams.
    pub(crate) async fn close(self) -> Result<(), AppError> {
        Ok(self.streams.0.close().await?)
    }
}
