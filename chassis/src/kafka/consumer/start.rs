//! How a consumer is set up.

use std::{
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use anyhow::Context as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use serde_json::json;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::{
    away::Away,
    context::{LoopContext, Partitions, Workers},
    handler::Handler,
    pipeline::{self, Instruments},
    poll,
    progress::Progress,
    topics::Topics,
    worker::Limits,
};
use crate::{
    kafka::{KafkaOptions, Publisher, client::ClusterWatch},
    service::Context,
};

/// The poll thread may be busy this long with a revocation before it counts as
/// dead: `REVOKE_WAIT` with room to spare.
const HEART: Duration = Duration::from_secs(60);

/// What a service consumes, and how.
#[derive(Debug, Clone, Copy)]
pub struct ConsumerOptions {
    /// Topics by their logical names. The service's replay topic comes with them.
    pub topics: &'static [&'static str],
    /// Most records in one call of the handler.
    pub batch_max: usize,
    /// Batches of one partition at once. Above 1 only where the order of records
    /// within a partition does not matter to their effects.
    pub batches_in_flight: usize,
    /// How often a record is tried before it becomes a dead letter.
    pub attempts: u32,
    /// How long one call of the handler may take.
    pub timeout: Duration,
}

impl ConsumerOptions {
    /// The usual way to consume topics: batches of up to 500, one at a time.
    pub const fn new(topics: &'static [&'static str]) -> Self {
        Self {
            topics,
            batch_max: 500,
            batches_in_flight: 1,
            attempts: 5,
            timeout: Duration::from_secs(30),
        }
    }
}

/// A running consumer.
#[derive(Debug)]
pub(crate) struct ConsumerHandle {
    stop: CancellationToken,
    ended: oneshot::Receiver<()>,
}

impl ConsumerHandle {
    /// Stops polling, finishes what is in hand and commits.
    pub(crate) async fn drain(self) {
        self.stop.cancel();
        // An error means that the thread panicked, which is as ended as can be.
        let _ = self.ended.await;
    }
}

pub(crate) fn start<H: Handler>(
    service: &mut Context,
    options: ConsumerOptions,
    publisher: Publisher,
    handler: Arc<H>,
) -> anyhow::Result<ConsumerHandle> {
    let kafka = service.kafka().clone();
    let group = kafka.group(service.name());
    let away = Away::new(service.readiness("dependencies"));
    let replays = KafkaOptions::replays(service.name());
    let topics: Vec<&str> = options.topics.iter().copied().chain([&*replays]).collect();
    let instruments = Instruments::new(service.meter(), &topics);
    let pipeline = pipeline::build(
        handler,
        pipeline::Parts {
            service: service.name(),
            publisher,
            instruments: Arc::clone(&instruments),
            away: away.clone(),
            attempts: options.attempts,
            timeout: options.timeout,
        },
    );
    let (report, reports) = std::sync::mpsc::channel();
    let watch = ClusterWatch::new(service.readiness("kafka consumer"));
    let progress = Progress::default();
    publish_status(service, &watch, &progress);
    publish_figures(service, &watch, &instruments);
    if let Some(admission) = kafka.admission() {
        admission.subscribe(&group, &topics);
    }
    let context = LoopContext {
        options: kafka.clone(),
        workers: Workers {
            runtime: tokio::runtime::Handle::current(),
            pipeline,
            limits: Limits {
                batch_max: options.batch_max.max(1),
                batches_in_flight: options.batches_in_flight.max(1),
            },
            group: group.as_str().into(),
            reports: report,
        },
        reports: Mutex::new(reports),
        watch,
        away,
        progress,
        instruments,
        partitions: Mutex::new(Partitions::default()),
        consumer: OnceLock::new(),
    };
    let consumer: Arc<BaseConsumer<LoopContext>> =
        Arc::new(config(&kafka, service.name(), &group).create_with_context(context)?);
    // Before it subscribes, so before the first assignment.
    let _ = consumer.context().consumer.set(Arc::downgrade(&consumer));
    let topics: Vec<String> = topics.iter().map(|topic| kafka.topic(topic)).collect();
    let names: Vec<&str> = topics.iter().map(String::as_str).collect();
    consumer.subscribe(&names)?;

    let stop = CancellationToken::new();
    let (end, ended) = oneshot::channel();
    let (thread_end, thread_ended) = oneshot::channel();
    let heart = service.health().heartbeat("poll thread", HEART);
    let mut topics = Topics::new(topics, service.readiness("topics"));
    {
        let stop = stop.clone();
        service.telemetry().thread("kafka-poll", move || {
            let result = poll::run(&consumer, &stop, &heart, &mut topics);
            // Leaves the group, so that others take over without waiting for the
            // session to time out.
            drop(consumer);
            let _ = end.send(());
            let _ = thread_end.send(result);
        })?;
    }
    let (stopping, shutdown) = (stop.clone(), service.shutdown());
    service.spawn("consumer", async move {
        thread_ended.await.context("the poll thread panicked")??;
        anyhow::ensure!(stopping.is_cancelled(), "the poll thread has ended");
        shutdown.cancelled().await;
        Ok(())
    });
    Ok(ConsumerHandle { stop, ended })
}

