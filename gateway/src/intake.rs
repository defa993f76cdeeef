//! How many orders this gateway accepts, for operators.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use chassis::window::Rate;
use serde_json::{Value, json};

/// Counts accepted orders. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Intake(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    start: Instant,
    accepted: AtomicU64,
    rate: Rate,
}

impl Default for Intake {
    fn default() -> Self {
        Self(Arc::new(Counts {
            start: Instant::now(),
            accepted: AtomicU64::new(0),
            rate: Rate::default(),
        }))
    }
}

impl Intake {
    /// An order was accepted, now or before under the same key.
    pub(crate) fn accepted(&self) {
        self.0.accepted.fetch_add(1, Ordering::Relaxed);
        self.0.rate.add(self.0.start.elapsed(), 1);
    }

    /// As `/status` tells it.
    pub(crate) fn told(&self) -> Value {
        json!({
            "accepted": self.0.accepted.load(Ordering::Relaxed),
            "perSecond": self.0.rate.per_second(self.0.start.elapsed()),
        })
    }
}
