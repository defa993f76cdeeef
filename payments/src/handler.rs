//! Charges the orders of `orders.v1`.
//!
//! Invariant: an order is settled as done only when its payment is settled, the
//! event of that is on the broker, and the store says so. So a lag of 0 means
//! that every order is paid for or declined (or is in the dead-letter topic),
//! and not merely that the intent is written.
//!
//! Batches of a partition run at the same time, so orders finish in any order.
//! That is safe because orders have nothing in common: what is written, charged
//! and published for one depends on that order alone. Two records of the *same*
//! order never run at the same time (see [`InHand`]), and the second one changes
//! nothing. The consumer stores an offset only when all before it are done.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use chassis::{
    kafka::{Delivery, Handler, HandlerError, Poison, Record, Settlement},
    telemetry::Traced,
};
use proto::{event::PlacedOrder, events::v1::OrderPlaced, id::OrderId};
use tokio_util::sync::CancellationToken;

use crate::{
    cashier::{Admission, Cashier, Job, Progress},
    in_hand::{Held, InHand},
    payment::Intent,
    rounds::{Group, next_round},
    store::{Claim, Lease, Store},
};

/// Charges orders.
pub struct Orders {
    store: Arc<dyn Store>,
    cashier: Arc<Cashier>,
    in_hand: InHand,
    lease: Duration,
    closing: CancellationToken,
}

/// An order as it was received.
#[derive(Debug)]
pub struct Received<'o> {
    /// The order.
    pub order: &'o PlacedOrder,
    /// What works on it.
    pub traced: &'o Traced,
    /// The same, to be kept with the payment.
    pub traceparent: Option<String>,
}

impl Orders {
    /// A handler whose leases are so long. Once `closing` is cancelled, it
    /// finishes what it has begun and begins nothing more.
    pub fn new(
        store: Arc<dyn Store>,
        cashier: Arc<Cashier>,
        lease: Duration,
        closing: CancellationToken,
    ) -> Self {
        Self {
            store,
            cashier,
            in_hand: InHand::default(),
            lease,
            closing,
        }
    }

    /// Charges orders: one settlement for each, in their order.
    pub async fn charge(&self, batch: &[Received<'_>]) -> Result<Vec<Settlement>, HandlerError> {
        let mut settlements: Vec<Option<Settlement>> = vec![None; batch.len()];
        let mut open: Vec<usize> = (0..batch.len()).collect();
        while !open.is_empty() {
            let (groups, mut later) = next_round(&open, |index| {
                let order = batch[index].order;
                (order.order_id, order.content_hash)
            });
            let (held, admission) = self.begin(&groups).await?;
            let (groups, elsewhere): (Vec<_>, Vec<_>) = groups
                .into_iter()
                .partition(|group| held.contains(&group.order_id));
            later.extend(elsewhere.into_iter().flat_map(|group| group.members));
            let settled = self.settle(batch, &groups, admission).await?;
            for (group, settlement) in groups.into_iter().zip(settled) {
                for index in group.members {
                    settlements[index] = Some(settlement.clone());
                }
            }
            later.sort_unstable();
            open = later;
        }
        Ok(settlements.into_iter().flatten().collect())
    }

    /// Waits until some of the orders are free and may be charged.
    async fn begin(&self, groups: &[Group]) -> Result<(Held, Admission), HandlerError> {
        let orders: Vec<OrderId> = groups.iter().map(|group| group.order_id).collect();
        let begun = async {
            let held = self.in_hand.take(&orders, self.cashier.capacity()).await;
            let admission = self.cashier.admit(held.len()).await?;
            Ok((held, admission))
        };
        tokio::select! {
            begun = begun => begun,
            () = self.closing.cancelled() => {
                Err(HandlerError::Unavailable("the service is stopping".to_owned()))
            }
        }
    }

    /// One settlement for each group, in their order.
    async fn settle(
        &self,
        batch: &[Received<'_>],
        groups: &[Group],
        admission: Admission,
    ) -> Result<Vec<Settlement>, HandlerError> {
        let first = |group: &Group| &batch[group.first()];
        let lease = Lease::of(self.lease);
        let intents = groups
            .iter()
            .map(|group| Intent::of(first(group).order, first(group).traceparent.clone()))
            .map(|intent| (intent, lease))
            .collect();
        let claims = self.store.claim(intents).await?;

        let mut settlements: Vec<Option<Settlement>> = vec![None; groups.len()];
        let mut jobs = Vec::with_capacity(groups.len());
        for ((group, settlement), claim) in groups.iter().zip(&mut settlements).zip(claims) {
            match claim {
                Claim::Open(open) => {
                    jobs.push(Job {
                        open: *open,
                        lease,
                        traced: first(group).traced.clone(),
                    });
                }
                Claim::Published => *settlement = Some(Settlement::Done),
                Claim::Conflict => *settlement = Some(conflict()),
            }
        }
        let progress = self.cashier.finish(jobs, admission).await?;
        let mut progress = progress.into_iter().map(settlement_of);
        Ok(settlements
            .into_iter()
            .filter_map(|one| one.or_else(|| progress.next()))
            .collect())
    }
}

fn conflict() -> Settlement {
    Settlement::Poison(Poison::conflict(
        "an order with this id and other content came before; its payment stands",
    ))
}

fn settlement_of(progress: Progress) -> Settlement {
    match progress {
        Progress::Published => Settlement::Done,
        Progress::Retry(why) => Settlement::Retry(why),
        Progress::Refused(why) => Settlement::Poison(Poison::conflict(why)),
        // Whoever it is may be slower than we are, or dead by now: look again.
        Progress::TakenOver => Settlement::Retry("another worker took the payment over".to_owned()),
    }
}

#[async_trait]
impl Handler for Orders {
    type Event = PlacedOrder;

    fn decode(&self, record: &Record) -> Result<PlacedOrder, Poison> {
        record.event::<OrderPlaced, PlacedOrder>(PlacedOrder::key)
    }

    async fn handle(
        &self,
        batch: &[Delivery<PlacedOrder>],
    ) -> Result<Vec<Settlement>, HandlerError> {
        let received: Vec<Received<'_>> = batch
            .iter()
            .map(|delivery| Received {
                order: &delivery.event,
                traced: delivery.traced(),
                traceparent: delivery.traceparent(),
            })
            .collect();
        self.charge(&received).await
    }
}
