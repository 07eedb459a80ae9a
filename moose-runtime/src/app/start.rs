//! Starting an application, in order of dependency. Ports and directories that can't be had are reported before
//! anything slow begins.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{net::TcpListener, sync::Mutex, task::JoinSet};

use super::{
    Addresses, ApiNode, AppBuilder, AppError, LetterDesk, ReaderDesk, RunningApp, Topology, database::Database,
    migrations, parts::Parts, streams, tables,
};
use crate::{
    config::Config,
    declare::{fingerprint::check_against_build, model::Model},
    drain::Drains,
    ingest::{Door, DoorOptions, Route},
    inlet::Inlet,
    machine::open_files::{self, Ports, TooFew},
    manage::{self, AnswerCommand, DEAD_LETTERS_PATH, ManageState, READERS_PATH},
    memory,
    migration::Migrations,
    record::ErrorCode,
    schema::Storage,
    shutdown::Shutdown,
    stream::{Backend, accounting::Accounting},
    sync::{Roster, Shared},
    telemetry::{Declared, Health, Metrics, StreamLabel},
};

/// How often the size of the streams is measured.
const MEASURE_EVERY: Duration = Duration::from_secs(10);

impl AppBuilder {
    /// Starts everything, in order: data directory, ports, engine, tables, streams, workers, front door. When it
    /// returns, events are accepted. A failure leaves nothing running.
    pub async fn start(self) -> Result<RunningApp, AppError> {
        Box::pin(start(self)).await
    }
}

async fn start(builder: AppBuilder) -> Result<RunningApp, AppError> {
    ignore_file_size_signal();
    // Migrations belong to all declarations: they are skipped when only some resources run.
    let files = match builder.resources {
        None => Some(Migrations::of_program(builder.program.schema)?),
        Some(_) => None,
    };
    let mut config = match builder.config.clone() {
        Some(config) => config,
        None => Config::load(builder.program.name, None, Vec::new())?,
    };
    let topology = Topology::new(&declared(&builder)?, &config);
    let metrics = Arc::new(Metrics::default());
    let health = Arc::new(Health::default());

    let management_connections = share_open_files(&topology, &mut config)?.management;
    let backend = streams::open(&config).await?;
    let http = listen("http.listen", "MOOSE_HTTP__LISTEN", config.http.listen).await?;
    let management = listen("management.listen", "MOOSE_MANAGEMENT__LISTEN", config.management.listen).await?;
    let database = Database::start(&config, builder.engine_program).await?;
    migrations::prepare(&database.client, &topology, files.as_ref(), builder.migrating).await?;
    let report = tables::look(&database.client, &topology, builder.refuse_unsafe).await?;

    let (topics, ways) = streams::open_topics(&*backend, &topology).await?;
    metrics.begin(&Declared {
        apis: topology.apis.iter().map(|api| api.name.clone()).collect(),
        tables: topology.filled_tables().map(|table| table.name.clone()).collect(),
        rejections: ErrorCode::ALL.iter().map(|code| code.name()).collect(),
    });
    let accounting = Accounting::new(Arc::clone(&backend), ways);
    let read_ahead = |most| backend.read_ahead(accounting.places().count(), most);
    let (memory_of_door, memory_of_sync) = memory::shares(config.memory.budget.as_u64(), read_ahead);
    let drain = Shutdown::new();
    let shared = Shared {
        backend: Arc::clone(&backend),
        client: database.client.clone(),
        config: config.sync,
        memory: memory_of_sync,
        app_name: config.app.name.clone(),
        metrics: Arc::clone(&metrics),
        health: Arc::clone(&health),
        stop: drain.clone(),
        resume: builder.resume,
        drains: Drains::default(),
        reopen: database.reopen(),
    };
    let manage_state = ManageState {
        metrics: Arc::clone(&metrics),
        health: Arc::clone(&health),
        lag_bound: config.sync.lag_bound,
        accounting: Arc::new(accounting),
    };
    let door = Door::new(DoorOptions {
        routes: topology.apis.iter().map(|api| route(api, &backend)).collect(),
        metrics: Arc::clone(&metrics),
        health: Arc::clone(&health),
        http: config.http.clone(),
        memory: memory_of_door,
    });
    let addresses = Addresses {
        http: address_of(&http)?,
        management: address_of(&management)?,
        engine: database.address.clone(),
        #[cfg(feature = "embedded")]
        access: database.access.clone(),
        pid: std::process::id(),
    };

    let (close_door, door_closed, close_rest) = (Shutdown::new(), Shutdown::new(), Shutdown::new());
    let mut servers = JoinSet::new();
    servers.spawn({
        let (close, closed) = (close_door.clone(), door_closed.clone());
        let closing = Parts::for_door(config.shutdown.deadline);
        async move {
            let asked = close.clone();
            door.serve(http, closing, async move { asked.wait().await }).await;
            closed.signal();
            if close.is_signalled() {
                // An orderly end must not be reported as a death.
                std::future::pending::<()>().await;
            }
            ("the front door", Ok(()))
        }
    });
    servers.spawn({
        let close = close_rest.clone();
        let readers = manage::command(READERS_PATH, readers_at(&shared, &manage_state.accounting));
        let letters = manage::command(DEAD_LETTERS_PATH, desk_at(&shared, &topology));
        let router = manage::router(manage_state).merge(letters).merge(readers);
        async move {
            manage::serve(management, router, management_connections, close).await;
            ("the management port", Ok(()))
        }
    });
    let draining = watch_drains(&shared, &topology, &addresses, close_rest.clone());
    let mut rosters = Vec::new();
    for table in topology.filled() {
        let of_table = table.topics.iter().filter_map(|name| Some((name.clone(), *topics.get(name)?)));
        rosters.push(Roster::start(&shared, table.destination.clone(), of_table.collect()).await?);
    }
    let names = topics.into_keys().collect();
    let measuring = measure(Arc::clone(&backend), names, Arc::clone(&metrics), close_rest.clone());
    let watching = database.watch(Arc::clone(&health), close_rest.clone());
    let housekeeping = tokio::spawn(async move {
        tokio::join!(measuring, watching, draining);
    });
    let parts = Parts {
        servers: Mutex::new(servers),
        close_door,
        door_closed,
        drain,
        close_rest,
        rosters,
        housekeeping,
        backend,
        #[cfg(feature = "embedded")]
        engine: database.engine,
    };
    if let Err(source) = addresses.write(&config.data_dir) {
        parts.stop(config.shutdown.deadline, &config.data_dir).await?;
        return Err(AppError::DataDirectory { path: config.data_dir, source });
    }
    Ok(RunningApp { parts, topology, config, client: database.client, metrics, health, addresses, report })
}

