//! Events of partition assignment: which partitions of a topic a group gives to this process, and revokes.

use tokio::sync::{mpsc, oneshot};

/// What a group gives to this process, and takes away.
#[derive(Debug)]
pub enum AssignmentEvent {
    /// The partition is this process's: its cursor may be read and written, its records sent.
    Assigned {
        /// The topic.
        topic: String,
        /// The partition.
        partition: u16,
    },
    /// The partition is taken away. Whoever works on it answers `done` once no commit of theirs is on its way and none
    /// will be begun; the group goes on only then. Dropping `done` is an answer too.
    Revoked {
        /// The topic.
        topic: String,
        /// The partition.
        partition: u16,
        /// The answer.
        done: oneshot::Sender<()>,
    },
}

/// The changes of a group's assignments, as long as this process takes part.
#[derive(Debug)]
pub struct Assignments {
    events: mpsc::UnboundedReceiver<AssignmentEvent>,
}

impl Assignments {
    /// Assignments that a backend will send.
    pub fn new(events: mpsc::UnboundedReceiver<AssignmentEvent>) -> Self {
        Self { events }
    }

    /// These partitions, for good: nobody else takes part.
    pub fn of_all(partitions: impl IntoIterator<Item = (String, u16)>) -> Self {
        let (sender, events) = mpsc::unbounded_channel();
        for (topic, partition) in partitions {
            // Never an error: the receiver is here.
            let _ = sender.send(AssignmentEvent::Assigned { topic, partition });
        }
        Self { events }
    }

    /// The next change; `None` when there will be none any more. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<AssignmentEvent> {
        self.events.recv().await
    }
}
