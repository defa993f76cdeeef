//! Takes up payments that nobody works on any more.
//!
//! Invariant: a payment whose intent is written comes to its end even if its
//! record never comes back, because the sweeper takes it once its lease has run
//! out: pending ones are charged, settled ones are published, each within its
//! order's trace.
//!
//! Usually there is nothing to do: after a crash the records are read again, and
//! handlers do not wait for leases to run out. What remains are orders whose
//! record went to the dead-letter topic because the provider failed too often.
//! Those are tried again ever more seldom, and given up after a day: a customer
//! who is charged later than that is surprised, and a provider may have forgotten
//! the key. They stay pending, and a replay of the dead letter takes them up.
//! What is settled is never given up.

use std::{sync::Arc, time::Duration};

use chassis::{kafka::HandlerError, telemetry};
use proto::time::UnixMicros;
use tokio_util::sync::CancellationToken;

use crate::{
    cashier::{Cashier, Job, Progress},
    metrics::Metrics,
    payment::OpenPayment,
    store::{Lease, Postponed, Store},
};

/// Payments in one go. A fraction of what may be charged at once, so that orders
/// that are not late do not wait for those that are.
const BATCH: usize = 32;

/// Longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(3_600);

/// How the sweeper works.
#[derive(Debug, Clone, Copy)]
pub struct SweeperOptions {
    /// How often it looks for payments.
    pub interval: Duration,
    /// How long it keeps a payment to itself.
    pub lease: Duration,
    /// How old an intent may be that it still charges.
    pub charge_for: Duration,
}

/// Takes up what was left behind. Several may run, in one process or more.
pub struct Sweeper {
    store: Arc<dyn Store>,
    cashier: Arc<Cashier>,
    metrics: Arc<Metrics>,
    options: SweeperOptions,
}

impl Sweeper {
    /// A sweeper over a store.
    pub fn new(
        store: Arc<dyn Store>,
        cashier: Arc<Cashier>,
        metrics: Arc<Metrics>,
        options: SweeperOptions,
    ) -> Self {
        Self {
            store,
            cashier,
            metrics,
            options,
        }
    }

    /// Sweeps until told to stop; then leaves what it has begun where it is,
    /// which is as safe as a crash there.
    pub async fn run(self, stop: CancellationToken) {
        let sweeping = async {
            let mut away = false;
            loop {
                tokio::time::sleep(self.options.interval).await;
                match self.sweep().await {
                    Ok(_) => away = false,
                    Err(error) if !away => {
                        away = true;
                        tracing::warn!(%error, "the sweeper waits");
                    }
                    Err(_) => {}
                }
            }
        };
        tokio::select! {
            () = sweeping => {}
            () = stop.cancelled() => {}
        }
    }

    /// Takes up all that is due; returns how many that were.
    pub async fn sweep(&self) -> Result<usize, HandlerError> {
        let mut swept = 0;
        loop {
            let (some, more) = self.sweep_some().await?;
            swept += some;
            if !more {
                return Ok(swept);
            }
        }
    }

    /// Takes up some of what is due; says how many, and whether there are more.
    async fn sweep_some(&self) -> Result<(usize, bool), HandlerError> {
        let admission = self.cashier.admit(BATCH).await?;
        let limit = admission.size();
        let lease = Lease::of(self.options.lease);
        let due = self.store.lease_due(lease, limit).await?;
        if due.is_empty() {
            return Ok((0, false));
        }
        let swept = due.len();
        let now = UnixMicros::now();
        let (old, due): (Vec<_>, Vec<_>) = due
            .into_iter()
            .partition(|open| is_too_old(open, now, &self.options));
        let old = old.iter().map(|open| self.given_up(open, "it is too old"));
        // First of all: a provider that is away ends what comes next.
        self.postpone(old.collect(), lease).await?;
        if due.is_empty() {
            return Ok((swept, swept == limit));
        }
        let jobs = due.iter().cloned().map(|open| job(open, lease)).collect();
        let progress = self.cashier.finish(jobs, admission).await?;
        let postponed = due
            .iter()
            .zip(progress)
            .filter_map(|(open, progress)| self.postponed(open, progress));
        self.postpone(postponed.collect(), lease).await?;
        Ok((swept, swept == limit))
    }