/// Raises the limit on open files and divides it: the front door gets what is configured, or what is available.
fn share_open_files(topology: &Topology, config: &mut Config) -> Result<Ports, AppError> {
    let limit = open_files::raise();
    let ways = topology.streams.iter().map(|stream| usize::from(stream.topic.partitions) * stream.subscriptions.len());
    let wanted = config.http.max_connections;
    let ports = open_files::ports(limit, ways.sum(), wanted, topology.storage == Storage::Embedded)
        .map_err(|TooFew { limit, least }| AppError::OpenFiles { limit, least })?;
    if ports.door < wanted {
        let open = ports.door;
        tracing::warn!(
            "the front door keeps {open} connections open at once, not the {wanted} of http.max_connections: this process \
             may have {limit} files open; raise the hard limit for more (`ulimit -Hn`, `LimitNOFILE=` of systemd)"
        );
        config.http.max_connections = open;
    }
    Ok(ports)
}

/// A write beyond the limit on a file's size becomes an error, as on a full disk, and does not kill the process.
fn ignore_file_size_signal() {
    /// `SIGXFSZ`.
    const FILE_SIZE: i32 = 25;
    // The handler stays installed after the stream is dropped. If it can't be installed, nothing is worse than before.
    drop(tokio::signal::unix::signal(tokio::signal::unix::SignalKind::from_raw(FILE_SIZE)));
}

/// Watches for drained tables until shutdown. The instance has a name so that an operator can find it.
fn watch_drains(
    shared: &Shared,
    topology: &Topology,
    addresses: &Addresses,
    stop: Shutdown,
) -> impl Future<Output = ()> + Send + 'static {
    let tables = topology.filled_tables().map(|table| table.name.clone()).collect();
    let instance = format!("{} {} ({:08x})", shared.app_name, addresses.management, rand::random::<u32>());
    let (drains, client, health) = (shared.drains.clone(), shared.client.clone(), Arc::clone(&shared.health));
    async move { drains.watch(client, tables, instance, &health, stop).await }
}

/// Answers `/dead-letters` of the management port.
fn desk_at(shared: &Shared, topology: &Topology) -> AnswerCommand {
    let client = Some(shared.client.clone());
    let desk =
        LetterDesk::new(Arc::clone(&shared.backend), client, topology.destinations()).reopening(shared.reopen.clone());
    Arc::new(move |question| {
        let desk = desk.clone();
        Box::pin(async move {
            let command = serde_json::from_value(question).map_err(|error| error.to_string())?;
            desk.answer(command).await
        })
    })
}

/// Answers `/readers` of the management port.
fn readers_at(shared: &Shared, accounting: &Accounting) -> AnswerCommand {
    let client = Some(shared.client.clone());
    let desk = ReaderDesk::new(Arc::clone(&shared.backend), client, accounting.ways().to_vec());
    Arc::new(move |question| {
        let desk = desk.clone();
        Box::pin(async move {
            let command = serde_json::from_value(question).map_err(|error| error.to_string())?;
            desk.answer(command).await
        })
    })
}

fn declared(builder: &AppBuilder) -> Result<Model, AppError> {
    if let Some(resources) = &builder.resources {
        return Ok(Model::of(resources)?);
    }
    if let Some(schema) = builder.program.schema {
        check_against_build(schema)?;
    }
    Ok(Model::linked()?)
}

async fn listen(key: &'static str, variable: &'static str, address: SocketAddr) -> Result<TcpListener, AppError> {
    TcpListener::bind(address).await.map_err(|source| AppError::Listen { key, variable, address, source })
}

fn address_of(listener: &TcpListener) -> Result<SocketAddr, AppError> {
    listener.local_addr().map_err(|error| AppError::Ended { part: "a listener", reason: error.to_string() })
}

fn route(api: &ApiNode, backend: &Arc<dyn Backend>) -> Route {
    let ApiNode { name, topic, new_batch } = api.clone();
    Route { name, inlet: Inlet::new(Arc::clone(backend), topic, new_batch) }
}

/// Measures the sizes of the streams until shutdown.
async fn measure(backend: Arc<dyn Backend>, streams: Vec<String>, metrics: Arc<Metrics>, stop: Shutdown) {
    let mut ticks = tokio::time::interval(MEASURE_EVERY);
    while stop.unless_signalled(ticks.tick()).await.is_some() {
        for stream in &streams {
            if let Ok(Some(bytes)) = backend.size(stream).await {
                let label = StreamLabel { stream: stream.clone() };
                metrics.stream_bytes.get_or_create(&label).set(i64::try_from(bytes).unwrap_or(i64::MAX));
            }
        }
    }
}
