//! The accounts of an application: which there are, and how to open them where nothing runs.

use std::sync::Arc;

use super::{AppError, start};
use crate::{
    config::Config,
    declare::{Model, StreamModel},
    stream::{
        Backend, Topic,
        accounting::{Accounting, Place},
    },
    sync,
};

/// The places of a stream: each partition and destination.
pub(super) fn places(config: &Config, stream: &StreamModel, storage: Topic) -> Vec<Place> {
    let of_table = |table: &String| {
        let group = sync::group(&config.app.name, table);
        (0..storage.partitions)
            .map(move |partition| Place {
                topic: stream.name.clone(),
                epoch: storage.epoch,
                partition,
                table: table.clone(),
                group: group.clone(),
            })
            .collect::<Vec<_>>()
    };
    stream.destinations.iter().flat_map(of_table).collect()
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
        if config.kafka.brokers.is_none() && !start::log_directory(config).exists() {
            return Ok(None);
        }
        let streams = start::open_streams(config).await?;
        let mut all = Vec::new();
        for stream in &model.streams {
            let storage = streams.open_topic(&start::topic_spec(stream, config)).await?;
            all.extend(places(config, stream, storage));
        }
        let accounting = Accounting::new(Arc::clone(&streams), all);
        Ok(Some(Self { streams: Streams(streams), accounting }))
    }

    /// Lets go of the streams.
    pub async fn close(self) -> Result<(), AppError> {
        Ok(self.streams.0.close().await?)
    }
}
