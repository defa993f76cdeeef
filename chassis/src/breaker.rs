//! A circuit breaker: stops asking a peer that does not answer, so that callers
//! get their refusal at once instead of after a timeout.
//!
//! Invariant: closed, every call passes. After [`FAILURES`] failures in a row it
//! opens; open, one trial passes per [`TRIAL_EVERY`], and the first success
//! closes it. A permit that is dropped unfinished (the caller is gone) counts as
//! nothing.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use opentelemetry::{KeyValue, metrics::Meter};

use crate::lock::locked;

/// Failures in a row that open the breaker: more than a lost connection takes
/// with it under a few calls at once, few enough to be fast.
const FAILURES: u32 = 5;
/// How often an open breaker lets one call try.
const TRIAL_EVERY: Duration = Duration::from_millis(500);

/// The state of one peer.
#[derive(Debug, Default)]
pub struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    last_trial: Option<Instant>,
}

/// Leave to make one call. Say how it went.
#[derive(Debug)]
#[must_use = "a call's outcome moves the breaker"]
pub struct Permit(Arc<Breaker>);

impl Breaker {
    /// Leave to make a call, or `None` while the peer is taken to be away.
    pub fn admit(self: &Arc<Self>) -> Option<Permit> {
        self.try_admit(Instant::now())
            .then(|| Permit(Arc::clone(self)))
    }

    /// Tells as a metric whether it is open, by the peer it guards.
    pub(crate) fn observe(self: &Arc<Self>, meter: &Meter, peer: &'static str) {
        let breaker = Arc::clone(self);
        meter
            .u64_observable_gauge("ordermesh.breaker.open")
            .with_description("1 while calls to a peer are refused because it does not answer")
            .with_callback(move |open| {
                open.observe(breaker.is_open().into(), &[KeyValue::new("peer", peer)]);
            })
            .build();
    }

    /// Whether calls are refused for now.
    pub fn is_open(&self) -> bool {
        self.state().failures >= FAILURES
    }

    fn try_admit(&self, now: Instant) -> bool {
        let mut state = self.state();
        if state.failures < FAILURES {
            return true;
        }
        let due = state
            .last_trial
            .is_none_or(|last| now.saturating_duration_since(last) >= TRIAL_EVERY);
        if due {
            state.last_trial = Some(now);
        }
        due
    }

    fn record(&self, success: bool, now: Instant) {
        let mut state = self.state();
        if success {
            *state = State::default();
        } else {
            state.failures = state.failures.saturating_add(1);
            if state.failures == FAILURES {
                state.last_trial = Some(now);
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.0)
    }
}

impl Permit {
    /// The call is over: whether the peer answered.
    pub fn done(self, answered: bool) {
        self.0.record(answered, Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_in_a_row_open_it_and_one_success_closes_it() {
        let breaker = Breaker::default();
        let start = Instant::now();
        for _ in 0..FAILURES {
            assert!(breaker.try_admit(start));
            breaker.record(false, start);
        }
        assert!(breaker.is_open() && !breaker.try_admit(start));
        let later = start + TRIAL_EVERY;
        assert!(breaker.try_admit(later), "one trial");
        assert!(!breaker.try_admit(later), "and only one");
        breaker.record(true, later);
        assert!(!breaker.is_open() && breaker.try_admit(later));
    }

    #[test]
    fn failures_with_successes_between_leave_it_closed() {
        let breaker = Breaker::default();
        for _ in 0..100 {
            breaker.record(false, Instant::now());
            breaker.record(true, Instant::now());
        }
        assert!(!breaker.is_open());
    }
}
