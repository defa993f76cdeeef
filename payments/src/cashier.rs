//! Brings claimed payments to their end: charge, settle, publish, mark.
//!
//! Invariant: an order is charged once, and its payment has one outcome and one
//! event id, wherever a process dies and whoever else works on the same order.
//!
//! What each point of death leaves behind, and who goes on from there:
//!
//! | died | the store says | what happens next |
//! |---|---|---|
//! | before the claim | nothing | the record is read again: an ordinary order |
//! | after the claim | pending | charged by whoever claims it next |
//! | after the charge | pending | charged again with the same key: the provider answers as before and takes nothing |
//! | after the settlement | settled, open | not charged; published |
//! | after the publication | settled, open | published again: the same event with the same id, which readers know |
//! | after the mark | published | nothing |
//!
//! The next one is the partition's owner, as the record's offset is not stored
//! before the mark, or the sweeper. Both may be wrong about the other being dead
//! (a zombie, a long pause). Then two work on one payment: the charge is one by
//! the provider's [promise](crate::provider), the settlement is one because only
//! the latest lease's token is let in, and publishing is the same from both.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use chassis::{
    db::DbError,
    fault::{self, Mistake, Point},
    kafka::HandlerError,
    telemetry::{self, Traced},
};
use futures::future::join_all;
use proto::{event::PaymentResult, id::PaymentId, time::UnixMicros};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout},
};
use tracing::field::Empty;

use crate::{
    metrics::{self, Metrics},
    payment::{OpenPayment, Outcome},
    provider::{Answer, Charge, ChargeError, PaymentProvider},
    publish::Publish,
    store::{Lease, Settled, Store},
};

/// How the cashier works.
#[derive(Debug, Clone, Copy)]
pub struct CashierOptions {
    /// Charges at once, over all partitions.
    pub charges_at_once: usize,
    /// How long one attempt at the provider may take.
    pub charge_timeout: Duration,
}

/// Works on payments that are claimed. One per service.
pub struct Cashier {
    store: Arc<dyn Store>,
    provider: Arc<dyn PaymentProvider>,
    publisher: Arc<dyn Publish>,
    metrics: Arc<Metrics>,
    options: CashierOptions,
    charging: Arc<Semaphore>,
    /// How often the provider answered, in whatever way.
    answers: AtomicU64,
}

/// A claimed payment, within the order's trace.
#[derive(Debug)]
pub struct Job {
    /// The payment.
    pub open: OpenPayment,
    /// By which it is held.
    pub lease: Lease,
    /// Charge and event become its children.
    pub traced: Traced,
}

/// The right to make some charges at once.
///
/// It is taken before the claim, so that a lease covers one attempt and not the
/// queue in front of it.
#[derive(Debug)]
pub struct Admission(OwnedSemaphorePermit);

impl Admission {
    /// How many charges.
    pub fn size(&self) -> usize {
        self.0.num_permits()
    }
}

/// How far a payment came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// To its end.
    Published,
    /// Not charged; it may work another time.
    Retry(String),
    /// Not charged; it never will work.
    Refused(String),
    /// Charged, but another worker has the payment now.
    TakenOver,
}

impl Cashier {
    /// A cashier between these.
    pub fn new(
        store: Arc<dyn Store>,
        provider: Arc<dyn PaymentProvider>,
        publisher: Arc<dyn Publish>,
        metrics: Arc<Metrics>,
        options: CashierOptions,
    ) -> Self {
        let charging = Arc::new(Semaphore::new(options.charges_at_once));
        Self {
            store,
            provider,
            publisher,
            metrics,
            options,
            charging,
            answers: AtomicU64::new(0),
        }
    }

    /// Most charges that can be admitted together.
    pub fn capacity(&self) -> usize {
        self.options.charges_at_once
    }

    /// Waits for its turn to make up to this many charges; first come, first
    /// served. Fails never, but that the process ends.
    pub async fn admit(&self, charges: usize) -> Result<Admission, HandlerError> {
        let permits = u32::try_from(charges.min(self.capacity())).unwrap_or(u32::MAX);
        Arc::clone(&self.charging)
            .acquire_many_owned(permits)
            .await
            .map(Admission)
            .map_err(|closed| HandlerError::Unavailable(closed.to_string()))
    }

    /// Works on payments, as many as admitted, and says how far each came, in
    /// their order.
    ///
    /// An error means that a dependency was away for some of them. What could be
    /// done for the others is done all the same, and will not be done twice.
    pub async fn finish(
        &self,
        jobs: Vec<Job>,
        admission: Admission,
    ) -> Result<Vec<Progress>, HandlerError> {
        let mut cases: Vec<Case> = jobs.into_iter().map(Case::new).collect();
        fault::point(Point::Claimed);
        self.charge(&mut cases, admission).await;
        fault::point(Point::Charged);
        self.settle(&mut cases).await?;
        fault::point(Point::Settled);
        self.publish(&mut cases).await?;
        cases.into_iter().map(|case| case.end).collect()
    }

