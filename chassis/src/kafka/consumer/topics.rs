//! Whether the topics that are subscribed to exist, as a condition of readiness.
//!
//! librdkafka tells once that a topic is missing or not to be read, also when it was
//! only just made and not every broker has heard of it, and tells nothing when that is
//! over.
//!
//! Invariant: from the first such error on, the cluster is asked until it has said twice
//! in a row that all is well, and its answers alone decide.

use std::time::{Duration, Instant};

use rdkafka::{
    consumer::{BaseConsumer, Consumer as _, ConsumerContext},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
};

use crate::health::ReadinessHandle;

/// How often the cluster is asked, and how long for an answer: the poll thread
/// waits for it.
const EVERY: Duration = Duration::from_secs(1);

/// Answers in a row that all is well. A broker may not have heard of a deletion yet.
const ASSURED: u32 = 2;

/// The topics that are subscribed to, by their names on the cluster.
pub(super) struct Topics {
    names: Vec<String>,
    condition: ReadinessHandle,
    asking: Option<Asking>,
}

/// While one may be missing.
struct Asking {
    /// When to ask next.
    at: Instant,
    /// How often in a row all was well.
    well: u32,
}

impl Topics {
    /// All exist, until librdkafka misses one.
    pub(super) fn new(names: Vec<String>, condition: ReadinessHandle) -> Self {
        condition.set_ready();
        Self {
            names,
            condition,
            asking: None,
        }
    }

    /// Whether an error says that a topic cannot be read. Then the cluster is asked.
    pub(super) fn missed(&mut self, error: &KafkaError) -> bool {
        let code = error.rdkafka_error_code();
        let missed = code.is_some_and(is_missing)
            || code == Some(RDKafkaErrorCode::TopicAuthorizationFailed);
        if missed {
            self.asking = Some(Asking {
                at: Instant::now(),
                well: 0,
            });
        }
        missed
    }

    /// Asks the cluster about each, when it is time for that.
    pub(super) fn look<C: ConsumerContext>(&mut self, consumer: &BaseConsumer<C>) {
        let Some(asking) = &mut self.asking else {
            return;
        };
        if Instant::now() < asking.at {
            return;
        }
        let names = self.names.iter();
        let problems: KafkaResult<Vec<_>> = names.map(|name| problem(consumer, name)).collect();
        asking.at = Instant::now() + EVERY;
        let problems: Vec<String> = match problems {
            Ok(problems) => problems.into_iter().flatten().collect(),
            // Readiness tells that brokers are away.
            Err(error) => {
                tracing::debug!(%error, "the cluster did not tell its topics");
                return;
            }
        };
        if problems.is_empty() {
            asking.well += 1;
            if asking.well == ASSURED {
                self.asking = None;
            }
            self.condition.set_ready();
        } else {
            asking.well = 0;
            self.condition.set_not_ready(problems.join("; "));
        }
    }
}

/// What is wrong with a topic, if something is. An error when the cluster does not
/// answer.
fn problem<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    name: &str,
) -> KafkaResult<Option<String>> {
    let metadata = consumer.fetch_metadata(Some(name), EVERY)?;
    let code = match metadata.topics().iter().find(|topic| topic.name() == name) {
        None => RDKafkaErrorCode::UnknownTopic,
        Some(topic) => match topic.error() {
            None => return Ok(None),
            Some(error) => error.into(),
        },
    };
    Ok(Some(if is_missing(code) {
        format!("{name} does not exist, `ordermesh topics create` makes it")
    } else {
        format!("{name}: {code}")
    }))
}

fn is_missing(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic
    )
}