fn config(kafka: &KafkaOptions, service: &str, group: &str) -> rdkafka::ClientConfig {
    let mut config = kafka.client(service);
    config
        .set("group.id", group)
        .set("auto.offset.reset", "earliest")
        // Offsets are stored by the ledger alone, and committed every second.
        .set("enable.auto.offset.store", "false")
        .set("enable.auto.commit", "true")
        .set("auto.commit.interval.ms", "1000")
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("isolation.level", "read_committed")
        .set("allow.auto.create.topics", "false")
        // A killed member's partitions move after this. One that is killed again while
        // it waits to join costs a second session, and the promise is 15 s for that,
        // too. 6 s is the shortest that brokers grant (group.min.session.timeout.ms).
        .set("session.timeout.ms", "6000")
        .set("heartbeat.interval.ms", "1500")
        // Topics that are made after the consumer started are found within this.
        .set("topic.metadata.refresh.interval.ms", "10000")
        // Fetched ahead for each partition, two batches and what a fetch brings
        // beyond them.
        .set("queued.min.messages", "1000")
        .set("queued.max.messages.kbytes", "1024")
        .set("fetch.message.max.bytes", "262144")
        // How soon to look again whether that is taken; the default is a second.
        .set("fetch.queue.backoff.ms", "10")
        // A broker is asked for one fetch at a time. While all that hold records have
        // enough fetched ahead, that is a fetch of the partitions that are at their
        // end, and the others wait for as long as the broker holds it. So it has to be
        // shorter than what is fetched ahead lasts.
        .set("fetch.wait.max.ms", "50");
    if kafka.admission().is_some() {
        // The embedded broker holds an empty fetch for the whole wait, even when
        // a record comes in the meantime.
        config.set("fetch.wait.max.ms", "10");
    }
    kafka.overrule(&mut config);
    config
}

fn publish_status(service: &mut Context, watch: &Arc<ClusterWatch>, progress: &Progress) {
    let gauge = service
        .meter()
        .i64_observable_gauge("ordermesh.consumer.lag")
        .with_description("Records in a partition that are not read yet");
    let (watching, kafka) = (Arc::clone(watch), service.kafka().clone());
    gauge
        .with_callback(move |observer| {
            for ((topic, partition), lag) in watching.lag() {
                let topic = kafka.logical(&topic).to_owned();
                observer.observe(
                    lag,
                    &[
                        opentelemetry::KeyValue::new("messaging.destination.name", topic),
                        opentelemetry::KeyValue::new(
                            "messaging.destination.partition.id",
                            i64::from(partition),
                        ),
                    ],
                );
            }
        })
        .build();
    let (watching, kafka, progress) =
        (Arc::clone(watch), service.kafka().clone(), progress.clone());
    service.report("partitions", move || {
        let lag: std::collections::HashMap<_, _> = watching.lag().into_iter().collect();
        let partitions = progress.snapshot();
        let told = partitions.iter().map(|(topic, partition, progress)| {
            let lag = lag.get(&(kafka.topic(topic), *partition));
            json!({
                "topic": &**topic, "partition": partition, "lag": lag,
                "position": progress.position, "open": progress.open,
            })
        });
        told.collect()
    });
}

/// What was done, besides how far that is.
fn publish_figures(
    service: &mut Context,
    watch: &Arc<ClusterWatch>,
    instruments: &Arc<Instruments>,
) {
    let (watch, instruments) = (Arc::clone(watch), Arc::clone(instruments));
    let kafka = service.kafka().clone();
    service.report("consumer", move || {
        let lag = watch.lag();
        instruments.figures().told(|topic| {
            let name = kafka.topic(topic);
            let of_topic = lag.iter().filter(|((of, _), _)| *of == name);
            of_topic.map(|(_, lag)| *lag).reduce(|sum, lag| sum + lag)
        })
    });
}