    /// Charges what is pending, all at once.
    async fn charge(&self, cases: &mut [Case], Admission(mut permits): Admission) {
        let attempts: Vec<_> = cases
            .iter_mut()
            .filter(|case| case.job.open.payment.outcome.is_none())
            .map(|case| {
                let permit = permits.split(1);
                async {
                    let answer = self.attempt(&case.job).await;
                    drop(permit);
                    case.answered(answer, UnixMicros::now());
                }
            })
            .collect();
        // More was admitted than needed a charge.
        drop(permits);
        join_all(attempts).await;
    }

    /// Writes down what was charged.
    async fn settle(&self, cases: &mut [Case]) -> Result<(), DbError> {
        let charged: Vec<(&mut Case, Settled)> = cases
            .iter_mut()
            .filter_map(|case| case.charged.take().map(|charged| (case, charged)))
            .collect();
        if charged.is_empty() {
            return Ok(());
        }
        let settled = charged
            .iter()
            .map(|(case, charged)| (charged.clone(), case.job.lease))
            .collect();
        let ours = self.store.settle(settled).await?;
        for ((case, Settled { outcome, .. }), is_ours) in charged.into_iter().zip(ours) {
            if is_ours {
                self.metrics.settled(outcome.result);
                case.job.open.payment.outcome = Some(outcome);
            } else {
                self.metrics.taken_over();
                case.end = Ok(Progress::TakenOver);
            }
        }
        Ok(())
    }

    /// Publishes what is settled, all at once, and marks what was published.
    async fn publish(&self, cases: &mut [Case]) -> Result<(), DbError> {
        let publications = cases.iter_mut().map(async |case| {
            let payment = case
                .job
                .open
                .payment
                .settled_event()
                .filter(|_| case.goes_on())?;
            let traced = case.job.traced.clone();
            match traced.run(self.publisher.publish(&payment)).await {
                Ok(()) => Some(payment.payment_id),
                Err(error) => {
                    case.end = Err(error.into());
                    None
                }
            }
        });
        let published = join_all(publications).await;
        let published: Vec<PaymentId> = published.into_iter().flatten().collect();
        if published.is_empty() {
            return Ok(());
        }
        fault::point(Point::PaymentPublished);
        self.store.mark_published(published).await
    }

    /// One attempt at the provider, within a bound of time.
    async fn attempt(&self, job: &Job) -> Result<Answer, ChargeError> {
        let payment = &job.open.payment;
        let charge = Charge {
            key: if fault::makes(Mistake::FreshKeys) {
                PaymentId::of(proto::id::OrderId::random())
            } else {
                payment.payment_id
            },
            order_id: payment.order_id,
            amount: payment.amount,
            token: job.open.token.as_ref(),
        };
        let traced = job.traced.in_scope(|| {
            Traced::child(|| {
                tracing::info_span!(
                    "charge",
                    otel.kind = "client",
                    ordermesh.payment.outcome = Empty,
                    otel.status_code = Empty,
                    error.type = Empty,
                )
            })
        });
        let (start, answers) = (Instant::now(), self.answers.load(Ordering::Relaxed));
        let patience = self.options.charge_timeout;
        let answer = traced.clone().run(self.provider.charge(charge));
        let answer = match timeout(patience, answer).await {
            Ok(answer) => answer,
            // A charge that gets no answer while others do has itself to blame.
            Err(_) if self.answers.load(Ordering::Relaxed) > answers => Err(
                ChargeError::Processing(format!("no answer within {patience:?}")),
            ),
            Err(_) => Err(ChargeError::Unavailable(format!(
                "no answer within {patience:?}"
            ))),
        };
        if !matches!(answer, Err(ChargeError::Unavailable(_))) {
            self.answers.fetch_add(1, Ordering::Relaxed);
        }
        let span = traced.span();
        match &answer {
            Ok(answer) => {
                span.record("ordermesh.payment.outcome", metrics::result(answer.result));
                if let PaymentResult::Declined(code) = answer.result {
                    telemetry::span::fail(span, "declined", code.as_str_name());
                }
            }
            Err(error) => telemetry::span::fail(span, metrics::kind(error), error),
        }
        self.metrics.charged(start.elapsed(), &answer);
        answer
    }
}

/// A job on its way.
struct Case {
    job: Job,
    /// What the provider answered for good, until that is written down.
    charged: Option<Settled>,
    /// Where it ends, as far as is known: published, unless something stops it.
    end: Result<Progress, HandlerError>,
}

impl Case {
    fn new(job: Job) -> Self {
        Self {
            job,
            charged: None,
            end: Ok(Progress::Published),
        }
    }

    fn goes_on(&self) -> bool {
        matches!(self.end, Ok(Progress::Published))
    }

    fn answered(&mut self, answer: Result<Answer, ChargeError>, settled_at: UnixMicros) {
        match answer {
            Ok(Answer { result, reference }) => {
                self.charged = Some(Settled {
                    payment_id: self.job.open.payment.payment_id,
                    outcome: Outcome {
                        result,
                        provider_reference: reference,
                        settled_at,
                    },
                });
            }
            Err(error) => {
                let why = error.to_string();
                self.end = match error {
                    ChargeError::Processing(_) => Ok(Progress::Retry(why)),
                    ChargeError::KeyReused => Ok(Progress::Refused(why)),
                    ChargeError::Unavailable(_) => Err(HandlerError::Unavailable(why)),
                };
            }
        }
    }
}
