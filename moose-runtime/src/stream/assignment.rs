//! Events of partition assignment: which partitions of a topic a group gives to this process, and revokes.

use tokio::sync::{mpsc, oneshot};

/// A change in what a group assigns to this process.
#[derive(Debug)]
pub enum AssignmentEvent {
    /// The partition is assigned: its cursor may be read and written, its records sent.
    Assigned {
        /// The topic.
        topic: String,
        /// The partition.
        partition: u16,
    },
    /// The partition is revoked. The worker answers `done` once no commit of its own is on its way and none will begin;
    /// only then the group goes on. Dropping `done` is an answer too.
    Revoked {
        /// The topic.
        topic: String,
        /// The partition.
        partition: u16,
        /// The answer.
        done: oneshot::Sender<()>,
    },
}

/// The changes of a group's assignments, while this process is a member.
#[derive(Debug)]
pub struct Assignments {
    events: mpsc::UnboundedReceiver<AssignmentEvent>,
}

impl Assignments {
    /// Assignments that a backend will send.
    pub fn new(events: mpsc::UnboundedReceiver<AssignmentEvent>) -> Self {
        Self { events }
    }

    /// Assigns these partitions for good: there is no other member.
    pub fn of_all(partitions: impl IntoIterator<Item = (String, u16)>) -> Self {
        let (sender, events) = mpsc::unbounded_channel();
        for (topic, partition) in partitions {
            // Never an error: the receiver is here.
            let _ = sender.send(AssignmentEvent::Assigned { topic, partition });
        }
        Self { events }
    }

    /// The next change; `None` if there will be no more. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<AssignmentEvent> {
        self.events.recv().await
    }
}
