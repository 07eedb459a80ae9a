//! An HTTP connection that is kept: what a client of a busy server has.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request, StatusCode, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::JoinHandle};

/// Closed when dropped.
pub(crate) struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    address: SocketAddr,
    driver: JoinHandle<hyper::Result<()>>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the server takes connections");
        stream.set_nodelay(true).expect("a TCP socket");
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("the server speaks HTTP");
        Self { sender, address, driver: tokio::spawn(connection) }
    }

    /// One request; the answer's status and body.
    pub(crate) async fn send(
        &mut self,
        method: Method,
        path: &str,
        content_type: &str,
        body: Bytes,
    ) -> (StatusCode, Bytes) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.address.to_string())
            .header(header::CONTENT_TYPE, content_type)
            .body(Full::new(body))
            .expect("a good request");
        self.sender.ready().await.expect("the connection stays open");
        let answer = self.sender.send_request(request).await.expect("an answer");
        let status = answer.status();
        (status, answer.into_body().collect().await.expect("a whole answer").to_bytes())
    }

    /// The same, of which nothing but success is expected.
    pub(crate) async fn post(&mut self, path: &str, content_type: &str, body: Bytes) {
        let (status, answer) = self.send(Method::POST, path, content_type, body).await;
        assert!(status.is_success(), "{path}: {status}: {}", String::from_utf8_lossy(&answer));
    }

    pub(crate) async fn get(&mut self, path: &str) -> Bytes {
        let (status, answer) = self.send(Method::GET, path, "text/plain", Bytes::new()).await;
        assert!(status.is_success(), "{path}: {status}");
        answer
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}
