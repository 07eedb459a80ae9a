//! The engine alone: the INSERTs of a drain, recorded byte for byte, sent to an engine that has nothing else to do, into a
//! table of the same DDL.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use bytes::Bytes;
use moose_tests::{http, process::Launch, proxy::Proxy};

use crate::{
    backlog::Backlog,
    connection::Connection,
    stage::{Running, Stage, float, settle_disk},
};

/// What a pipeline has sent to drain a backlog.
pub(crate) struct Recording {
    /// The table as it was made.
    ddl: String,
    inserts: Arc<Vec<Insert>>,
    rows: u64,
}

struct Insert {
    /// With its query string.
    path: String,
    body: Bytes,
}

const DATABASE: &str = "moose";

impl Recording {
    /// Drains the backlog through a proxy that keeps what it passes on.
    pub(crate) async fn of(stage: &Stage, backlog: &Backlog) -> Self {
        let data = backlog.copy(stage);
        Self::of_drain(stage, stage.launch(backlog.shape, &data), &data, backlog.records).await
    }

    /// The same for a pipeline that finds its backlog elsewhere.
    pub(crate) async fn of_drain(stage: &Stage, launch: Launch, data: &Path, rows: u64) -> Self {
        let engine = stage.engine("recording").await;
        let proxy = Proxy::start(engine.address()).await;
        proxy.keep_bodies();
        let launch = launch.environment("MOOSE_CLICKHOUSE__URL", &proxy.url());
        let url = format!("http://{}", engine.address());
        let mut running = Running::start(&launch, data).await;
        running.until_confirmed(rows).await;
        running.interrupt();
        let show = format!("SHOW CREATE TABLE {DATABASE}.events FORMAT TSVRaw");
        let ddl = http::sql(&url, &show).await;
        let inserts = proxy.inserts("events").into_iter().map(|request| {
            let parameters = request.parameters.iter();
            let encoded = parameters
                .map(|(name, value)| format!("{}={}", http::percent_encoded(name), http::percent_encoded(value)));
            let path = format!("{}?{}", request.path, encoded.collect::<Vec<_>>().join("&"));
            Insert { path, body: request.body.expect("bodies are kept") }
        });
        let recording = Self { ddl, inserts: Arc::new(inserts.collect()), rows };
        engine.stop(crate::stage::LATE).await;
        recording
    }

    /// Rows a second that an engine takes over so many connections.
    pub(crate) async fn replay(&self, stage: &Stage, connections: usize) -> f64 {
        let engine = stage.engine("alone").await;
        let url = format!("http://{}", engine.address());
        http::sql(&format!("{url}/?flatten_nested=0"), &self.ddl).await;
        settle_disk();
        let next = Arc::new(AtomicUsize::new(0));
        let started = Instant::now();
        let clients: Vec<_> = (0..connections)
            .map(|_| tokio::spawn(client(engine.address(), Arc::clone(&self.inserts), Arc::clone(&next))))
            .collect();
        for client in clients {
            client.await.expect("a client that ends");
        }
        let took = started.elapsed();
        let count = http::sql(&url, &format!("SELECT count() FROM {DATABASE}.events")).await;
        assert_eq!(count, self.rows.to_string(), "rows that the engine took");
        engine.stop(crate::stage::LATE).await;
        float(self.rows) / took.as_secs_f64()
    }
}

async fn client(address: SocketAddr, inserts: Arc<Vec<Insert>>, next: Arc<AtomicUsize>) {
    let mut connection = Connection::open(address).await;
    while let Some(insert) = inserts.get(next.fetch_add(1, Ordering::Relaxed)) {
        connection.post(&insert.path, "application/octet-stream", insert.body.clone()).await;
    }
}
