//! The poll thread.

use std::{thread, time::Duration};

use rdkafka::{
    consumer::{BaseConsumer, CommitMode, Consumer as _},
    error::{KafkaError, RDKafkaErrorCode},
};
use tokio_util::sync::CancellationToken;

use super::context::LoopContext;
use crate::health::{LivenessHandle, ReadinessHandle};

/// How long one poll may wait when nothing else is to be done.
const IDLE: Duration = Duration::from_millis(100);
/// How long, while a partition waits for room in its queue.
const PAUSED: Duration = Duration::from_millis(5);
/// Records taken before finished work is looked at again.
const RECORDS_PER_TURN: usize = 1_000;

/// Polls until told to stop, then gives back all partitions.
pub(super) fn run(
    consumer: &BaseConsumer<LoopContext>,
    stop: &CancellationToken,
    heart: &LivenessHandle,
    topics: &ReadinessHandle,
) {
    let context = consumer.context();
    while !stop.is_cancelled() {
        heart.beat();
        context.take_reports(consumer);
        context.make_room(consumer);
        let mut wait = if context.any_paused() { PAUSED } else { IDLE };
        for _ in 0..RECORDS_PER_TURN {
            match consumer.poll(wait) {
                Some(Ok(message)) => {
                    topics.set_ready();
                    context.deliver(consumer, &message);
                }
                Some(Err(error)) => failed(&error, topics),
                None => break,
            }
            wait = Duration::ZERO;
        }
    }
    // Records that are still in queues are given up: they are not settled, so
    // they come again.
    context.release(consumer, None, CommitMode::Sync);
}

fn failed(error: &KafkaError, topics: &ReadinessHandle) {
    let missing = [
        Some(RDKafkaErrorCode::UnknownTopicOrPartition),
        Some(RDKafkaErrorCode::UnknownTopic),
    ];
    if missing.contains(&error.rdkafka_error_code()) {
        topics.set_not_ready("a topic does not exist; `ordermesh topics create` makes them");
    } else {
        // Readiness tells that brokers are away; this repeats with every attempt.
        tracing::debug!(%error, "reading from Kafka failed; librdkafka tries again");
    }
    // An error that comes at once, over and over, must not burn a core.
    thread::sleep(Duration::from_millis(10));
}
