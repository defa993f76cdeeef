//! Whether the consumer's dependencies are there, over all its partitions.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use super::pipeline::{Lane, Stopped};
use crate::{health::ReadinessHandle, lock::locked};

/// Collects which partitions wait for a dependency; ready when none does.
#[derive(Debug, Clone)]
pub(super) struct Away(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    waiting: Mutex<BTreeMap<(Arc<str>, i32), String>>,
    condition: ReadinessHandle,
}

impl Away {
    pub(super) fn new(condition: ReadinessHandle) -> Self {
        condition.set_ready();
        Self(Arc::new(Inner {
            waiting: Mutex::default(),
            condition,
        }))
    }

    /// A partition waits, and for what.
    pub(super) fn waits(&self, topic: &Arc<str>, partition: i32, why: &str) {
        let mut waiting = self.waiting();
        waiting.insert((Arc::clone(topic), partition), why.to_owned());
        self.0.condition.set_not_ready(why);
    }

    /// A partition goes on, or is no longer ours.
    pub(super) fn goes_on(&self, topic: &Arc<str>, partition: i32) {
        let mut waiting = self.waiting();
        if waiting.remove(&(Arc::clone(topic), partition)).is_some() && waiting.is_empty() {
            self.0.condition.set_ready();
        }
    }

    /// Waits for so long. When the lane is stopped meanwhile, its partition waits no more:
    /// it may be gone from here already.
    pub(super) async fn pause(&self, lane: &Lane, pause: Duration) -> Result<(), Stopped> {
        tokio::select! {
            () = lane.stop.cancelled() => {
                self.goes_on(&lane.topic, lane.partition);
                Err(Stopped)
            }
            () = tokio::time::sleep(pause) => Ok(()),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeMap<(Arc<str>, i32), String>> {
        locked(&self.0.waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::{Affects, Health};

    #[test]
    fn it_is_ready_again_when_the_last_partition_goes_on() {
        let health = Health::default();
        let away = Away::new(health.condition("dependencies", Affects::Work));
        let topic: Arc<str> = "orders.v1".into();
        away.waits(&topic, 0, "database");
        away.waits(&topic, 1, "database");
        away.goes_on(&topic, 0);
        assert!(!health.is_ready());
        away.goes_on(&topic, 1);
        away.goes_on(&topic, 1);
        assert!(health.is_ready());
    }
}
