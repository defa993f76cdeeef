//! Places an order when it is its turn, and writes down how it went.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    answer::{Answer, Outcome},
    door::Caller,
    orders::Orders,
    schedule::Phase,
    tally::Shard,
};

/// How long an order may take from its intended start. The system's own limit is
/// 10 s (`GATEWAY__PLACE_TIMEOUT`), so what takes longer waited elsewhere.
pub(super) const ANSWER: Duration = Duration::from_secs(60);

/// The order whose turn it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn {
    pub(super) number: u64,
    /// When it was meant to start.
    pub(super) intended: Instant,
    pub(super) phase: Phase,
}

/// The steady part of a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    begin: Instant,
    pub(super) end: Instant,
}

impl Window {
    pub(super) fn new(begin: Instant, length: Duration) -> Self {
        let end = begin + length;
        Self { begin, end }
    }

    fn contains(&self, instant: Instant) -> bool {
        (self.begin..self.end).contains(&instant)
    }

    /// How much of it is over.
    pub(super) fn until(&self, now: Instant) -> Duration {
        now.min(self.end).saturating_duration_since(self.begin)
    }
}

/// What a worker needs to place orders.
#[derive(Debug, Clone)]
pub(super) struct Desk {
    orders: Arc<Orders>,
    pub(super) window: Window,
    pub(super) shard: Arc<Shard>,
}

impl Desk {
    pub(super) fn new(orders: Arc<Orders>, window: Window, shard: Arc<Shard>) -> Self {
        Self {
            orders,
            window,
            shard,
        }
    }

    /// Places an order, within [`ANSWER`] of its intended start.
    pub(super) async fn place(&self, caller: &mut Caller, turn: Turn) -> Outcome {
        let order = self.orders.nth(turn.number);
        let is_repeated = order.is_repeated;
        let begin = Instant::now();
        let deadline = turn.intended + ANSWER;
        let answer = async {
            // Begun all the same, it would only cost the connection.
            if begin >= deadline {
                return Answer::none_in_time();
            }
            let answer = tokio::time::timeout_at(deadline.into(), caller.place(order)).await;
            answer.unwrap_or_else(|_| Answer::none_in_time())
        };
        let Answer { outcome, why } = answer.await;
        let end = Instant::now();

        let mut tally = self.shard.lock();
        let part = tally.part_mut(turn.phase);
        part.of_mut(outcome).record(end - turn.intended);
        part.late.record(begin - turn.intended);
        if outcome == Outcome::Accepted {
            part.repeated += u64::from(is_repeated);
            tally.accepted_in_window += u64::from(self.window.contains(end));
        }
        if let Some(why) = why {
            tally.fault(outcome, why);
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_begins_within_itself_and_ends_after() {
        let begin = Instant::now();
        let window = Window::new(begin, Duration::from_secs(2));
        assert!(window.contains(begin));
        assert!(!window.contains(begin + Duration::from_secs(2)));
    }

    #[test]
    fn a_run_that_ends_early_has_a_shorter_window() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let window = Window::new(start + second, 2 * second);
        assert_eq!(window.until(start), Duration::ZERO);
        assert_eq!(window.until(start + 2 * second), second);
        assert_eq!(window.until(start + 9 * second), 2 * second);
    }
}
