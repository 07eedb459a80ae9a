//! The workers of one table: one for each partition that the table's group assigns to this process.

use std::collections::HashMap;

use tokio::task::JoinHandle;

use super::{Assignment, Destination, Shared, Worker, group};
use crate::stream::{AssignmentEvent, Assignments, Topic};

/// The running workers of a table.
#[derive(Debug)]
pub struct Roster {
    task: JoinHandle<()>,
}

impl Roster {
    /// Joins the group of the table, which the streams with these topics fill, and runs a worker for each assigned
    /// partition. Ends by itself some time after the process was told to stop, when all workers have.
    pub async fn start(
        shared: &Shared,
        destination: Destination,
        topics: HashMap<String, Topic>,
    ) -> crate::stream::Result<Self> {
        let names: Vec<String> = topics.keys().cloned().collect();
        let group = group(&shared.app_name, &destination.table.name);
        let assignments = shared.backend.assignments(&group, &names).await?;
        let running = Running { shared: shared.clone(), destination, topics, workers: HashMap::new() };
        Ok(Self { task: tokio::spawn(running.run(assignments)) })
    }

    /// Waits for the end of all workers. What is pending then is settled at the next start.
    pub async fn ended(&mut self) {
        // An aborted task has no result.
        let _ = (&mut self.task).await;
    }

    /// Aborts all workers.
    pub fn abort(&self) {
        self.task.abort();
    }
}

struct Running {
    shared: Shared,
    destination: Destination,
    /// The streams' topics as they were opened.
    topics: HashMap<String, Topic>,
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
                        // At the end of the process nobody waits for it.
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
        let Some(storage) = self.topics.get(&topic) else { return };
        let assignment = self.destination.assignment(topic.clone(), *storage, partition);
        let worker = Worker::spawn(self.shared.clone(), assignment.clone());
        self.workers.insert((topic, partition), (assignment, worker));
    }

    /// The partition was revoked: when this returns nothing is committed for it any more.
    async fn let_go(&mut self, topic: String, partition: u16) {
        let Some((assignment, mut worker)) = self.workers.remove(&(topic, partition)) else { return };
        assignment.lease.end().await;
        worker.abort();
        worker.ended().await;
        self.shared.forget(&assignment);
    }
}
