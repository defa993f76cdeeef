//! The publisher: puts records on Kafka and says truthfully whether they are
//! there.
//!
//! Invariant: [`Publisher::publish`] returns an [`Ack`] only when every in-sync
//! replica has the record (`acks=all`, idempotent producer, so librdkafka's own
//! retries neither double nor reorder). [`PublishError::Unavailable`] means that
//! the record surely is not there; whenever librdkafka cannot rule out that it
//! is, the answer is [`PublishError::OutcomeUnknown`]. A caller that goes away
//! changes nothing for the record.

use std::{
    fmt,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use opentelemetry::{KeyValue, metrics::Histogram};
use rdkafka::{
    ClientConfig, ClientContext,
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode},
    message::{DeliveryResult, Header, Message as _, OwnedHeaders},
    producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer},
};
use tokio::sync::oneshot;
use tracing::Dispatch;

use super::{KafkaOptions, Outgoing, client, client::ClusterWatch, headers, raw};
use crate::{
    breaker::Breaker,
    grpc::SECONDS,
    health::ReadinessHandle,
    telemetry::{self, Telemetry, Traced},
};

/// How long librdkafka tries to deliver one record. Below the gateway's default
/// deadline of 10 s, so that callers learn the outcome rather than run out of
/// time.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(8);
/// How long the end of a process waits for records in flight.
const FLUSH: Duration = Duration::from_secs(10);
/// How long one question for the brokers may take. The end of a process waits at
/// most this long for it.
const GREETING: Duration = Duration::from_secs(1);
/// Largest record. Above the gateway's 256 KiB body with room for a dead
/// letter's headers on a record from elsewhere.
const MAX_RECORD_BYTES: usize = 2 * 1024 * 1024;

/// Where a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ack {
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
}

/// A record was not acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// Surely not on the broker: it is away, or refused the record.
    #[error("Kafka did not take the record: {0}")]
    Unavailable(String),
    /// Surely not on the broker: too many records wait already.
    #[error("too many records wait to be sent")]
    QueueFull,
    /// May be on the broker or not.
    #[error("it is not known whether Kafka took the record: {0}")]
    OutcomeUnknown(String),
    /// Surely not on the broker, and never will be.
    #[error("the record is larger than {MAX_RECORD_BYTES} bytes")]
    TooLarge,
}

/// Whether a record waits for others to go with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Linger {
    /// Goes at once, for somebody waits for it. What comes while a request is in
    /// flight goes with the next one, so that batches grow with the load.
    No,
    /// Waits for 1 ms, where many are published at once anyway. Against 0, on two
    /// cores: payments 25 % more records a second at 15 % less CPU time for each.
    Gather,
}

impl Linger {
    fn millis(self) -> &'static str {
        match self {
            Self::No => "0",
            Self::Gather => "1",
        }
    }
}

/// Puts records on Kafka. Cheap to clone; one per service.
#[derive(Clone)]
pub struct Publisher(Arc<Shared>);

struct Shared {
    service: &'static str,
    /// `ce_source`, unless a record has its own.
    source: String,
    options: KafkaOptions,
    config: ClientConfig,
    client: RwLock<Arc<Client>>,
    generation: AtomicU64,
    breaker: Arc<Breaker>,
    watch: Arc<ClusterWatch>,
    dispatch: Dispatch,
    duration: Histogram<f64>,
}

struct Client {
    generation: u64,
    producer: ThreadedProducer<DeliveryContext>,
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher")
            .field("service", &self.0.service)
            .finish_non_exhaustive()
    }
}

impl Publisher {
    pub(crate) fn new(
        service: &'static str,
        options: &KafkaOptions,
        telemetry: &Telemetry,
        condition: ReadinessHandle,
        linger: Linger,
    ) -> anyhow::Result<Self> {
        let mut config = options.client(service);
        config
            .set("acks", "all")
            .set("enable.idempotence", "true")
            // The Java client's partitioning, so that records of one key meet
            // whoever produced them.
            .set("partitioner", "murmur2_random")
            .set("compression.type", "lz4")
            // A broker works off one request of a connection at a time, so further
            // ones only queue there; and librdkafka's threads spin while five or
            // more records of a partition are unacknowledged and another waits. On
            // two cores with three brokers, at 200 orders a second: a quarter of
            // the gateway's CPU time, and p50 of accepting halved.
            .set("max.in.flight", "1")
            .set("linger.ms", linger.millis())
            .set(
                "message.timeout.ms",
                MESSAGE_TIMEOUT.as_millis().to_string(),
            )
            .set("request.timeout.ms", "5000")
            .set("message.max.bytes", MAX_RECORD_BYTES.to_string())
            .set("queue.buffering.max.messages", "50000")
            .set("queue.buffering.max.kbytes", "65536");
        let watch = ClusterWatch::new(condition);
        let dispatch = telemetry.dispatch().clone();
        let client = Arc::new(Client::connect(&config, 0, &watch, &dispatch)?);
        greet(&client, &watch, telemetry)?;
        let breaker = Arc::<Breaker>::default();
        breaker.observe(telemetry.meter(), "kafka");
        let watching = Arc::clone(&watch);
        telemetry
            .meter()
            .u64_observable_gauge("ordermesh.publisher.queue")
            .with_description("Records that wait for a broker or its acknowledgement")
            .with_callback(move |queue| queue.observe(watching.queued(), &[]))
            .build();
        Ok(Self(Arc::new(Shared {
            service,
            source: format!("/ordermesh/{service}"),
            options: options.clone(),
            config,
            client: RwLock::new(client),
            generation: AtomicU64::new(0),
            breaker,
            watch,
            dispatch,
            duration: telemetry
                .meter()
                .f64_histogram("messaging.client.operation.duration")
                .with_unit("s")
                .with_description("How long records took until acknowledged, by topic and outcome")
                .with_boundaries(SECONDS.to_vec())
                .build(),
        })))
    }

