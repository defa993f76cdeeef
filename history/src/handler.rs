//! From records to the store.
//!
//! Invariant: a record is done once its fact stands in the database, and nothing
//! else is done with it. So a crash, a rebalance or a zombie's late commit at any
//! point leads to the same rows.

use std::sync::Arc;

use async_trait::async_trait;
use chassis::{
    db::{GATHER, Together},
    kafka::{Delivery, Handler, HandlerError, Poison, Record, Settlement},
};
use proto::{
    event::{PAYMENTS, PlacedOrder, SettledPayment},
    events::v1::{OrderPlaced, PaymentSettled},
    time::UnixMicros,
};

use crate::{
    fact::Fact,
    store::{Store, Verdict},
};

/// Stores what records tell.
pub struct Recorder {
    store: Arc<dyn Store>,
    together: Together<Fact, Verdict>,
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Recorder")
    }
}

impl Recorder {
    /// Stores into this store. So many facts, as many as a batch has at most, make a
    /// transaction that is full.
    pub fn new(store: Arc<dyn Store>, batch_max: usize) -> Self {
        Self {
            store,
            together: Together::new(batch_max, GATHER),
        }
    }
}

#[async_trait]
impl Handler for Recorder {
    type Event = Fact;

    fn decode(&self, record: &Record) -> Result<Fact, Poison> {
        if record.is_of::<PaymentSettled>(PAYMENTS) {
            record
                .event::<PaymentSettled, _>(SettledPayment::key)
                .map(Fact::from)
        } else {
            record
                .event::<OrderPlaced, _>(PlacedOrder::key)
                .map(Fact::from)
        }
    }

    async fn handle(&self, batch: &[Delivery<Fact>]) -> Result<Vec<Settlement>, HandlerError> {
        let facts: Vec<Fact> = batch
            .iter()
            .map(|delivery| {
                let trace_id = delivery.trace_id().and_then(|id| id.parse().ok());
                delivery.event.clone().traced(trace_id)
            })
            .collect();
        let weight = facts.len();
        let apply = |facts| self.store.apply(facts, UnixMicros::now());
        let verdicts = self.together.run(facts, weight, apply).await?;
        Ok(batch
            .iter()
            .zip(verdicts)
            .map(|(delivery, verdict)| match verdict {
                Verdict::Stands => Settlement::Done,
                Verdict::Conflicts => Settlement::Poison(conflict(&delivery.event)),
            })
            .collect())
    }
}

fn conflict(fact: &Fact) -> Poison {
    match fact {
        Fact::Placed(order) => Poison::conflict(format!(
            "order {} is stored with other content, which was left as it is",
            order.order_id
        )),
        Fact::Settled(outcome) => Poison::conflict(format!(
            "the payment of order {} is stored with another outcome, which was left as it is",
            outcome.order_id
        )),
    }
}