    async fn postpone(&self, postponed: Vec<Postponed>, lease: Lease) -> Result<(), HandlerError> {
        if !postponed.is_empty() {
            self.store.postpone(postponed, lease).await?;
        }
        Ok(())
    }

    /// What is left to do for a payment that was not brought to its end.
    fn postponed(&self, open: &OpenPayment, progress: Progress) -> Option<Postponed> {
        let (due_at, why) = match progress {
            Progress::Published => {
                self.metrics.swept("published");
                return None;
            }
            Progress::TakenOver => {
                self.metrics.swept("taken_over");
                return None;
            }
            Progress::Retry(why) => (next_try(open, UnixMicros::now(), &self.options), why),
            Progress::Refused(why) => (None, why),
        };
        if due_at.is_none() {
            return Some(self.given_up(open, &why));
        }
        self.metrics.swept("postponed");
        let payment_id = open.payment.payment_id;
        Some(Postponed { payment_id, due_at })
    }

    /// A payment that is not tried again by itself.
    fn given_up(&self, open: &OpenPayment, why: &str) -> Postponed {
        let payment_id = open.payment.payment_id;
        self.metrics.swept("given_up");
        tracing::warn!(%payment_id, why, "a payment is given up; replay its dead letter");
        Postponed {
            payment_id,
            due_at: None,
        }
    }
}

/// Continues the order's trace.
fn job(open: OpenPayment, lease: Lease) -> Job {
    let parent = open.traceparent.as_deref();
    let traced = telemetry::span::continued("sweep payment", "internal", parent);
    Job {
        open,
        lease,
        traced,
    }
}

/// When to try again: after the lease's length, then twice that, and so on.
/// `None` when the next try would come too late.
fn next_try(open: &OpenPayment, now: UnixMicros, options: &SweeperOptions) -> Option<UnixMicros> {
    let pause = options
        .lease
        .saturating_mul(2_u32.saturating_pow(open.sweeps))
        .min(LONGEST_PAUSE);
    let next = now.saturating_add(pause);
    (!is_too_old(open, next, options)).then_some(next)
}

/// Whether a payment that is not settled would be charged too late then.
fn is_too_old(open: &OpenPayment, then: UnixMicros, options: &SweeperOptions) -> bool {
    let age = then.duration_since(open.payment.created_at);
    open.payment.outcome.is_none() && age > options.charge_for
}

#[cfg(test)]
mod tests {
    use proto::{
        id::{OrderId, PaymentId, UserId},
        money::{Currency, Money},
    };

    use super::*;
    use crate::payment::Payment;

    const MINUTE: Duration = Duration::from_secs(60);

    fn open(created_at: UnixMicros, sweeps: u32) -> OpenPayment {
        let order_id = OrderId::random();
        let payment = Payment {
            payment_id: PaymentId::of(order_id),
            order_id,
            user_id: UserId::try_from(1).unwrap(),
            amount: Money::new(1, Currency::USD),
            order_placed_at: created_at,
            created_at,
            outcome: None,
        };
        OpenPayment {
            payment,
            token: None,
            traceparent: None,
            sweeps,
        }
    }

    fn pause(age: Duration, sweeps: u32) -> Option<Duration> {
        let options = SweeperOptions {
            interval: Duration::from_secs(5),
            lease: MINUTE,
            charge_for: 24 * 60 * MINUTE,
        };
        let now = UnixMicros::now();
        let next = next_try(&open(now.saturating_sub(age), sweeps), now, &options)?;
        Some(next.duration_since(now))
    }

    #[test]
    fn tries_become_seldom_but_not_rarer_than_hourly() {
        assert_eq!(pause(MINUTE, 0), Some(MINUTE));
        assert_eq!(pause(MINUTE, 3), Some(8 * MINUTE));
        assert_eq!(pause(MINUTE, 6), Some(60 * MINUTE));
        assert_eq!(pause(MINUTE, u32::MAX), Some(60 * MINUTE));
    }

    #[test]
    fn an_old_intent_is_given_up_before_a_try_that_would_come_too_late() {
        assert_eq!(pause(22 * 60 * MINUTE, 10), Some(60 * MINUTE));
        assert_eq!(pause(23 * 60 * MINUTE + MINUTE, 10), None);
    }
}
