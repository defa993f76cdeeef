//! Merges what the topics bring into the store.

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
use tokio::sync::Notify;

use crate::{
    fact::{Fact, Half},
    store::{Store, Verdict},
};

/// Handles `orders.v1` and `payments.v1`.
pub struct Merging {
    store: Arc<dyn Store>,
    wake: Arc<Notify>,
    together: Together<Fact, Verdict>,
}

impl std::fmt::Debug for Merging {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Merging")
    }
}

impl Merging {
    /// Merges into a store and notifies `wake` when mails were written. So many facts,
    /// as many as a batch has at most, make a transaction that is full.
    pub fn new(store: Arc<dyn Store>, wake: Arc<Notify>, batch_max: usize) -> Self {
        Self {
            store,
            wake,
            together: Together::new(batch_max, GATHER),
        }
    }
}

fn half(record: &Record) -> Result<Half, Poison> {
    if record.is_of::<PaymentSettled>(PAYMENTS) {
        let payment: SettledPayment = record.event::<PaymentSettled, _>(SettledPayment::key)?;
        return Ok(Half::Settled((&payment).into()));
    }
    let order: PlacedOrder = record.event::<OrderPlaced, _>(PlacedOrder::key)?;
    Ok(Half::Placed(Box::new(order)))
}

#[async_trait]
impl Handler for Merging {
    type Event = Half;

    fn decode(&self, record: &Record) -> Result<Half, Poison> {
        half(record)
    }

    async fn handle(&self, batch: &[Delivery<Half>]) -> Result<Vec<Settlement>, HandlerError> {
        let facts: Vec<Fact> = batch
            .iter()
            .map(|delivery| Fact {
                half: delivery.event.clone(),
                traceparent: delivery.traceparent(),
            })
            .collect();
        let weight = facts.len();
        let merge = async |facts| {
            let merged = self.store.merge(facts, UnixMicros::now()).await?;
            if merged.mails > 0 {
                // Kept for an outbox that is just about to wait.
                self.wake.notify_one();
            }
            Ok(merged.verdicts)
        };
        let verdicts = self.together.run(facts, weight, merge).await?;
        Ok(verdicts
            .into_iter()
            .map(|verdict| match verdict {
                Verdict::Stands => Settlement::Done,
                Verdict::Conflicts => Settlement::Poison(Poison::conflict(
                    "the order came before with other content, or its payment with another outcome",
                )),
            })
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use chassis::kafka::{Content, PoisonClass, headers};
    use prost::Name as _;

    use super::*;

    /// How a record without a value fails: by its type, or only by its value.
    fn failure(topic: &str, ce_type: &str) -> PoisonClass {
        let headers = [(headers::CE_TYPE.as_bytes(), Some(ce_type.as_bytes()))];
        let content = Content {
            headers: &headers,
            ..Content::default()
        };
        half(&Record::new(topic, 0, 0, 0, content))
            .unwrap_err()
            .class
    }

    #[test]
    fn what_was_put_back_is_read_as_what_it_is() {
        let (order, payment) = (OrderPlaced::full_name(), PaymentSettled::full_name());
        let replays = "notifier.replay.v1";
        for (topic, ce_type, class) in [
            ("orders.v1", &order, PoisonClass::Undecodable),
            ("orders.v1", &payment, PoisonClass::Unsupported),
            ("payments.v1", &payment, PoisonClass::Undecodable),
            ("payments.v1", &order, PoisonClass::Unsupported),
            (replays, &order, PoisonClass::Undecodable),
            (replays, &payment, PoisonClass::Undecodable),
        ] {
            assert_eq!(failure(topic, ce_type), class, "{ce_type} from {topic}");
        }
    }
}
