//! INSERTs that are sent ahead of their turn: all of the body but its last byte.
//!
//! A block can't be read without its last byte, so ClickHouse takes and unpacks what comes before it, and stores nothing.
//! When the INSERT's turn comes, the byte is sent; when it does not come, the connection is closed. So what a partition
//! stores stays one after the other, while the next body is on its way.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::{
    sync::{OwnedSemaphorePermit, oneshot},
    task::JoinSet,
    time::{Timeout, timeout},
};

use super::{
    ClickHouseError, Patience,
    insert::{Insert, InsertClient},
};

/// So many INSERTs of a process may wait for their turn: each takes one of the statements that the server runs at once,
/// and where many partitions are drained, the server has enough to do without.
pub(super) const MOST: usize = 4;
/// A turn that has not come by then is not waited for: servers close connections on which nothing comes, after 30 seconds
/// by default.
const LONGEST: Duration = Duration::from_secs(5);

/// An INSERT of which the server lacks the end. Dropped, it is taken back.
#[derive(Debug)]
pub struct Ahead {
    turn: oneshot::Sender<()>,
    answer: JoinSet<Result<(), ClickHouseError>>,
    _place: OwnedSemaphorePermit,
}

impl InsertClient {
    /// Sends an INSERT but for its end. `None` where that is no use: too many wait for their turn already, or nothing can
    /// be sent at all.
    pub fn send_ahead(&self, insert: &Insert<'_>) -> Option<Ahead> {
        let place = Arc::clone(self.ahead()).try_acquire_owned().ok()?;
        let (turn, its_turn) = oneshot::channel();
        let request = self.request(insert, InsertBody::held(insert.body.clone(), its_turn)).ok()?;
        let client = self.clone();
        // A task, because nobody waits for the answer yet; the set ends it when it is dropped.
        let mut answer = JoinSet::new();
        answer.spawn(async move { client.exchange(request).await });
        Some(Ahead { turn, answer, _place: place })
    }

    /// Sends the end of an INSERT, now that it is its turn, and waits for the answer, as [`Self::send`] does. `None` when
    /// that is not possible any more: it was refused or cut off before, and as ClickHouse has never had the end of it,
    /// nothing of it is stored.
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

/// The body of an INSERT, whole or with an end that waits for its turn.
pub(super) struct InsertBody {
    rest: Bytes,
    held: Option<Held>,
}

struct Held {
    end: Bytes,
    turn: Pin<Box<Timeout<oneshot::Receiver<()>>>>,
}

/// The turn did not come.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("taken back before its end was sent")]
pub(super) struct TakenBack;

impl InsertBody {
    pub(super) fn whole(body: Bytes) -> Self {
        Self { rest: body, held: None }
    }

    fn held(mut body: Bytes, turn: oneshot::Receiver<()>) -> Self {
        let end = body.split_off(body.len().saturating_sub(1));
        Self { rest: body, held: Some(Held { end, turn: Box::pin(timeout(LONGEST, turn)) }) }
    }
}

impl Body for InsertBody {
    type Data = Bytes;
    type Error = TakenBack;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, TakenBack>>> {
        let body = self.get_mut();
        if body.rest.is_empty()
            && let Some(held) = &mut body.held
        {
            let came = matches!(ready!(held.turn.as_mut().poll(context)), Ok(Ok(())));
            let end = std::mem::take(&mut held.end);
            body.held = None;
            return Poll::Ready(Some(if came { Ok(Frame::data(end)) } else { Err(TakenBack) }));
        }
        let rest = std::mem::take(&mut body.rest);
        Poll::Ready((!rest.is_empty()).then(|| Ok(Frame::data(rest))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.held.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let held = self.held.as_ref().map_or(0, |held| held.end.len());
        SizeHint::with_exact((self.rest.len() + held) as u64)
    }
}
