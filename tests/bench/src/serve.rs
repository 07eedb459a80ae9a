//! The processes that are measured: a pipeline of some shape, or a bare HTTP server.

use std::{net::SocketAddr, process::ExitCode};

use axum::{Router, extract::DefaultBodyLimit, http::header, routing::post};
use bytes::Bytes;
use moose_runtime::app::AppBuilder;

use crate::records::Shape;

/// Tells a process what it is.
pub(crate) const VARIABLE: &str = "BENCH_SERVES";
/// Tells the bare server where to listen.
pub(crate) const LISTEN: &str = "BENCH_LISTEN";
/// The bare server.
pub(crate) const BARE: &str = "bare";

/// Runs until it is interrupted.
pub(crate) fn serve(app: AppBuilder, what: &str) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        if what == BARE {
            bare().await;
            return;
        }
        let shape = Shape::of_word(what).expect("a known shape");
        let running = match Box::pin(app.resources(&shape.resources()).start()).await {
            Ok(running) => running,
            Err(error) => panic!("the pipeline did not start: {error}"),
        };
        tokio::signal::ctrl_c().await.expect("signals can be heard");
        running.stop().await.expect("an orderly end");
    });
    ExitCode::SUCCESS
}

/// Reads the body and answers as the pipeline would.
async fn bare() {
    let address: SocketAddr = std::env::var(LISTEN).ok().and_then(|text| text.parse().ok()).expect("an address");
    let answer = |body: Bytes| async move {
        assert!(!body.is_empty(), "a body comes");
        ([(header::CONTENT_TYPE, "application/json")], r#"{"accepted":1,"rejected":0}"#)
    };
    let router = Router::new().route("/ingest/events", post(answer)).layer(DefaultBodyLimit::max(64 << 20));
    let listener = tokio::net::TcpListener::bind(address).await.expect("the address is free");
    axum::serve(listener, router).await.expect("a server that runs");
}
