//! Booting: what must be there first comes first, and ports and directories that can't be had are told before anything
//! slow begins.

use std::{collections::HashMap, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{net::TcpListener, sync::Mutex, task::JoinSet};

use super::{
    Addresses, AppBuilder, AppError, LetterDesk, ReaderDesk, RunningApp, accounts, database::Database, migrations,
    parts::Parts, streams, tables,
};
use crate::{
    config::Config,
    declare::{ApiModel, Model, TableModel, check_against_build},
    drain::Drains,
    ingest::{Door, DoorOptions, Route},
    machine::open_files::{self, Ports, TooFew},
    manage::{self, AnswerCommand, DEAD_LETTERS_PATH, LagCheck, ManageState, READERS_PATH},
    memory,
    migrate::MigrateError,
    migration::Migrations,
    shutdown::Shutdown,
    stream::{Backend, Topic, accounting::Accounting},
    sync::{self, BatchFactory, Filled, Roster, Shared},
    telemetry::{ApiLabel, Health, Metrics, StreamLabel, TableLabel},
};

/// How often the size of the streams is measured.
const MEASURE_EVERY: Duration = Duration::from_secs(10);

impl AppBuilder {
    /// Boots everything, in order: data directory, ports, engine, tables, streams, workers, front door. When it returns,
    /// events are accepted. A failure leaves nothing running.
    pub async fn start(self) -> Result<RunningApp, AppError> {
        Box::pin(start(self)).await
    }
}

async fn start(builder: AppBuilder) -> Result<RunningApp, AppError> {
    ignore_file_size_signal();
    let model = declared(&builder)?;
    // Those of the package are none of a part of its declarations.
    let files = match builder.resources {
        None => Some(Migrations::of_program(builder.program.schema).map_err(MigrateError::from)?),
        Some(_) => None,
    };
    let mut config = match builder.config.clone() {
        Some(config) => config,
        None => Config::load(builder.program.name, None, Vec::new())?,
    };
    let metrics = Arc::new(Metrics::default());
    let health = Arc::new(Health::default());

    let management_connections = share_open_files(&model, &mut config)?.management;
    let backend = streams::open(&config).await?;
    let http = listen("http.listen", "MOOSE_HTTP__LISTEN", config.http.listen).await?;
    let management = listen("management.listen", "MOOSE_MANAGEMENT__LISTEN", config.management.listen).await?;
    let database = Database::start(&builder, &config).await?;
    migrations::prepare(&database.client, &model, database.storage, files.as_ref(), builder.migrating).await?;
    let report = tables::look(&database.client, &model, database.storage, builder.refuse_unsafe).await?;

    let (mut topics, mut ways) = (HashMap::new(), Vec::new());
    for stream in &model.streams {
        let storage = backend.open_topic(&streams::topic_spec(stream, &config)).await?;
        ways.extend(accounts::ways(&config, stream, storage));
        topics.insert(stream.name.clone(), storage);
    }
    let filled = filled(&model, &topics);
    show_zeros(&metrics, &model, &filled);
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
    let lag = Arc::new(LagCheck::new(config.sync.lag_bound));
    let manage_state = ManageState {
        metrics: Arc::clone(&metrics),
        health: Arc::clone(&health),
        lag,
        accounting: Arc::new(accounting),
    };
    let door = Door::new(DoorOptions {
        routes: routes(&model),
        backend: Arc::clone(&shared.backend),
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
                // An orderly end is not to be reported as a death.
                std::future::pending::<()>().await;
            }
            ("the front door", Ok(()))
        }
    });
    servers.spawn({
        let close = close_rest.clone();
        let readers = manage::command(READERS_PATH, readers_at(&shared, &manage_state.accounting));
        let letters = manage::command(DEAD_LETTERS_PATH, desk_at(&shared, &model));
        let router = manage::router(manage_state).merge(letters).merge(readers);
        async move {
            manage::serve(management, router, management_connections, close).await;
            ("the management port", Ok(()))
        }
    });
    let draining = watch_drains(&shared, &filled, &addresses, close_rest.clone());
    let mut rosters = Vec::with_capacity(filled.len());
    for filled in filled {
        rosters.push(Roster::start(&shared, filled).await?);
    }
    let names = model.streams.iter().map(|stream| stream.name.clone()).collect();
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
    Ok(RunningApp { parts, model, config, client: database.client, metrics, health, addresses, report })
}

