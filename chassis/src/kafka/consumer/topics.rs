//! Whether the topics that are subscribed to exist, as a condition of readiness.
//!
//! librdkafka tells once that a topic is missing, also when it was only just made
//! and not every broker has heard of it, and tells nothing when it is there.
//!
//! Invariant: from the first such error on, the cluster is asked until it knows all
//! topics, and its answers alone decide.

use std::time::{Duration, Instant};

use rdkafka::{
    consumer::{BaseConsumer, Consumer as _, ConsumerContext},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
};

use crate::health::ReadinessHandle;

/// How often the cluster is asked, and how long for an answer: the poll thread
/// waits for it.
const EVERY: Duration = Duration::from_secs(1);

/// The topics that are subscribed to, by their names on the cluster.
pub(super) struct Topics {
    names: Vec<String>,
    condition: ReadinessHandle,
    /// When to ask, while one may be missing.
    ask: Option<Instant>,
}

impl Topics {
    /// All exist, until librdkafka misses one.
    pub(super) fn new(names: Vec<String>, condition: ReadinessHandle) -> Self {
        condition.set_ready();
        Self {
            names,
            condition,
            ask: None,
        }
    }

    /// Whether an error says that a topic does not exist. Then the cluster is asked.
    pub(super) fn missed(&mut self, error: &KafkaError) -> bool {
        let missed = error.rdkafka_error_code().is_some_and(is_missing);
        if missed {
            self.ask.get_or_insert_with(Instant::now);
        }
        missed
    }

    /// Asks the cluster which are missing, when it is time for that.
    pub(super) fn look<C: ConsumerContext>(&mut self, consumer: &BaseConsumer<C>) {
        if self.ask.is_none_or(|at| Instant::now() < at) {
            return;
        }
        let missing: KafkaResult<Vec<&str>> = self
            .names
            .iter()
            .filter_map(|name| match exists(consumer, name) {
                Ok(true) => None,
                Ok(false) => Some(Ok(name.as_str())),
                Err(error) => Some(Err(error)),
            })
            .collect();
        self.ask = Some(Instant::now() + EVERY);
        match missing {
            Ok(missing) if missing.is_empty() => {
                self.ask = None;
                self.condition.set_ready();
            }
            Ok(missing) => self.condition.set_not_ready(format!(
                "not on the cluster: {}; `ordermesh topics create` makes them",
                missing.join(", ")
            )),
            // Readiness tells that brokers are away.
            Err(error) => tracing::debug!(%error, "the cluster did not tell its topics"),
        }
    }
}

fn exists<C: ConsumerContext>(consumer: &BaseConsumer<C>, name: &str) -> KafkaResult<bool> {
    let metadata = consumer.fetch_metadata(Some(name), EVERY)?;
    let topic = metadata.topics().iter().find(|topic| topic.name() == name);
    match topic.map(|topic| topic.error()) {
        None => Ok(false),
        Some(None) => Ok(true),
        Some(Some(error)) => {
            let code = RDKafkaErrorCode::from(error);
            if is_missing(code) {
                Ok(false)
            } else {
                Err(KafkaError::MetadataFetch(code))
            }
        }
    }
}

fn is_missing(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic
    )
}
