//! The poll thread.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
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

/// Polls until told to stop, then gives back all partitions. On an error nothing more
/// is stored or committed: what is not settled comes again to the next owner.
pub(super) fn run(
    consumer: &Arc<BaseConsumer<LoopContext>>,
    stop: &CancellationToken,
    heart: &LivenessHandle,
    topics: &mut Topics,
) -> anyhow::Result<()> {
    let context = consumer.context();
    while !stop.is_cancelled() {
        heart.beat();
        context.take_reports(consumer, topics)?;
        match consumer.poll(TURN) {
            // Were it passed over, a later offset could be stored.
            Some(Ok(message)) => anyhow::bail!(
                "a record of {} came past its partition's queue",
                message.topic()
            ),
            Some(Err(error @ KafkaError::MessageConsumptionFatal(_))) => {
                return Err(error).context("librdkafka gave this consumer up for good");
            }
            Some(Err(error)) => context.failed(&error, topics),
            None => {}
        }
        topics.look(consumer);
    }
    // Records that are still in queues are given up: they are not settled, so
    // they come again.
    context.release(consumer, None, CommitMode::Sync);
    Ok(())
}
