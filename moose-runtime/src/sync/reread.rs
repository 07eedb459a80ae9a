//! Reads a range that was closed before from the stream again: the same records, and so the same bytes.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bytes::Bytes;

use super::{
    Prepared, SyncError,
    courier::Courier,
    encoder::{Closed, RangeEncoder},
    group, now,
};
use crate::stream::Record;

/// How long a range that is read again waits for memory.
const WAIT_FOR_ROOM: Duration = Duration::from_secs(1);
impl Courier {
    /// Reads the offsets `first..=last` again, exactly as they were.
    pub(super) async fn read_again(&self, first: u64, last: u64) -> Result<Vec<Record>, SyncError> {
        let (topic, partition) = (&self.assignment.topic, self.assignment.partition);
        let backend = &self.shared.backend;
        let records = backend.read_range(topic, partition, first, last).await;
        if backend.capabilities().topics_can_be_recreated {
            // The offsets of a topic that was created again belong to other records.
            let group = group(&self.shared.app_name, &self.assignment.table.name);
            if backend.epoch(&group, topic, partition).await? != self.assignment.storage.epoch {
                self.assignment.lease.outdate();
                return Err(SyncError::MadeAnew { topic: topic.clone(), partition });
            }
        }
        Ok(records?)
    }

    /// Encodes records, leaving some out.
    pub(super) async fn encode(
        &self,
        records: Vec<Record>,
        without: BTreeSet<u64>,
    ) -> Result<Option<Closed>, SyncError> {
        let offset = records.first().map_or(0, |record| record.offset);
        let mut encoder = RangeEncoder::new(&self.assignment);
        let work = tokio::task::spawn_blocking(move || {
            encoder.push(&records, &without, usize::MAX, usize::MAX);
            encoder.close()
        });
        let (topic, partition) = (self.assignment.topic.clone(), self.assignment.partition);
        work.await.map_err(|_panic| SyncError::Panicked { topic, partition, offset })
    }

    /// A range that was written down earlier, as it was: its records without their dead letters. Records that an
    /// earlier build accepted and this one rejects become dead letters too, marked as maybe stored, unless the table
    /// has them.
    pub(super) async fn prepare_again(&self, first: u64, last: u64) -> Result<Prepared, SyncError> {
        // Its size is not known before. The holder of the memory may be waiting for a table that is gone, so there is a
        // timeout.
        let size = self.shared.config.max_bytes.as_u64().saturating_mul(2);
        let room = tokio::time::timeout(WAIT_FOR_ROOM, self.shared.memory.reserve(size)).await;
        let records = self.read_again(first, last).await?;
        let letters = self.shared.backend.dead_letter_offsets(&self.assignment.letter_key(first), last).await?;
        let nothing = Prepared { first, last, offsets: Arc::default(), body: Bytes::new(), oldest: now(), room: None };
        let Some(Closed { range, refused }) = self.encode(records, letters.into_keys().collect()).await? else {
            return Ok(nothing);
        };
        let range = Prepared { first, last, ..range };
        drop(room);
        if !refused.is_empty() {
            let offsets: BTreeSet<u64> = refused.iter().map(|refused| refused.record.offset).collect();
            let state = self.target.checked(&self.cursor).await?;
            let settings = self.target.settings().await?;
            let lacks = if self.can_probe(&state) { self.missing(&settings, &range, &offsets).await? } else { offsets };
            let letters: Vec<_> = refused
                .into_iter()
                .filter(|refused| lacks.contains(&refused.record.offset))
                .map(|refused| self.assignment.misfit(refused, true))
                .collect();
            self.shared.bury(&letters).await?;
        }
        Ok(range)
    }
}
