//! Whether a service lives, is ready, and can answer calls.
//!
//! Invariant: a part of a service is ready only while it says so itself. A
//! condition starts not ready, and dropping its handle (the part ended or
//! panicked) leaves it not ready for good.

use std::{
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde::Serialize;
use tokio::sync::watch;

use crate::lock::locked;

/// The reason of a condition that nobody has set yet.
const STARTING: &str = "starting";

/// What a condition decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Affects {
    /// Readiness only: the service cannot do all its work, but answers calls.
    Work,
    /// Readiness, and whether calls can be answered.
    Calls,
}

/// A condition as told by `/readyz` and `/status`.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Condition {
    /// The part of the service, for instance `database`.
    pub name: &'static str,
    /// Whether it is ready.
    pub ready: bool,
    /// Why not, and what is being done about it; empty when ready.
    pub reason: String,
    #[serde(skip)]
    affects: Affects,
}

/// The health of one service.
#[derive(Debug, Clone)]
pub struct Health(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    conditions: Mutex<Vec<Condition>>,
    changes: watch::Sender<u64>,
    heartbeats: Mutex<Vec<Heartbeat>>,
    started: Instant,
}

#[derive(Debug)]
struct Heartbeat {
    name: &'static str,
    within: Duration,
    last: Arc<AtomicU64>,
}

impl Default for Health {
    fn default() -> Self {
        Self(Arc::new(Inner {
            conditions: Mutex::default(),
            changes: watch::Sender::new(0),
            heartbeats: Mutex::default(),
            started: Instant::now(),
        }))
    }
}

impl Health {
    /// Adds a condition; not ready until its handle says so.
    pub fn condition(&self, name: &'static str, affects: Affects) -> ReadinessHandle {
        let index = {
            let mut conditions = self.conditions_mut();
            conditions.push(Condition {
                name,
                ready: false,
                reason: STARTING.to_owned(),
                affects,
            });
            conditions.len() - 1
        };
        self.changed();
        ReadinessHandle {
            health: self.clone(),
            index,
        }
    }

    /// Adds a heartbeat: liveness is lost when it is silent for longer.
    pub fn heartbeat(&self, name: &'static str, within: Duration) -> LivenessHandle {
        let last = Arc::new(AtomicU64::new(self.now()));
        locked(&self.0.heartbeats).push(Heartbeat {
            name,
            within,
            last: Arc::clone(&last),
        });
        LivenessHandle {
            last,
            started: self.0.started,
        }
    }

    /// All conditions, in the order they were added.
    pub fn conditions(&self) -> Vec<Condition> {
        self.conditions_mut().clone()
    }

    /// Whether every part can do its work.
    pub fn is_ready(&self) -> bool {
        self.conditions_mut()
            .iter()
            .all(|condition| condition.ready)
    }

    /// Whether calls can be answered.
    pub fn answers_calls(&self) -> bool {
        self.conditions_mut()
            .iter()
            .all(|condition| condition.ready || condition.affects == Affects::Work)
    }

    /// Parts whose heartbeat is overdue; empty while the service lives.
    pub fn overdue(&self) -> Vec<&'static str> {
        let now = self.now();
        locked(&self.0.heartbeats)
            .iter()
            .filter(|beat| {
                let silent = now.saturating_sub(beat.last.load(Ordering::Relaxed));
                u128::from(silent) > beat.within.as_millis()
            })
            .map(|beat| beat.name)
            .collect()
    }

    /// Wakes at every change of a condition.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    fn conditions_mut(&self) -> MutexGuard<'_, Vec<Condition>> {
        locked(&self.0.conditions)
    }

    fn changed(&self) {
        self.0.changes.send_modify(|version| *version += 1);
    }

    fn now(&self) -> u64 {
        millis(self.0.started)
    }
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Says whether one part of a service is ready.
#[derive(Debug)]
pub struct ReadinessHandle {
    health: Health,
    index: usize,
}

impl ReadinessHandle {
    /// The part can do its work.
    pub fn set_ready(&self) {
        self.set(true, "");
    }

    /// The part cannot do its work, and why.
    pub fn set_not_ready(&self, reason: impl Into<String>) {
        self.set(false, &reason.into());
    }

    fn set(&self, ready: bool, reason: &str) {
        let turned = {
            let mut conditions = self.health.conditions_mut();
            let condition = &mut conditions[self.index];
            // Nothing is known of what is starting, so any word of it is news.
            let turned = condition.ready != ready || condition.reason == STARTING;
            condition.ready = ready;
            reason.clone_into(&mut condition.reason);
            turned.then_some(condition.name)
        };
        if let Some(part) = turned {
            if ready {
                tracing::info!(part, "ready");
            } else {
                tracing::warn!(part, reason, "not ready");
            }
            self.health.changed();
        }
    }
}

impl Drop for ReadinessHandle {
    fn drop(&mut self) {
        let mut conditions = self.health.conditions_mut();
        let condition = &mut conditions[self.index];
        condition.ready = false;
        "stopped".clone_into(&mut condition.reason);
        drop(conditions);
        self.health.changed();
    }
}

/// Says that one part of a service lives.
#[derive(Debug, Clone)]
pub struct LivenessHandle {
    last: Arc<AtomicU64>,
    started: Instant,
}

impl LivenessHandle {
    /// Still here.
    pub fn beat(&self) {
        self.last.store(millis(self.started), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_ready_when_all_its_parts_are() {
        let health = Health::default();
        let database = health.condition("database", Affects::Calls);
        let smtp = health.condition("smtp", Affects::Work);
        assert!(!health.is_ready() && !health.answers_calls());
        database.set_ready();
        assert!(!health.is_ready() && health.answers_calls());
        smtp.set_ready();
        assert!(health.is_ready());
        smtp.set_not_ready("refused");
        assert!(!health.is_ready() && health.answers_calls());
        assert_eq!(health.conditions()[1].reason, "refused");
    }

    #[test]
    fn a_part_that_ended_is_not_ready() {
        let health = Health::default();
        let part = health.condition("consumer", Affects::Work);
        part.set_ready();
        drop(part);
        assert!(!health.is_ready());
    }

    #[test]
    fn a_silent_heart_is_overdue() {
        let health = Health::default();
        let beat = health.heartbeat("poll", Duration::from_millis(1));
        while health.overdue().is_empty() {
            std::thread::yield_now();
        }
        beat.beat();
        let patient = health.heartbeat("other", Duration::from_secs(3600));
        patient.beat();
        assert!(!health.overdue().contains(&"other"));
    }
}
