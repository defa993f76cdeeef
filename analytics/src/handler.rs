//! From records to the store.
//!
//! Invariant: a record is done once its fact is counted, now or before, and
//! nothing else is done with it. So a crash, a rebalance or a zombie's late commit
//! at any point leads to the same figures.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use chassis::{
    db::{DbError, Together},
    kafka::{Delivery, Handler, HandlerError, Poison, PoisonClass, Record, Settlement},
};
use opentelemetry::{
    KeyValue,
    metrics::{Counter, Meter},
};
use proto::{
    event::{
        NOTIFICATIONS, ORDERS, PAYMENTS, PlacedOrder, SentNotification, SettledPayment,
        TrackedEvent, USER_EVENTS,
    },
    events::v1::{NotificationSent, OrderPlaced, PaymentSettled, UserEvent},
    time::UnixMicros,
};

use crate::{
    batch::{Batch, Shard, split},
    fact::Fact,
    retention::Retention,
    store::Store,
};

/// Most rows, roughly, that one transaction writes. 500 orders of a few lines
/// stay well below; 500 orders of 100 lines would write 150,000 rows, and while
/// the database is slow they might never get through in the time that a
/// transaction is given, however often they are tried.
const TRANSACTION_WEIGHT: usize = 20_000;

/// Nobody waits for a figure that is told once a second; and a transaction has a
/// statement for each table, however few facts it counts.
const GATHER: Duration = Duration::from_millis(50);

/// Counts what records tell.
pub struct Counting {
    store: Arc<dyn Store>,
    retention: Retention,
    events: Counter<u64>,
    together: Together<Piece, bool>,
}

/// A fact, and where it is counted.
type Piece = (Shard, Arc<Fact>);

impl std::fmt::Debug for Counting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Counting")
    }
}

impl Counting {
    /// Counts into this store.
    pub fn new(store: Arc<dyn Store>, retention: Retention, meter: &Meter) -> Self {
        let events = meter
            .u64_counter("ordermesh.analytics.events")
            .with_description("Events that were counted, or skipped because they were before")
            .build();
        Self {
            together: Together::new(store.full_weight(), GATHER),
            store,
            retention,
            events,
        }
    }

    /// Counts facts in one transaction; says of each whether it was new.
    async fn count(&self, pieces: Vec<Piece>) -> Result<Vec<bool>, DbError> {
        let Some((shard, _)) = pieces.first() else {
            return Ok(Vec::new());
        };
        let now = UnixMicros::now();
        let days = self.retention.funnel_days(now);
        let facts = pieces.iter().map(|(_, fact)| Arc::clone(fact)).collect();
        let mut new = self
            .store
            .count(Batch::new(facts, *shard, now, days))
            .await?;
        // Of facts with one id the first one counted.
        Ok(pieces
            .iter()
            .map(|(_, fact)| new.remove(&fact.id()))
            .collect())
    }

    fn tell(&self, topic: &str, counted: usize, delivered: usize) {
        let skipped = delivered.saturating_sub(counted);
        for (outcome, number) in [("counted", counted), ("skipped", skipped)] {
            if number > 0 {
                let topic = KeyValue::new("messaging.destination.name", topic.to_owned());
                let outcome = KeyValue::new("outcome", outcome);
                self.events.add(number as u64, &[topic, outcome]);
            }
        }
    }
}

#[async_trait]
impl Handler for Counting {
    type Event = Arc<Fact>;

    fn decode(&self, record: &Record) -> Result<Arc<Fact>, Poison> {
        let fact = match kind(record)? {
            Kind::Order => record
                .event::<OrderPlaced, _>(PlacedOrder::key)
                .map(Fact::from),
            Kind::Payment => record
                .event::<PaymentSettled, _>(SettledPayment::key)
                .map(Fact::from),
            Kind::Notification => record
                .event::<NotificationSent, _>(SentNotification::key)
                .map(Fact::from),
            Kind::UserEvent => record
                .event::<UserEvent, _>(TrackedEvent::key)
                .map(Fact::from),
        };
        fact.map(Arc::new)
    }

    async fn handle(&self, batch: &[Delivery<Arc<Fact>>]) -> Result<Vec<Settlement>, HandlerError> {
        let Some(first) = batch.first() else {
            return Ok(Vec::new());
        };
        let shard = Shard::of(first.topic(), first.partition());
        let facts: Vec<Arc<Fact>> = batch
            .iter()
            .map(|delivery| Arc::clone(&delivery.event))
            .collect();
        for facts in split(&facts, TRANSACTION_WEIGHT) {
            let weight = facts.iter().map(|fact| fact.weight()).sum();
            let pieces = facts.iter().map(|fact| (shard, Arc::clone(fact))).collect();
            let count = |pieces| self.count(pieces);
            let is_new = self.together.run(pieces, weight, count).await?;
            let counted = is_new.iter().filter(|is_new| **is_new).count();
            self.tell(first.topic(), counted, facts.len());
        }
        Ok(vec![Settlement::Done; batch.len()])
    }
}

/// What a record is about.
#[derive(Clone, Copy)]
enum Kind {
    Order,
    Payment,
    Notification,
    UserEvent,
}

fn kind(record: &Record) -> Result<Kind, Poison> {
    if record.is_of::<OrderPlaced>(ORDERS) {
        Ok(Kind::Order)
    } else if record.is_of::<PaymentSettled>(PAYMENTS) {
        Ok(Kind::Payment)
    } else if record.is_of::<NotificationSent>(NOTIFICATIONS) {
        Ok(Kind::Notification)
    } else if record.is_of::<UserEvent>(USER_EVENTS) {
        Ok(Kind::UserEvent)
    } else {
        let problem = "the type is none that is counted";
        Err(Poison::new(PoisonClass::Unsupported, problem))
    }
}
