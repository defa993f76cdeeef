//! The publisher: puts records on Kafka and says truthfully whether they are
//! there.
//!
//! Invariant: [`Publisher::publish`] returns an [`Ack`] only when every in-sync
//! replica has the record (`acks=all`, idempotent producer, so librdkafka's own
//! retries neither double nor reorder). [`PublishError::Unavailable`] means that
//! the record surely is not there; whenever librdkafka cannot rule out that it
//! is, the answer is [`PublishError::OutcomeUnknown`]. A caller that goes away
//! changes nothing for the record.

mod gather;
mod producer;

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
    ClientConfig,
    error::RDKafkaErrorCode,
    message::{Header, OwnedHeaders},
};
use tracing::Dispatch;

use self::{
    gather::{Gather, Turn},
    producer::{Failure, Fate, Producer, Ready},
};
use super::{Admission, KafkaOptions, Outgoing, client::ClusterWatch, headers};
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

/// Puts records on Kafka. Cheap to clone; one per service.
#[derive(Clone)]
pub struct Publisher(Arc<Shared>);

struct Shared {
    service: &'static str,
    /// `ce_source`, unless a record has its own.
    source: String,
    options: KafkaOptions,
    config: ClientConfig,
    producer: RwLock<Arc<Producer>>,
    generation: AtomicU64,
    gather: Gather<Ready>,
    breaker: Arc<Breaker>,
    watch: Arc<ClusterWatch>,
    dispatch: Dispatch,
    duration: Histogram<f64>,
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
    ) -> anyhow::Result<Self> {
        let mut config = options.client(service);
        config
            .set("compression.type", "lz4")
            // A broker works off one request of a connection at a time, so further
            // ones only queue there; and librdkafka's threads spin while five or
            // more records of a partition are unacknowledged and another waits. On
            // two cores with three brokers, at 200 orders a second: a quarter of
            // the gateway's CPU time, and p50 of accepting halved.
            .set("max.in.flight", "1")
            // Who waits for whom is up to `Gather`.
            .set("linger.ms", "0")
            .set("request.timeout.ms", "5000")
            .set("queue.buffering.max.messages", "50000")
            .set("queue.buffering.max.kbytes", "65536");
        options.overrule(&mut config);
        // These are no matter of taste.
        config
            .set("acks", "all")
            .set("enable.idempotence", "true")
            // The Java client's partitioning, so that records of one key meet
            // whoever produced them.
            .set("partitioner", "murmur2_random")
            .set(
                "message.timeout.ms",
                MESSAGE_TIMEOUT.as_millis().to_string(),
            )
            .set("message.max.bytes", MAX_RECORD_BYTES.to_string());
        let watch = ClusterWatch::new(condition);
        let dispatch = telemetry.dispatch().clone();
        let producer = Arc::new(Producer::connect(&config, 0, &watch, &dispatch)?);
        producer::greet(&producer, &watch, telemetry)?;
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
            producer: RwLock::new(producer),
            generation: AtomicU64::new(0),
            gather: Gather::new(),
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
        // Ours is an id. What is handed on may have anybody's bytes for a key.
        let key = record.key.as_deref().filter(|_| record.is_ours);
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
        let room = match shared.options.admission() {
            Some(admission) => {
                let room = Admission::reserve(admission, &record.topic, size);
                Some(room.ok_or(PublishError::QueueFull)?)
            }
            None => None,
        };
        let permit = shared.breaker.admit().ok_or_else(|| {
            PublishError::Unavailable("it did not answer just now; not asked again yet".to_owned())
        })?;
        let _open = shared.gather.open();
        let (ready, delivered) = Ready::new(
            shared.options.topic(&record.topic),
            self.headers(&record, traced),
            record.key,
            record.payload,
            room,
        );
        match shared.gather.add(ready) {
            Turn::Go(ready) => self.producer().send(ready),
            Turn::Joined => {}
            Turn::First(time) => {
                let publisher = self.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(time).await;
                    publisher.send_gathered();
                });
            }
        }
        match delivered.await {
            Ok(Ok(ack)) => {
                permit.done(true);
                shared.watch.answered();
                Ok(ack)
            }
            Ok(Err(failure)) => {
                // What librdkafka refused says nothing about Kafka.
                if failure.fate != Fate::Refused {
                    permit.done(false);
                }
                Err(self.failed(&failure))
            }
            // The producer was replaced with this record still inside.
            Err(_) => Err(PublishError::OutcomeUnknown(
                "the producer was replaced".to_owned(),
            )),
        }
    }

    fn send_gathered(&self) {
        let producer = self.producer();
        for ready in self.0.gather.take() {
            producer.send(ready);
        }
    }

    /// Waits until librdkafka holds no record any more, within a bound.
    pub(crate) async fn flush(&self) {
        self.send_gathered();
        let producer = self.producer();
        let flushed = tokio::task::spawn_blocking(move || producer.flush(FLUSH)).await;
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

    /// What a failure means for the caller. A producer that will never work again is
    /// replaced.
    fn failed(&self, failure: &Failure) -> PublishError {
        let code = failure.error.rdkafka_error_code();
        if code == Some(RDKafkaErrorCode::Fatal) {
            self.replace(failure.generation);
        }
        match (code, failure.fate) {
            (Some(RDKafkaErrorCode::MessageSizeTooLarge), _) => PublishError::TooLarge,
            (Some(RDKafkaErrorCode::QueueFull), Fate::Refused) => PublishError::QueueFull,
            (_, Fate::Unknown) => PublishError::OutcomeUnknown(failure.error.to_string()),
            (_, Fate::Refused | Fate::GivenUp) => {
                PublishError::Unavailable(failure.error.to_string())
            }
        }
    }

    fn producer(&self) -> Arc<Producer> {
        let producer = self.0.producer.read();
        Arc::clone(&producer.unwrap_or_else(PoisonError::into_inner))
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
        match Producer::connect(&shared.config, next, &shared.watch, &shared.dispatch) {
            Ok(producer) => {
                let mut current = shared
                    .producer
                    .write()
                    .unwrap_or_else(PoisonError::into_inner);
                let old = std::mem::replace(&mut *current, Arc::new(producer));
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
