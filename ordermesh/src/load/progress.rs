//! How it goes while it goes.

use std::time::Duration;

use super::{answer::Outcome, tally::Tally};

/// How it goes, over about a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Since the start of the run.
    pub elapsed: Duration,
    /// Orders that were sent, a second.
    pub sent_per_second: f64,
    /// Orders that were accepted, a second.
    pub accepted_per_second: f64,
    /// Median latency of the accepted ones.
    pub p50: Duration,
    /// 99th percentile.
    pub p99: Duration,
    /// 99.9th percentile.
    pub p999: Duration,
    /// Orders refused or failed since the start of the run.
    pub errors: u64,
}

impl Progress {
    /// Of what was counted in some time.
    pub(super) fn new(elapsed: Duration, time: Duration, tally: &Tally, errors: u64) -> Self {
        let mut latencies = tally.ramp.of(Outcome::Accepted).clone();
        latencies.add(tally.steady.of(Outcome::Accepted));
        Self {
            elapsed,
            sent_per_second: per_second(tally.ramp.sent + tally.steady.sent, time),
            accepted_per_second: per_second(latencies.count(), time),
            p50: latencies.percentile(50.0),
            p99: latencies.percentile(99.0),
            p999: latencies.percentile(99.9),
            errors,
        }
    }
}

/// Counts are far below 2^52.
#[allow(clippy::cast_precision_loss)]
pub(super) fn per_second(count: u64, time: Duration) -> f64 {
    if time.is_zero() {
        0.0
    } else {
        count as f64 / time.as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::report::tests::tally, *};

    #[test]
    fn progress_is_of_the_time_since_the_last() {
        let second = Duration::from_secs(1);
        let progress = Progress::new(7 * second, second, &tally(), 5);
        assert!((progress.sent_per_second - 109.0).abs() < 1e-9);
        assert!((progress.accepted_per_second - 106.0).abs() < 1e-9);
        assert_eq!(progress.errors, 5);
        assert!(progress.p999 >= Duration::from_millis(50));
        assert!(per_second(7, Duration::ZERO).abs() < 1e-9);
    }
}
