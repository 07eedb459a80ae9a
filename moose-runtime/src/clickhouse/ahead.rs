//! INSERTs that are sent ahead of their turn: all of the body but its last byte.
//!
//! A block can't be read without its last byte, so ClickHouse receives and decompresses what comes before it, and
//! stores nothing. When the INSERT's turn comes, the byte is sent; otherwise the connection is closed. So the blocks of
//! a partition are stored one after the other, while the next body is already being transferred.

use std::sync::Arc;

use tokio::{
    sync::{OwnedSemaphorePermit, oneshot},
    task::JoinSet,
};

use super::{
    ClickHouseError, Patience,
    body::InsertBody,
    insert::{Insert, InsertClient},
};

/// An INSERT of which the server lacks the last byte. Dropping it cancels it.
#[derive(Debug)]
pub struct Ahead {
    turn: oneshot::Sender<()>,
    answer: JoinSet<Result<(), ClickHouseError>>,
    _place: OwnedSemaphorePermit,
}

impl InsertClient {
    /// Sends an INSERT without its last byte. `None` if that is of no use: too many are waiting for their turn already,
    /// or nothing can be sent at all.
    pub fn send_ahead(&self, insert: &Insert<'_>) -> Option<Ahead> {
        let place = Arc::clone(self.ahead()).try_acquire_owned().ok()?;
        let (turn, its_turn) = oneshot::channel();
        let request = self.request(insert, InsertBody::held(insert.body.clone(), its_turn)).ok()?;
        let client = self.clone();
        // A task, because nobody waits for the response yet; the set aborts it when it is dropped.
        let mut answer = JoinSet::new();
        answer.spawn(async move { client.exchange(request).await });
        Some(Ahead { turn, answer, _place: place })
    }

    /// Sends the last byte of an INSERT, now that it is its turn, and waits for the response, as [`Self::send`] does.
    /// `None` if that is no longer possible: it was refused or the connection closed before, and as ClickHouse never
    /// had the last byte, nothing of it is stored.
    pub async fn send_end(&self, ahead: Ahead, patience: &Patience) -> Option<Result<(), ClickHouseError>> {
        let Ahead { turn, mut answer, _place } = ahead;
        if answer.try_join_next().is_some() || turn.send(()).is_err() {
            return None;
        }
        let answered = async {
            let lost = || Err(self.unreachable("the task that waited for the answer has ended"));
            answer.join_next().await.and_then(Result::ok).unwrap_or_else(lost)
        };
        Some(self.watch().over(patience, answered).await)
    }
}
