//! Where a partition's records come from: its own queue in librdkafka.
//!
//! Invariants:
//!
//! - The queue is split from the consumer's before the partition is assigned, so
//!   every record of the partition comes through it, in order.
//! - After [`Source::close`] no record is taken. The records in the queue are
//!   given up; they are not settled, so they come again.
//! - The queue holds the consumer, and the consumer's context holds the queue:
//!   closing breaks that circle, even while a worker hangs.

use std::sync::{Arc, Mutex};

use rdkafka::{
    consumer::{BaseConsumer, base_consumer::PartitionQueue},
    error::KafkaError,
};
use tokio::sync::Notify;

use super::context::LoopContext;
use crate::{kafka::Record, lock::locked};

/// The records of one partition, for one assignment.
pub(super) struct Source {
    topic: Arc<str>,
    queue: Mutex<Option<PartitionQueue<LoopContext>>>,
    arrived: Arc<Notify>,
}

impl Source {
    /// Splits a partition's queue off; `topic` is its logical name and `name`
    /// that on the cluster. `None` for names that no topic can have.
    pub(super) fn split(
        consumer: &Arc<BaseConsumer<LoopContext>>,
        topic: Arc<str>,
        name: &str,
        partition: i32,
    ) -> Option<Self> {
        let mut queue = consumer.split_partition_queue(name, partition)?;
        let arrived = Arc::new(Notify::new());
        let notify = Arc::clone(&arrived);
        // Called when the queue was empty and is no longer; a permit is kept when
        // nobody waits.
        queue.set_nonempty_callback(move || notify.notify_one());
        Some(Self {
            topic,
            queue: Mutex::new(Some(queue)),
            arrived,
        })
    }

    /// Takes records until one is answered with false, or there are no more:
    /// true. Only then is waiting for [`arrived`](Self::arrived) of use.
    pub(super) fn take(
        &self,
        mut each: impl FnMut(Record) -> bool,
        mut failed: impl FnMut(KafkaError),
    ) -> bool {
        let queue = locked(&self.queue);
        let Some(queue) = &*queue else {
            return true;
        };
        loop {
            match queue.poll(std::time::Duration::ZERO) {
                Some(Ok(message)) => {
                    if !each(Record::copy(Arc::clone(&self.topic), &message)) {
                        return false;
                    }
                }
                Some(Err(error)) => failed(error),
                None => return true,
            }
        }
    }

    /// Waits until there may be records again.
    pub(super) async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// Lets the queue go.
    pub(super) fn close(&self) {
        let queue = locked(&self.queue).take();
        drop(queue);
    }
}
