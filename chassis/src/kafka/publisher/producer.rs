//! One librdkafka producer, and what it tells of each record.

use std::{sync::Arc, time::Duration};

use rdkafka::{
    ClientConfig, ClientContext,
    config::RDKafkaLogLevel,
    error::KafkaError,
    message::{DeliveryResult, Message as _, OwnedHeaders},
    producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer},
};
use tokio::sync::oneshot;
use tracing::Dispatch;

use super::Ack;
use crate::{
    kafka::{client, client::ClusterWatch, embedded::Reserved, raw},
    telemetry::Telemetry,
};

/// How long one question for the brokers may take. The end of a process waits at
/// most this long for it.
const GREETING: Duration = Duration::from_secs(1);

/// What became of a record.
pub(super) type Delivered = Result<Ack, Failure>;

/// Why a record is not acknowledged.
#[derive(Debug)]
pub(super) struct Failure {
    /// Of its producer.
    pub(super) generation: u64,
    pub(super) error: KafkaError,
    pub(super) fate: Fate,
}

/// Where a record is that is not acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Here: librdkafka did not take it into its queue.
    Refused,
    /// Surely not on a broker: librdkafka gave it up.
    GivenUp,
    /// On a broker or not: librdkafka gave it up.
    Unknown,
}

/// A record that can be sent, and whom to tell.
#[derive(Debug)]
pub(super) struct Ready {
    /// The topic on the cluster.
    topic: String,
    headers: OwnedHeaders,
    key: Option<Vec<u8>>,
    payload: Option<Vec<u8>>,
    waiting: Box<Waiting>,
}

/// Who waits for a record's fate.
#[derive(Debug)]
pub(super) struct Waiting {
    sender: oneshot::Sender<Delivered>,
    /// What the embedded broker has reserved for it.
    room: Option<Reserved>,
}

impl Waiting {
    /// The record has met its fate. The caller may be gone; the record is where it is
    /// all the same.
    fn tell(self, delivered: Delivered) {
        if let Some(room) = self.room {
            match &delivered {
                Ok(ack) => room.published(*ack),
                Err(failure) if failure.fate == Fate::Unknown => room.keep(),
                Err(_) => drop(room),
            }
        }
        let _ = self.sender.send(delivered);
    }
}

impl Ready {
    pub(super) fn new(
        topic: String,
        headers: OwnedHeaders,
        key: Option<Vec<u8>>,
        payload: Option<Vec<u8>>,
        room: Option<Reserved>,
    ) -> (Self, oneshot::Receiver<Delivered>) {
        let (sender, receiver) = oneshot::channel();
        let ready = Self {
            topic,
            headers,
            key,
            payload,
            waiting: Box::new(Waiting { sender, room }),
        };
        (ready, receiver)
    }
}

/// A producer with its thread.
pub(super) struct Producer {
    /// How many were replaced before it.
    generation: u64,
    producer: ThreadedProducer<DeliveryContext>,
}

impl Producer {
    pub(super) fn connect(
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

    /// Hands a record to librdkafka. Its receiver is told what becomes of it, also
    /// when that is nothing.
    pub(super) fn send(&self, ready: Ready) {
        let Ready {
            topic,
            headers,
            key,
            payload,
            waiting,
        } = ready;
        let mut record: BaseRecord<'_, [u8], [u8], _> =
            BaseRecord::with_opaque_to(&topic, waiting).headers(headers);
        record.key = key.as_deref();
        record.payload = payload.as_deref();
        if let Err((error, record)) = self.producer.send(record) {
            let failure = Failure {
                generation: self.generation,
                error,
                fate: Fate::Refused,
            };
            record.delivery_opaque.tell(Err(failure));
        }
    }

    pub(super) fn flush(&self, timeout: Duration) -> Result<(), KafkaError> {
        self.producer.flush(timeout)
    }
}

/// Asks the cluster for its brokers until one answers. librdkafka connects only
/// when there is something to send, and its first statistics come after seconds;
/// a service should not wait for either to be ready.
pub(super) fn greet(
    producer: &Arc<Producer>,
    watch: &Arc<ClusterWatch>,
    telemetry: &Telemetry,
) -> std::io::Result<()> {
    let (producer, watch) = (Arc::downgrade(producer), Arc::clone(watch));
    telemetry.thread("kafka-greet", move || {
        while let Some(producer) = producer.upgrade() {
            let client = producer.producer.client();
            if client.fetch_metadata(None, GREETING).is_ok() {
                return watch.answered();
            }
        }
    })?;
    Ok(())
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
    type DeliveryOpaque = Box<Waiting>;

    fn delivery(&self, result: &DeliveryResult<'_>, waiting: Self::DeliveryOpaque) {
        let delivered = match result {
            Ok(message) => Ok(Ack {
                partition: message.partition(),
                offset: message.offset(),
            }),
            Err((error, message)) => Err(Failure {
                generation: self.generation,
                error: error.clone(),
                fate: if raw::may_be_persisted(message) {
                    Fate::Unknown
                } else {
                    Fate::GivenUp
                },
            }),
        };
        waiting.tell(delivered);
    }
}
