//! The accounts of an application: which there are, and how to open them where nothing runs.

use std::sync::Arc;

use super::{AppError, streams};
use crate::{
    config::Config,
    declare::{Model, StreamModel},
    stream::{
        Backend, Topic,
        accounting::{Accounting, Way},
    },
    sync,
};

/// The ways of a stream: one to each destination.
pub(super) fn ways(config: &Config, stream: &StreamModel, storage: Topic) -> impl Iterator<Item = Way> {
    stream.destinations.iter().map(move |table| Way {
        topic: stream.name.clone(),
        epoch: storage.epoch,
        table: table.clone(),
        group: sync::group(&config.app.name, table),
    })
}

struct Streams(Arc<dyn Backend>);

impl std::fmt::Debug for Streams {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Streams")
    }
}

/// The streams of an application that does not run, opened to be counted.
#[derive(Debug)]
pub struct Books {
    streams: Streams,
    /// The accounts.
    pub accounting: Accounting,
}

impl Books {
    /// Opens the streams in the data directory; `None` where there are none yet. Nobody else can open them meanwhile.
    pub async fn open(model: &Model, config: &Config) -> Result<Option<Self>, AppError> {
        if !streams::may_exist(config) {
            return Ok(None);
        }
        let backend = streams::open(config).await?;
        let mut all = Vec::new();
        for stream in &model.streams {
            let storage = backend.open_topic(&streams::topic_spec(stream, config)).await?;
            all.extend(ways(config, stream, storage));
        }
        let accounting = Accounting::new(Arc::clone(&backend), all);
        Ok(Some(Self { streams: Streams(backend), accounting }))
    }

    /// The streams.
    pub fn streams(&self) -> &Arc<dyn Backend> {
        &self.streams.0
    }

    /// Every stream with each of its destinations.
    pub fn ways(&self) -> &[Way] {
        self.accounting.ways()
    }

    /// Lets go of the streams.
    pub async fn close(self) -> Result<(), AppError> {
        Ok(self.streams.0.close().await?)
    }
}