/// Raises the limit of open files, and divides what there is: the front door gets what is configured or what there is.
fn share_open_files(model: &Model, config: &mut Config) -> Result<Ports, AppError> {
    let limit = open_files::raise();
    let ways = model.streams.iter().map(|stream| usize::from(stream.partitions) * stream.destinations.len()).sum();
    let wanted = config.http.max_connections;
    let ports = open_files::ports(limit, ways, wanted, config.clickhouse.url.is_none())
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

/// A write beyond the limit of a file's size is to be an error, as on a full disk, and not the end of the process.
fn ignore_file_size_signal() {
    /// `SIGXFSZ`.
    const FILE_SIZE: i32 = 25;
    // The handler stays when the stream of signals is gone. Where there can be none, nothing is worse than before.
    drop(tokio::signal::unix::signal(tokio::signal::unix::SignalKind::from_raw(FILE_SIZE)));
}

/// Looks for drained tables until the stop. The instance is named so that an operator finds it.
fn watch_drains(
    shared: &Shared,
    filled: &[Filled],
    addresses: &Addresses,
    stop: Shutdown,
) -> impl Future<Output = ()> + Send + 'static {
    let tables = filled.iter().map(|filled| filled.table.name.clone()).collect();
    let instance = format!("{} {} ({:08x})", shared.app_name, addresses.management, rand::random::<u32>());
    let (drains, client, health) = (shared.drains.clone(), shared.client.clone(), Arc::clone(&shared.health));
    async move { drains.watch(client, tables, instance, &health, stop).await }
}

/// What `/dead-letters` of the management port asks.
fn desk_at(shared: &Shared, model: &Model) -> AnswerCommand {
    let client = Some(shared.client.clone());
    let desk = LetterDesk::new(Arc::clone(&shared.backend), client, sync::replay::destinations(model))
        .reopening(shared.reopen.clone());
    Arc::new(move |question| {
        let desk = desk.clone();
        Box::pin(async move {
            let command = serde_json::from_value(question).map_err(|error| error.to_string())?;
            desk.answer(command).await
        })
    })
}

/// What `/readers` of the management port asks.
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

fn factory(record: &'static dyn crate::declare::Resource) -> BatchFactory {
    Arc::new(move || record.new_batch())
}

/// The tables that streams fill, each with those streams' topics.
fn filled(model: &Model, topics: &HashMap<String, Topic>) -> Vec<Filled> {
    let of_table = |declared: &TableModel| {
        let streams = model.streams.iter().filter(|stream| stream.destinations.contains(&declared.table.name));
        let topics: HashMap<String, Topic> =
            streams.filter_map(|stream| Some((stream.name.clone(), *topics.get(&stream.name)?))).collect();
        let (table, new_batch) = (Arc::new(declared.table.clone()), factory(declared.record));
        (!topics.is_empty()).then_some(Filled { table, new_batch, topics })
    };
    model.tables.iter().filter_map(of_table).collect()
}

fn routes(model: &Model) -> Vec<Route> {
    // The stream, which takes the same records, knows by what they are spread.
    let record = |api: &ApiModel| {
        let stream = model.streams.iter().find(|stream| stream.name == api.stream);
        stream.map_or(api.record, |stream| stream.record)
    };
    let route =
        |api: &ApiModel| Route { name: api.name.clone(), topic: api.stream.clone(), new_batch: factory(record(api)) };
    model.apis.iter().map(route).collect()
}

/// Makes every series that there will be, so that a counter exists before its first event.
fn show_zeros(metrics: &Metrics, model: &Model, filled: &[Filled]) {
    for api in &model.apis {
        let label = ApiLabel { api: api.name.clone() };
        drop(metrics.accepted.get_or_create(&label));
        drop(metrics.rejected.get_or_create(&label));
    }
    for filled in filled {
        let label = TableLabel { table: filled.table.name.clone() };
        drop(metrics.inserted.get_or_create(&label));
        drop(metrics.deduplicated.get_or_create(&label));
        drop(metrics.dead_lettered.get_or_create(&label));
        drop(metrics.batch_rows.get_or_create(&label));
        drop(metrics.batch_bytes.get_or_create(&label));
        drop(metrics.insert_duration.get_or_create(&label));
    }
}

/// Measures the streams, until the stop.
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