    /// Whether publishing is refused at once because Kafka does not answer.
    pub fn is_open(&self) -> bool {
        self.0.breaker.is_open()
    }

    /// Puts a record on Kafka and waits until all in-sync replicas have it.
    pub async fn publish(&self, record: Outgoing) -> Result<Ack, PublishError> {
        let key = record.key.as_deref().unwrap_or_default();
        let traced = telemetry::span::send(&record.topic, key, record.parent.as_deref());
        let start = Instant::now();
        let topic = record.topic.clone();
        let result = traced.clone().run(self.deliver(record, &traced)).await;
        let span = traced.span();
        let outcome = match &result {
            Ok(ack) => {
                span.record("messaging.destination.partition.id", ack.partition);
                span.record("messaging.kafka.offset", ack.offset);
                "ok"
            }
            Err(error) => {
                telemetry::span::fail(span, error.kind(), error);
                error.kind()
            }
        };
        self.0.duration.record(
            start.elapsed().as_secs_f64(),
            &[
                KeyValue::new("messaging.operation.name", "send"),
                KeyValue::new("messaging.destination.name", topic),
                KeyValue::new("outcome", outcome),
            ],
        );
        result
    }

    async fn deliver(&self, record: Outgoing, traced: &Traced) -> Result<Ack, PublishError> {
        let shared = &*self.0;
        let size = record.size();
        if size > MAX_RECORD_BYTES {
            return Err(PublishError::TooLarge);
        }
        if let Some(admission) = shared.options.admission()
            && !admission.admits(&record.topic)
        {
            return Err(PublishError::QueueFull);
        }
        let permit = shared.breaker.admit().ok_or_else(|| {
            PublishError::Unavailable("it did not answer just now; not asked again yet".to_owned())
        })?;
        let headers = self.headers(&record, traced);
        let (sender, receiver) = oneshot::channel();
        let topic = shared.options.topic(&record.topic);
        let mut base: BaseRecord<'_, [u8], [u8], Box<oneshot::Sender<Delivered>>> =
            BaseRecord::with_opaque_to(&topic, Box::new(sender)).headers(headers);
        base.key = record.key.as_deref();
        base.payload = record.payload.as_deref();
        let client = self.client();
        if let Err((error, _)) = client.producer.send(base) {
            return Err(self.refused(&client, &error));
        }
        drop(client);
        match receiver.await {
            Ok(Ok(ack)) => {
                permit.done(true);
                shared.watch.answered();
                if let Some(admission) = shared.options.admission() {
                    admission.published(&record.topic, ack, size);
                }
                Ok(ack)
            }
            Ok(Err(failure)) => {
                permit.done(false);
                Err(self.failed(&failure))
            }
            // The client was replaced with this record still inside.
            Err(_) => Err(PublishError::OutcomeUnknown(
                "the producer was replaced".to_owned(),
            )),
        }
    }

    /// Waits until librdkafka holds no record any more, within a bound.
    pub(crate) async fn flush(&self) {
        let client = self.client();
        let flushed = tokio::task::spawn_blocking(move || client.producer.flush(FLUSH)).await;
        if !matches!(flushed, Ok(Ok(()))) {
            tracing::warn!("records were still on their way to Kafka when the process ended");
        }
    }

    fn headers(&self, record: &Outgoing, traced: &Traced) -> OwnedHeaders {
        let mut out = OwnedHeaders::new_with_capacity(record.headers.len() + 3);
        let mut has_source = false;
        let mut has_trace = false;
        for (name, value) in &record.headers {
            has_source |= name == headers::CE_SOURCE;
            has_trace |= name == headers::TRACEPARENT;
            out = out.insert(Header {
                key: name,
                value: value.as_deref(),
            });
        }
        if !has_source {
            out = out.insert(Header {
                key: headers::CE_SOURCE,
                value: Some(&self.0.source),
            });
        }
        if !has_trace {
            let span = telemetry::span_context(traced.context());
            let state = Some(span.trace_state().header()).filter(|state| !state.is_empty());
            let trace = [
                (headers::TRACEPARENT, telemetry::traceparent(&span)),
                (headers::TRACESTATE, state),
            ];
            for (key, value) in trace {
                if let Some(value) = &value {
                    let value = Some(value);
                    out = out.insert(Header { key, value });
                }
            }
        }
        out
    }

