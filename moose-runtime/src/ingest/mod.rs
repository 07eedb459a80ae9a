//! The front door: HTTP requests in, records in the stream out.
//!
//! `POST /ingest/<name>` takes one JSON object, an array, or NDJSON; plain, gzip or zstd. Each record is decoded by the
//! code that will insert it, so what is accepted can be inserted; the records' bytes go into the stream as they came. A
//! 2xx is sent once the append is durable; any other response says what was not accepted. Every response is JSON and
//! none quotes a record.
//!
//! A request passes through `body`, which reads it, `records`, which splits it, and the [`Inlet`], which checks the
//! records and appends the valid ones; `accept` calls these in order, and `answer` is the response.

mod accept;
mod answer;
mod body;
mod records;
mod seldom;
mod state;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use axum::{Router, routing::post};
use tokio::net::TcpListener;

use self::{
    seldom::Seldom,
    state::{Api, State},
};
use crate::{
    config::HttpConfig,
    inlet::Inlet,
    memory::Share,
    port::{self, Limits},
    telemetry::{Health, Metrics},
};

/// Maximum pause within a body, and the time for a whole body besides what its size takes.
const BODY_PAUSE: Duration = Duration::from_secs(30);

/// Write timeout of a response.
const ANSWER: Duration = Duration::from_secs(30);

/// An ingest API.
#[derive(Debug)]
pub struct Route {
    /// The last part of the path, and the API's label in the metrics.
    pub name: String,
    /// Where its records go.
    pub inlet: Inlet,
}

/// Options of the front door.
#[derive(Debug)]
pub struct DoorOptions {
    /// The APIs.
    pub routes: Vec<Route>,
    /// Where accepted and rejected records are counted.
    pub metrics: Arc<Metrics>,
    /// Where streams that accept no records are reported.
    pub health: Arc<Health>,
    /// Limits of requests.
    pub http: HttpConfig,
    /// The memory budget of all requests.
    pub memory: Share,
}

/// The front door of all ingest APIs.
#[derive(Clone, Debug)]
pub struct Door {
    state: Arc<State>,
}

impl Door {
    /// A front door for these APIs. Of several routes with one name the last counts; names are checked where they are
    /// declared.
    pub fn new(options: DoorOptions) -> Self {
        let DoorOptions { routes, metrics, health, http, memory } = options;
        let api = |Route { name, inlet }| (name.clone(), Arc::new(Api::new(name, inlet, &metrics)));
        let (apis, seldom) = (routes.into_iter().map(api).collect(), Seldom::default());
        Self { state: Arc::new(State { apis, health, seldom, http, memory, body_pause: BODY_PAUSE }) }
    }

    /// Serves until `stop` is signalled, and then requests under way for up to `closing`.
    pub async fn serve(self, listener: TcpListener, closing: Duration, stop: impl Future<Output = ()>) {
        let http = &self.state.http;
        let limits = Limits {
            name: "the front door",
            connections: http.max_connections,
            head: http.header_timeout,
            answer: ANSWER,
            closing,
        };
        port::serve(listener, self.router(), limits, stop).await;
    }

    /// The door's paths.
    fn router(&self) -> Router {
        Router::new()
            .route("/ingest/{name}", post(accept::ingest).fallback(accept::method_not_allowed))
            .fallback(accept::not_found)
            .with_state(Arc::clone(&self.state))
    }
}
