//! A backlog in Apache Kafka drained, beside the engine alone and librdkafka's bare consumption; and ClickHouse's own Kafka
//! engine with a view.

use std::time::{Duration, Instant};

use moose_tests::{http, kafka::Broker, process::Launch, wait::eventually};
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer as _},
    error::RDKafkaErrorCode,
    producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer},
};

use crate::{
    ceiling::Recording,
    records::{Shape, event},
    report::{Figure, Report, Wanted},
    rivals,
    stage::{LATE, Stage, float, settle_disk},
    sync::drain_of,
};

/// Events of the backlog.
const EVENTS: u64 = 3_000_000;
/// Partitions of the topic.
const PARTITIONS: i32 = 2;
const TOPIC: &str = "events";

pub(crate) async fn measure(stage: &Stage, rounds: usize, report: &mut Report) {
    let broker = Broker::start(&stage.place("broker"));
    write(&broker).await;
    let data = stage.place("data");
    let recording = Recording::of_drain(stage, launch(stage, &broker, &data, "recording"), &data, EVENTS).await;
    let (mut drained, mut engine, mut bare, mut rival) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        engine.push(recording.replay(stage, 2).await);
        let address = broker.address();
        bare.push(tokio::task::spawn_blocking(move || consume(&address)).await.expect("a consumer that ends"));
        rival.push(kafka_engine(stage, &broker).await);
        let data = stage.place("data");
        settle_disk();
        let launch = launch(stage, &broker, &data, &format!("round_{round}"));
        drained.push(drain_of(launch, &data, Shape::Events, EVENTS).await);
    }
    let name = format!("sync-kafka, {} M events", EVENTS / 1_000_000);
    let rates: Vec<f64> = drained.iter().map(|drained| drained.rate).collect();
    let lower: Vec<f64> = engine.iter().zip(&bare).map(|(engine, bare)| engine.min(*bare)).collect();
    let figure = |beside: &str, values: &[f64]| Figure::new(&name, "rows/s", rates.clone()).beside(beside, values);
    report.add(figure("engine alone, connections: 2", &engine));
    report.add(figure("librdkafka's bare consumption", &bare));
    report.add(figure("the lower of both", &lower).wanted(Wanted::Ratio(0.8)));
    report.add(figure("ClickHouse's Kafka engine with a view", &rival).wanted(Wanted::Ratio(1.5)));
    let cpu = drained.iter().map(|drained| drained.cpu_per_million).collect();
    report.add(Figure::new(format!("{name}: computing per million"), "s", cpu));
}

/// A pipeline on the broker, with a consumer group of its own.
fn launch(stage: &Stage, broker: &Broker, data: &std::path::Path, name: &str) -> Launch {
    stage
        .launch(Shape::Events, data)
        .environment("MOOSE_KAFKA__BROKERS", &broker.address())
        .environment("MOOSE_APP__NAME", name)
}

fn client(broker: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker);
    config
}

/// Makes the topic and writes the backlog, as another program would.
async fn write(broker: &Broker) {
    let admin: AdminClient<DefaultClientContext> = client(&broker.address()).create().expect("a client");
    let topic = NewTopic::new(TOPIC, PARTITIONS, TopicReplication::Fixed(1));
    admin.create_topics([&topic], &AdminOptions::new()).await.expect("the broker answers");
    let mut config = client(&broker.address());
    config.set("linger.ms", "20").set("queue.buffering.max.messages", "200000").set("compression.type", "lz4");
    let producer: ThreadedProducer<DefaultProducerContext> = config.create().expect("a producer");
    for number in 0..EVENTS {
        let (payload, partition) = (event(number), i32::try_from(number % 2).unwrap_or(0));
        let mut record = BaseRecord::<(), str>::to(TOPIC).partition(partition).payload(&payload);
        while let Err((error, back)) = producer.send(record) {
            assert_eq!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::QueueFull), "{error}");
            tokio::time::sleep(Duration::from_millis(5)).await;
            record = back;
        }
    }
    producer.flush(LATE).expect("the broker takes them");
}

/// Records a second that librdkafka alone takes.
fn consume(broker: &str) -> f64 {
    let mut config = client(broker);
    config.set("group.id", "bare").set("enable.auto.commit", "false");
    // Its own defaults rest for a second when a hundred thousand messages are waiting.
    config.set("queued.min.messages", "1000000").set("fetch.queue.backoff.ms", "1");
    let consumer: BaseConsumer = config.create().expect("a consumer");
    let mut partitions = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        partitions.add_partition_offset(TOPIC, partition, Offset::Beginning).expect("a good offset");
    }
    let started = Instant::now();
    consumer.assign(&partitions).expect("partitions that exist");
    let mut records = 0;
    while records < EVENTS {
        match consumer.poll(Duration::from_secs(10)) {
            Some(record) => drop(record.expect("the broker gives records")),
            None => panic!("no record for ten seconds after {records}"),
        }
        records += 1;
    }
    float(records) / started.elapsed().as_secs_f64()
}

/// Rows a second that ClickHouse's Kafka engine with a view brings into the table, tuned as its documentation says: a
/// consumer for each partition with a thread of its own, and blocks as large as ours.
async fn kafka_engine(stage: &Stage, broker: &Broker) -> f64 {
    let engine = stage.engine("rival").await;
    let url = format!("http://{}", engine.address());
    http::sql(&url, rivals::TABLE).await;
    let queue = format!(
        "CREATE TABLE moose.queue (id String, userId String, timestamp DateTime64(3, 'UTC'), eventType String) ENGINE = Kafka \
         SETTINGS kafka_broker_list = '{}', kafka_topic_list = '{TOPIC}', kafka_group_name = 'rival_{:x}', \
         kafka_format = 'JSONEachRow', kafka_num_consumers = {PARTITIONS}, kafka_thread_per_consumer = 1, \
         kafka_max_block_size = 100000, kafka_poll_max_batch_size = 100000, date_time_input_format = 'best_effort'",
        broker.address(),
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |time| time.as_nanos())
    );
    http::sql(&url, &queue).await;
    settle_disk();
    let started = Instant::now();
    http::sql(&url, "CREATE MATERIALIZED VIEW moose.bring TO moose.events AS SELECT * FROM moose.queue").await;
    eventually(LATE, || async {
        let rows: u64 = http::sql(&url, "SELECT count() FROM moose.events").await.parse().unwrap_or(0);
        if rows >= EVENTS { Ok(()) } else { Err(format!("{rows} of {EVENTS} rows")) }
    })
    .await;
    let rate = float(EVENTS) / started.elapsed().as_secs_f64();
    http::sql(&url, "DROP TABLE moose.bring SYNC").await;
    engine.stop(LATE).await;
    rate
}