    /// librdkafka did not take the record into its queue.
    fn refused(&self, client: &Client, error: &KafkaError) -> PublishError {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::QueueFull) => PublishError::QueueFull,
            Some(RDKafkaErrorCode::MessageSizeTooLarge) => PublishError::TooLarge,
            Some(RDKafkaErrorCode::Fatal) => {
                self.replace(client.generation);
                PublishError::Unavailable(error.to_string())
            }
            _ => PublishError::Unavailable(error.to_string()),
        }
    }

    /// librdkafka gave the record up.
    fn failed(&self, failure: &Failure) -> PublishError {
        if failure.code == Some(RDKafkaErrorCode::Fatal) {
            self.replace(failure.generation);
        }
        match failure.code {
            Some(RDKafkaErrorCode::MessageSizeTooLarge) => PublishError::TooLarge,
            _ if failure.may_be_persisted => PublishError::OutcomeUnknown(failure.text.clone()),
            _ => PublishError::Unavailable(failure.text.clone()),
        }
    }

    fn client(&self) -> Arc<Client> {
        Arc::clone(&self.0.client.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// An idempotent producer that hit a fatal error never sends again
    /// (librdkafka, INTRODUCTION.md, "Fatal producer errors"): make a new one,
    /// once.
    fn replace(&self, failed_generation: u64) {
        let shared = &*self.0;
        let next = failed_generation + 1;
        let first = shared
            .generation
            .compare_exchange(failed_generation, next, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok();
        if !first {
            return;
        }
        tracing::warn!("the idempotent producer hit a fatal error; making a new one");
        match Client::connect(&shared.config, next, &shared.watch, &shared.dispatch) {
            Ok(client) => {
                let mut current = shared
                    .client
                    .write()
                    .unwrap_or_else(PoisonError::into_inner);
                let old = std::mem::replace(&mut *current, Arc::new(client));
                drop(current);
                // Its end waits for its thread, which must not be ours.
                std::thread::spawn(move || drop(old));
            }
            Err(error) => {
                tracing::error!(%error, "no new producer could be made; trying at the next record");
                shared
                    .generation
                    .store(failed_generation, Ordering::Release);
            }
        }
    }
}

impl PublishError {
    /// A short name for metrics and spans.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "unavailable",
            Self::QueueFull => "queue_full",
            Self::OutcomeUnknown(_) => "outcome_unknown",
            Self::TooLarge => "too_large",
        }
    }
}

impl Client {
    fn connect(
        config: &ClientConfig,
        generation: u64,
        watch: &Arc<ClusterWatch>,
        dispatch: &Dispatch,
    ) -> Result<Self, KafkaError> {
        let context = DeliveryContext {
            generation,
            watch: Arc::clone(watch),
            dispatch: dispatch.clone(),
        };
        let producer = config.create_with_context(context)?;
        Ok(Self {
            generation,
            producer,
        })
    }
}

/// Asks the cluster for its brokers until one answers. librdkafka connects only
/// when there is something to send, and its first statistics come after seconds;
/// a service should not wait for either to be ready.
fn greet(
    client: &Arc<Client>,
    watch: &Arc<ClusterWatch>,
    telemetry: &Telemetry,
) -> std::io::Result<()> {
    let (client, watch) = (Arc::downgrade(client), Arc::clone(watch));
    telemetry.thread("kafka-greet", move || {
        while let Some(client) = client.upgrade() {
            let producer = client.producer.client();
            if producer.fetch_metadata(None, GREETING).is_ok() {
                return watch.answered();
            }
        }
    })?;
    Ok(())
}

type Delivered = Result<Ack, Failure>;

/// librdkafka gave a record up.
struct Failure {
    generation: u64,
    code: Option<RDKafkaErrorCode>,
    text: String,
    may_be_persisted: bool,
}

/// Where librdkafka's callbacks arrive, on its own thread.
struct DeliveryContext {
    generation: u64,
    watch: Arc<ClusterWatch>,
    dispatch: Dispatch,
}

impl ClientContext for DeliveryContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::dispatcher::with_default(&self.dispatch, || client::log(level, facility, message));
    }

    fn stats_raw(&self, statistics: &[u8]) {
        tracing::dispatcher::with_default(&self.dispatch, || self.watch.on_statistics(statistics));
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::dispatcher::with_default(&self.dispatch, || self.watch.on_error(&error, reason));
    }
}

impl ProducerContext for DeliveryContext {
    type DeliveryOpaque = Box<oneshot::Sender<Delivered>>;

    fn delivery(&self, result: &DeliveryResult<'_>, sender: Self::DeliveryOpaque) {
        let delivered = match result {
            Ok(message) => Ok(Ack {
                partition: message.partition(),
                offset: message.offset(),
            }),
            Err((error, message)) => Err(Failure {
                generation: self.generation,
                code: error.rdkafka_error_code(),
                text: error.to_string(),
                may_be_persisted: raw::may_be_persisted(message),
            }),
        };
        // The caller may be gone; the record is where it is all the same.
        let _ = sender.send(delivered);
    }
}
