//! A destination: a table that records are inserted into, by the streams that fill it and by replays of dead letters.

use std::{fmt, sync::Arc};

use super::{Assignment, Lease};
use crate::{
    record::BatchFactory,
    schema,
    stream::{Epochs, Topic},
};

/// A table that records go to.
#[derive(Clone)]
pub struct Destination {
    /// The table.
    pub table: Arc<schema::Table>,
    /// Creates batches of its record type.
    pub new_batch: BatchFactory,
}

impl fmt::Debug for Destination {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Destination").field("table", &self.table.name).finish_non_exhaustive()
    }
}

impl Destination {
    /// The assignment of a topic's partition to this table.
    pub(super) fn assignment(&self, topic: String, storage: Topic, partition: u16) -> Assignment {
        // Partitions may have been added since the topic was opened.
        let partitions = storage.partitions.max(partition.saturating_add(1));
        Assignment {
            topic,
            storage: Topic { partitions, ..storage },
            partition,
            epochs: Epochs::one(storage.epoch),
            id: String::new(),
            table: Arc::clone(&self.table),
            new_batch: Arc::clone(&self.new_batch),
            lease: Lease::default(),
        }
    }
}
