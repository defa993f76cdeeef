//! Tries a batch until each of its records has a verdict.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use futures::future::BoxFuture;
use rand::Rng as _;
use tower::{Service, ServiceExt as _};

use super::{Batch, Instruments, Lane, Stopped};
use crate::{
    kafka::consumer::{
        away::Away,
        handler::{HandlerError, Settlement},
        plan::{Next, Plan, Verdict},
    },
    retry::Pause,
};

/// Pause before a record's second attempt; doubles with each.
const FIRST_ATTEMPT_PAUSE: Duration = Duration::from_millis(50);

/// A try that takes so long until the dependency is taken to be away may have been
/// stopped for what it is: below every timeout of ours (10 s and more).
const SLOW: Duration = Duration::from_secs(9);
/// After so many of them in a row, half of the records are tried.
const SLOW_TRIES: u32 = 3;

#[derive(Clone)]
pub(super) struct Retries<S> {
    inner: S,
    attempts: u32,
    waiting: Waiting,
}

/// Waits between tries, and tells that it does.
#[derive(Clone)]
struct Waiting {
    away: Away,
    instruments: Arc<Instruments>,
}

impl<S> Retries<S> {
    pub(super) fn new(inner: S, attempts: u32, away: Away, instruments: Arc<Instruments>) -> Self {
        Self {
            inner,
            attempts,
            waiting: Waiting { away, instruments },
        }
    }
}

impl<S> Service<Batch> for Retries<S>
where
    S: Service<Batch, Response = Vec<Settlement>, Error = HandlerError> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Vec<Verdict>;
    type Error = Stopped;
    type Future = BoxFuture<'static, Result<Vec<Verdict>, Stopped>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Stopped>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, batch: Batch) -> Self::Future {
        let this = self.clone();
        Box::pin(this.settle(batch))
    }
}

impl<S> Retries<S>
where
    S: Service<Batch, Response = Vec<Settlement>, Error = HandlerError> + Clone + Send,
    S::Future: Send,
{
    async fn settle(mut self, batch: Batch) -> Result<Vec<Verdict>, Stopped> {
        let lane = Arc::clone(&batch.lane);
        let mut plan = Plan::new(batch.items.len(), self.attempts);
        let mut absence = Pause::default();
        let mut slow = 0;
        while let Some(group) = plan.next() {
            let items = group
                .iter()
                .map(|index| batch.items[*index].clone())
                .collect();
            let group = Batch {
                items,
                lane: Arc::clone(&lane),
            };
            let begin = Instant::now();
            let result = match self.inner.ready().await {
                Ok(inner) => inner.call(group).await,
                Err(error) => Err(error),
            };
            let next = match result {
                Ok(settlements) => {
                    slow = 0;
                    absence.reset();
                    self.waiting.away.goes_on(&lane.topic, lane.partition);
                    plan.settled(settlements)
                }
                Err(HandlerError::Failed(error)) => {
                    slow = 0;
                    absence.reset();
                    self.waiting.away.goes_on(&lane.topic, lane.partition);
                    tracing::warn!(
                        topic = &*lane.topic,
                        partition = lane.partition,
                        error = %error,
                        "a batch failed; looking for the record to blame"
                    );
                    plan.failed(&error.to_string())
                }
                Err(HandlerError::Unavailable(why)) => {
                    slow = if begin.elapsed() < SLOW { 0 } else { slow + 1 };
                    if slow == SLOW_TRIES {
                        slow = 0;
                        plan.too_slow();
                    }
                    self.waiting.away.waits(&lane.topic, lane.partition, &why);
                    self.waiting.pause(&lane, absence.next_pause()).await?;
                    continue;
                }
            };
            match next {
                Next::Now => {}
                Next::AfterAttempt(attempt) => {
                    let full = FIRST_ATTEMPT_PAUSE.saturating_mul(1 << attempt.min(10));
                    let pause = full.mul_f64(rand::rng().random_range(0.5..=1.0));
                    self.waiting.pause(&lane, pause).await?;
                }
            }
        }
        Ok(plan.into_verdicts())
    }
}

impl Waiting {
    async fn pause(&self, lane: &Lane, pause: Duration) -> Result<(), Stopped> {
        self.instruments.retried(&lane.topic);
        self.away.pause(lane, pause).await
    }
}
