//! The workers of one table: one for each partition that the table's group gives to this process.

use std::{collections::HashMap, sync::Arc};

use tokio::task::JoinHandle;

use super::{Assignment, BatchFactory, Lease, Shared, Worker, group};
use crate::{
    schema,
    stream::{AssignmentEvent, Assignments, Epochs, Topic},
};

/// A table, and the streams that fill it.
#[derive(Clone)]
pub struct Filled {
    /// The table.
    pub table: Arc<schema::Table>,
    /// Batches of the table's record type.
    pub new_batch: BatchFactory,
    /// Its streams' topics as they were opened.
    pub topics: HashMap<String, Topic>,
}

impl std::fmt::Debug for Filled {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let topics: Vec<_> = self.topics.keys().collect();
        formatter
            .debug_struct("Filled")
            .field("table", &self.table.name)
            .field("topics", &topics)
            .finish_non_exhaustive()
    }
}

impl Filled {
    fn assignment(&self, topic: &str, partition: u16) -> Option<Assignment> {
        let mut storage = *self.topics.get(topic)?;
        // Some may have been added since.
        storage.partitions = storage.partitions.max(partition.saturating_add(1));
        Some(Assignment {
            topic: topic.to_owned(),
            storage,
            partition,
            epochs: Epochs::one(storage.epoch),
            id: String::new(),
            table: Arc::clone(&self.table),
            new_batch: Arc::clone(&self.new_batch),
            lease: Lease::default(),
        })
    }
}

/// The running workers of a table.
#[derive(Debug)]
pub struct Roster {
    task: JoinHandle<()>,
}

impl Roster {
    /// Takes part in the table's group, and works on what it is given. Ends by itself some time after the process was
    /// told to stop, when all workers have.
    pub async fn start(shared: &Shared, filled: Filled) -> crate::stream::Result<Self> {
        let topics: Vec<String> = filled.topics.keys().cloned().collect();
        let name = group(&shared.app_name, &filled.table.name);
        let assignments = shared.backend.assignments(&name, &topics).await?;
        let running = Running { shared: shared.clone(), filled, workers: HashMap::new() };
        Ok(Self { task: tokio::spawn(running.run(assignments)) })
    }

    /// Waits for the end of all workers. What is pending then is settled at the next start.
    pub async fn ended(&mut self) {
        // A task that was cut off has no result.
        let _ = (&mut self.task).await;
    }

    /// Ends all workers where they are.
    pub fn abort(&self) {
        self.task.abort();
    }
}

struct Running {
    shared: Shared,
    filled: Filled,
    workers: HashMap<(String, u16), (Assignment, Worker)>,
}

impl Running {
    async fn run(mut self, mut assignments: Assignments) {
        let mut more = true;
        let stop = self.shared.stop.clone();
        loop {
            let ended = async {
                stop.wait().await;
                for (_, worker) in self.workers.values_mut() {
                    worker.ended().await;
                }
            };
            tokio::select! {
                event = assignments.next(), if more => match event {
                    Some(AssignmentEvent::Assigned { topic, partition }) => self.begin(topic, partition),
                    Some(AssignmentEvent::Revoked { topic, partition, done }) => {
                        self.let_go(topic, partition).await;
                        // Nobody waits for it where the process ends.
                        let _ = done.send(());
                    }
                    None => more = false,
                },
                () = ended => return,
            }
        }
    }

    fn begin(&mut self, topic: String, partition: u16) {
        if self.shared.stop.is_signalled() {
            return;
        }
        if let Some(assignment) = self.filled.assignment(&topic, partition) {
            let worker = Worker::spawn(self.shared.clone(), assignment.clone());
            self.workers.insert((topic, partition), (assignment, worker));
        }
    }

    /// The partition is another's: nothing of it is committed any more when this returns.
    async fn let_go(&mut self, topic: String, partition: u16) {
        let Some((assignment, mut worker)) = self.workers.remove(&(topic, partition)) else { return };
        assignment.lease.end().await;
        worker.abort();
        worker.ended().await;
        self.shared.forget(&assignment);
    }
}
