//! Backlogs: streams of the embedded log that are full before the pipeline starts, made once and copied for each round.

use std::{
    fs,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use moose_runtime::internal::stream::{
    Backend as _, NewRecord, Retention, TopicSpec,
    log::{Log, LogOptions},
};

use crate::{
    records::Shape,
    stage::{Stage, settle_disk},
};

/// Bytes of an append.
const CHUNK: usize = 1 << 20;

/// A directory of full streams.
pub(crate) struct Backlog {
    pub(crate) shape: Shape,
    pub(crate) records: u64,
    directory: PathBuf,
}

impl Backlog {
    /// Fills the streams of the shape, in an empty directory, with so many records together.
    pub(crate) async fn make(directory: PathBuf, shape: Shape, records: u64) -> Self {
        let options = LogOptions { disk_budget: 64 << 30, ..LogOptions::new(directory.join("stream")) };
        let log = Log::open(options).expect("an empty directory");
        let topics = shape.topics();
        let each = records / topics.len() as u64;
        for name in &topics {
            let spec = TopicSpec { name: name.clone(), partitions: 1, retention: Retention { age: None, bytes: None } };
            log.open_topic(&spec).await.expect("a new topic");
            let mut numbers = (0..each).peekable();
            while numbers.peek().is_some() {
                let (mut chunk, mut bytes) = (Vec::new(), 0);
                while bytes < CHUNK
                    && let Some(number) = numbers.next()
                {
                    let record = shape.record(number);
                    bytes += record.len();
                    chunk.push(NewRecord::from(Bytes::from(record)));
                }
                log.append(name, 0, chunk).await.expect("the log takes records");
            }
        }
        log.close().await.expect("the log closes");
        Self { shape, records: each * topics.len() as u64, directory }
    }

    /// A data directory with a copy of it.
    pub(crate) fn copy(&self, stage: &Stage) -> PathBuf {
        let data = stage.place("data");
        copy(&self.directory, &data);
        settle_disk();
        data
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory in the run's own");
    for entry in fs::read_dir(from).expect("the backlog's directory").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("room for a copy");
        }
    }
}
