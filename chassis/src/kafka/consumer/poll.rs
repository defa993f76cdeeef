//! The poll thread.

use std::{sync::Arc, thread, time::Duration};

use rdkafka::{
    Message as _,
    consumer::{BaseConsumer, CommitMode, Consumer as _},
    error::KafkaError,
};
use tokio_util::sync::CancellationToken;

use super::{context::LoopContext, topics::Topics};
use crate::health::LivenessHandle;

/// How long one poll may wait: so late may an offset be stored.
const TURN: Duration = Duration::from_millis(100);

/// Polls until told to stop, then gives back all partitions.
pub(super) fn run(
    consumer: &Arc<BaseConsumer<LoopContext>>,
    stop: &CancellationToken,
    heart: &LivenessHandle,
    topics: &mut Topics,
) {
    let context = consumer.context();
    while !stop.is_cancelled() {
        heart.beat();
        context.take_reports(consumer, topics);
        match consumer.poll(TURN) {
            // Were it passed over, a later offset could be stored. So the process
            // ends here, and the record comes again to the next.
            Some(Ok(message)) => panic!(
                "a record of {} came past its partition's queue",
                message.topic()
            ),
            Some(Err(error)) => failed(&error, topics),
            None => {}
        }
        topics.look(consumer);
    }
    // Records that are still in queues are given up: they are not settled, so
    // they come again.
    context.release(consumer, None, CommitMode::Sync);
}

/// Takes in what reading failed for.
pub(super) fn failed(error: &KafkaError, topics: &mut Topics) {
    if !topics.missed(error) {
        // Readiness tells that brokers are away; this repeats with every attempt.
        tracing::debug!(%error, "reading from Kafka failed; librdkafka tries again");
    }
    // An error that comes at once, over and over, must not burn a core.
    thread::sleep(Duration::from_millis(10));
}
