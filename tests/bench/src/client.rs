//! A client that does as little as it can: it shares the machine with what it measures, and what it computes the server
//! lacks. Requests are made before; of an answer it reads the head and as much as that says.

use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Most headers of an answer.
const HEADERS: usize = 16;

/// A connection that is kept.
pub(crate) struct Client {
    stream: TcpStream,
    answer: BytesMut,
}

impl Client {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the server takes connections");
        stream.set_nodelay(true).expect("a TCP socket");
        Self { stream, answer: BytesMut::with_capacity(4096) }
    }

    /// The bytes of a request.
    pub(crate) fn request(path: &str, content_type: &str, body: &[u8]) -> Bytes {
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: here\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\r\n"
        );
        [head.as_bytes(), body].concat().into()
    }

    /// Sends it and reads the answer, which must be one of success.
    pub(crate) async fn send(&mut self, request: &[u8]) {
        self.stream.write_all(request).await.expect("the connection stays open");
        self.answer.clear();
        while !whole(&self.answer) {
            let read = self.stream.read_buf(&mut self.answer).await.expect("an answer");
            assert_ne!(read, 0, "the server closed the connection");
        }
    }
}

/// Whether it is a whole answer.
fn whole(answer: &[u8]) -> bool {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = response.parse(answer).expect("an answer in HTTP") else { return false };
    let text = || String::from_utf8_lossy(answer);
    assert!(response.code.is_some_and(|code| (200..300).contains(&code)), "{}", text());
    let length = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|header| std::str::from_utf8(header.value).ok()?.parse::<usize>().ok());
    answer.len() >= head + length.unwrap_or_else(|| panic!("an answer that does not say its length: {}", text()))
}
