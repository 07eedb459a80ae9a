//! The in-memory state of the dead-letter topics, as far as they were read, and the producer that writes to them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use super::{client::KafkaOptions, produce::Producer};
use crate::stream::{DeadLetterKey, Ending, Result};

/// The dead letters of all streams.
#[derive(Default)]
pub(super) struct LetterTopics {
    books: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Book>>>>,
    /// Created with the first letter.
    producer: Mutex<Option<Arc<Producer>>>,
}

/// The state of one dead-letter topic.
#[derive(Default)]
pub(super) struct Book {
    pub(super) is_open: bool,
    /// Everything below this offset was read.
    pub(super) next: u64,
    pub(super) letters: BTreeMap<DeadLetterKey, Entry>,
}

pub(super) struct Entry {
    pub(super) ended: Option<Ending>,
    /// The offset of its newest message.
    pub(super) offset: u64,
}

impl LetterTopics {
    pub(super) fn book(&self, stream: &str) -> Arc<tokio::sync::Mutex<Book>> {
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(books.entry(stream.to_owned()).or_default())
    }

    pub(super) fn streams(&self) -> BTreeSet<String> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// A producer of its own: it compresses, and has no size limit but the topic's.
    pub(super) fn producer(&self, options: &KafkaOptions) -> Result<Arc<Producer>> {
        let mut producer = self.producer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(producer) = &*producer {
            return Ok(Arc::clone(producer));
        }
        let made = Arc::new(Producer::new(options.producer_of_letters())?);
        Ok(Arc::clone(producer.insert(made)))
    }
}
