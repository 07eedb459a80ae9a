//! The way of one request through the proxy.

use std::{
    convert::Infallible,
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, channel::Channel, combinators::BoxBody};
use hyper::{
    HeaderMap, Request, Response,
    body::{Body, Frame, Incoming},
    client::conn::http1,
    header,
    http::request::Parts,
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, sync::oneshot};

use super::{Canned, Fault, Outcome, Recorded, Shared, lock, rule::Rule};

/// Why a connection ends without an answer.
type Broken = Box<dyn std::error::Error + Send + Sync>;
type AnswerBody = BoxBody<Bytes, Broken>;

/// How long a cut connection still has to send what went through.
const LINGER: Duration = Duration::from_millis(30);

/// Reads, notes, and passes on one request; an error closes the client's connection.
pub(super) async fn handle(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<AnswerBody>, Broken> {
    let arrived = Instant::now();
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let (sequence, rule) =
        shared.note(Recorded::new(&head, &body, shared.keep_bodies.load(Ordering::Acquire), arrived));
    // Dropped with the future when the client goes away.
    let open = OpenRequest { shared: Arc::clone(&shared), sequence };
    let upstream = *lock(&shared.upstream);
    let pass = || pass_on(upstream, &head, full(body.clone()), body.len());

    let answer = match rule.as_ref().map(|rule| (rule, &rule.fault)) {
        None => whole(pass().await?),
        Some((_, Fault::Delay(time))) => {
            tokio::time::sleep(*time).await;
            whole(pass().await?)
        }
        Some((rule, Fault::Hold)) => {
            rule.released().await;
            whole(pass().await?)
        }
        Some((rule, Fault::HoldEnd)) => {
            let (rule, head, body) = (Arc::clone(rule), head.clone(), body.clone());
            let (answer, answered) = oneshot::channel();
            tokio::spawn(async move {
                let passed = hold_end(&rule, upstream, &head, body).await;
                // The client may be gone; the upstream is at it all the same.
                if let Err(Ok(unread)) = answer.send(passed)
                    && unread.into_body().collect().await.is_ok()
                {
                    rule.finished.fetch_add(1, Ordering::AcqRel);
                }
            });
            whole(answered.await??)
        }
        Some((_, Fault::Refuse)) => return Err("refused by a rule".into()),
        Some((_, Fault::Stall)) => std::future::pending().await,
        Some((rule, Fault::Late)) => {
            let (rule, head, body) = (Arc::clone(rule), head.clone(), body.clone());
            tokio::spawn(async move {
                rule.released().await;
                finish(&rule, upstream, &head, body).await;
            });
            std::future::pending().await
        }
        Some((rule, Fault::Abandon)) => {
            let (rule, head, body) = (Arc::clone(rule), head.clone(), body.clone());
            tokio::spawn(async move { finish(&rule, upstream, &head, body).await });
            return Err("abandoned by a rule".into());
        }
        Some((_, Fault::CutRequest { after })) => {
            let cut = Cut::new(full(body.clone()), *after);
            pass_on(upstream, &head, cut.boxed(), body.len()).await?;
            return Err("request cut by a rule".into());
        }
        Some((_, Fault::DropAnswer)) => {
            pass().await?.into_body().collect().await?;
            return Err("answer dropped by a rule".into());
        }
        Some((rule, Fault::HoldAnswer)) => {
            let (head, body) = whole(pass().await?).into_parts();
            let body = body.collect().await?.to_bytes();
            rule.held.fetch_add(1, Ordering::AcqRel);
            rule.released().await;
            Response::from_parts(head, full(body))
        }
        Some((_, Fault::CutAnswer { after })) => cut_answer(whole(pass().await?), *after),
        Some((_, Fault::Answer(canned))) => can(canned)?,
        Some((_, Fault::Lie(canned))) => {
            pass().await?.into_body().collect().await?;
            can(canned)?
        }
    };
    open.answered(&answer);
    Ok(answer)
}

/// Passes a request on, and its last byte once the rule is released.
async fn hold_end(
    rule: &Rule,
    upstream: SocketAddr,
    head: &Parts,
    mut body: Bytes,
) -> Result<Response<Incoming>, Broken> {
    let length = body.len();
    let end = body.split_off(length.saturating_sub(1));
    let (mut sender, pieces) = Channel::new(1);
    let sending = async move {
        sender.send_data(body).await?;
        // Taken only when what is before it has been; and that is on its way by then.
        sender.send_data(Bytes::new()).await?;
        tokio::time::sleep(LINGER).await;
        rule.held.fetch_add(1, Ordering::AcqRel);
        rule.released().await;
        sender.send_data(end).await?;
        Ok::<_, Broken>(())
    };
    let passing = pass_on(upstream, head, pieces.map_err(|never: Infallible| match never {}).boxed(), length);
    let (answer, _) = tokio::join!(passing, sending);
    answer
}

/// Passes on what nobody waits for any more.
async fn finish(rule: &Rule, upstream: SocketAddr, head: &Parts, body: Bytes) {
    let length = body.len();
    if let Ok(answer) = pass_on(upstream, head, full(body), length).await
        && answer.into_body().collect().await.is_ok()
    {
        rule.finished.fetch_add(1, Ordering::AcqRel);
    }
}

/// A request that was noted and not answered yet; without [`answered`](Self::answered) it ends as closed.
struct OpenRequest {
    shared: Arc<Shared>,
    sequence: usize,
}

impl OpenRequest {
    fn answered(&self, answer: &Response<AnswerBody>) {
        self.shared.settle(self.sequence, Outcome::Answered { status: answer.status(), at: Instant::now() });
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.shared.settle(self.sequence, Outcome::Closed { at: Instant::now() });
    }
}

/// Sends the request to the upstream over a new connection.
async fn pass_on(
    upstream: SocketAddr,
    head: &Parts,
    body: AnswerBody,
    length: usize,
) -> Result<Response<Incoming>, Broken> {
    let mut request = Request::builder().method(head.method.clone()).uri(head.uri.clone());
    if let Some(headers) = request.headers_mut() {
        *headers = end_to_end(&head.headers);
        headers.insert(header::CONTENT_LENGTH, length.into());
    }
    let stream = TcpStream::connect(upstream).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Ends with the answer's body, or when that is dropped.
    tokio::spawn(connection);
    Ok(sender.send_request(request.body(body)?).await?)
}

fn whole(answer: Response<Incoming>) -> Response<AnswerBody> {
    let (mut head, body) = answer.into_parts();
    head.headers = end_to_end(&head.headers);
    Response::from_parts(head, body.map_err(Broken::from).boxed())
}

fn full(body: Bytes) -> AnswerBody {
    Full::new(body).map_err(|never: Infallible| match never {}).boxed()
}

/// The answer without what comes after some bytes. One that is not longer than that says that it is.
fn cut_answer(mut answer: Response<AnswerBody>, after: usize) -> Response<AnswerBody> {
    let length = answer.body().size_hint().exact();
    if length.is_some_and(|length| length <= after as u64) {
        answer.headers_mut().insert(header::CONTENT_LENGTH, (after + 1).into());
    }
    answer.map(|inner| Cut::new(inner, after).boxed())
}

fn can(canned: &Canned) -> Result<Response<AnswerBody>, Broken> {
    let mut answer = Response::builder().status(canned.status);
    for (name, value) in &canned.headers {
        answer = answer.header(*name, value);
    }
    Ok(answer.body(full(canned.body.clone()))?)
}

/// The headers without those that are about one connection.
fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    for name in [header::CONNECTION, header::TRANSFER_ENCODING, header::EXPECT, header::UPGRADE, header::TE] {
        headers.remove(name);
    }
    headers.remove("keep-alive");
    headers
}

/// A body that breaks after some bytes.
struct Cut {
    inner: AnswerBody,
    left: usize,
    /// Time for what went through to leave the machine: an error would throw buffered bytes away.
    linger: Pin<Box<tokio::time::Sleep>>,
}

impl Cut {
    fn new(inner: AnswerBody, left: usize) -> Self {
        Self { inner, left, linger: Box::pin(tokio::time::sleep(Duration::ZERO)) }
    }
}

impl Body for Cut {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if self.left > 0
            && let Some(Ok(frame)) = ready!(Pin::new(&mut self.inner).poll_frame(context))
            && let Ok(mut data) = frame.into_data()
        {
            data.truncate(self.left);
            self.left -= data.len();
            self.linger.as_mut().reset(tokio::time::Instant::now() + LINGER);
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        ready!(self.linger.as_mut().poll(context));
        Poll::Ready(Some(Err("cut by a rule".into())))
    }
}
