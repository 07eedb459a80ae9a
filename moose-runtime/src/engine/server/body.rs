//! Reading a request's body: decoded, piece by piece, and never mistaken for whole when it was cut off.

use axum::body::Body;
use bytes::Bytes;
use http_body_util::BodyExt as _;

use super::coding::{Coding, Decoder};
use crate::engine::exception::Exception;

/// A text longer than this is not a query.
const LONGEST_TEXT: usize = 64 << 20;

/// A request's body.
pub(super) struct BodyReader {
    body: Body,
    decoder: Decoder,
    ended: bool,
}

impl BodyReader {
    /// Around the body of a request with this coding and, inside it, compressed blocks if `blocks`.
    pub(super) fn new(body: Body, coding: Option<Coding>, blocks: bool) -> Result<Self, Exception> {
        Ok(Self { body, decoder: Decoder::new(coding, blocks)?, ended: false })
    }

    /// The next piece; `None` once the body has come to its announced end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Exception> {
        while !self.ended {
            let piece = match self.body.frame().await {
                None => {
                    self.ended = true;
                    Bytes::from(self.decoder.finish()?)
                }
                Some(Err(error)) => return Err(cut_off(&error)),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) if self.decoder.is_plain() => data,
                    Ok(data) => Bytes::from(self.decoder.push(&data)?),
                    Err(_trailers) => continue,
                },
            };
            if !piece.is_empty() {
                return Ok(Some(piece));
            }
        }
        Ok(None)
    }

    /// Reads until `limit` bytes are there or the body has ended; says whether it has.
    pub(super) async fn read_up_to(&mut self, limit: usize) -> Result<(Vec<Bytes>, bool), Exception> {
        let mut pieces = Vec::new();
        let mut length = 0;
        while length < limit {
            let Some(piece) = self.next().await? else { return Ok((pieces, true)) };
            length += piece.len();
            pieces.push(piece);
        }
        Ok((pieces, false))
    }

    /// Appends the rest of the body to `text`, which is a query.
    pub(super) async fn append_text(&mut self, text: &mut Vec<u8>) -> Result<(), Exception> {
        while let Some(piece) = self.next().await? {
            text.extend_from_slice(&piece);
            if text.len() > LONGEST_TEXT {
                let reason = format!("The query is longer than {LONGEST_TEXT} bytes");
                return Err(Exception::new(229, "QUERY_IS_TOO_LARGE", &reason));
            }
        }
        Ok(())
    }
}

/// The client went away, or sent less than it announced.
fn cut_off(error: &axum::Error) -> Exception {
    let reason = format!("Cannot read all data: the request body was cut off: {error}");
    Exception::new(33, "CANNOT_READ_ALL_DATA", &reason)
}
