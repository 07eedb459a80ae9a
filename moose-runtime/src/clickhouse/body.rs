//! The HTTP body of an INSERT: complete, or with its last byte held back.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::{
    sync::oneshot,
    time::{Timeout, timeout},
};

/// How long to wait for the turn: servers close idle connections after 30 seconds by default.
const LONGEST: Duration = Duration::from_secs(5);

/// The body of an INSERT, complete or with its last byte held back until its turn.
pub(super) struct InsertBody {
    rest: Bytes,
    held: Option<Held>,
}

struct Held {
    end: Bytes,
    turn: Pin<Box<Timeout<oneshot::Receiver<()>>>>,
}

/// The INSERT was cancelled before its turn.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("taken back before its end was sent")]
pub(super) struct TakenBack;

impl InsertBody {
    pub(super) fn whole(body: Bytes) -> Self {
        Self { rest: body, held: None }
    }

    pub(super) fn held(mut body: Bytes, turn: oneshot::Receiver<()>) -> Self {
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
