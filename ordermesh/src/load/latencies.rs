//! Latencies, without keeping each.

use std::time::Duration;

use hdrhistogram::Histogram;

/// Significant digits: a percentile is off by less than 0.1 %.
const DIGITS: u8 = 3;
/// Microseconds that are told apart; what takes longer counts as this. An order
/// has no longer than [`ANSWER`](super::desk::ANSWER).
const HIGHEST: u64 = 60_000_000;

/// A histogram from 1 µs to 60 s.
#[derive(Debug, Clone)]
pub(super) struct Latencies(Histogram<u64>);

impl Latencies {
    pub(super) fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, HIGHEST, DIGITS);
        Self(histogram.expect("the bounds are constants, and valid"))
    }

    pub(super) fn record(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(HIGHEST);
        self.0.saturating_record(micros.max(1));
    }

    pub(super) fn add(&mut self, other: &Self) {
        let added = self.0.add(&other.0);
        debug_assert!(added.is_ok(), "all have the same bounds");
    }

    /// Forgets all. Writing 17,000 zeros is spared where there is nothing.
    pub(super) fn reset(&mut self) {
        if self.count() > 0 {
            self.0.reset();
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.0.len()
    }

    /// Of 0 to 100; zero when nothing was recorded. A histogram knows a range, and
    /// tells its end, but nothing can be above the highest that there was.
    pub(super) fn percentile(&self, percentile: f64) -> Duration {
        let micros = self.0.value_at_quantile(percentile / 100.0);
        Duration::from_micros(micros).min(self.max())
    }

    pub(super) fn max(&self) -> Duration {
        Duration::from_micros(self.0.max().min(HIGHEST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(micros: impl IntoIterator<Item = u64>) -> Latencies {
        let mut latencies = Latencies::new();
        for micros in micros {
            latencies.record(Duration::from_micros(micros));
        }
        latencies
    }

    /// Within 0.1 %.
    fn is_about(found: Duration, micros: u64) -> bool {
        let found = u64::try_from(found.as_micros()).unwrap();
        found.abs_diff(micros) * 1_000 <= micros
    }

    #[test]
    fn percentiles_have_three_digits() {
        let latencies = of(1..=100_000);
        assert_eq!(latencies.count(), 100_000);
        for (percentile, micros) in [(50.0, 50_000), (90.0, 90_000), (99.9, 99_900)] {
            let found = latencies.percentile(percentile);
            assert!(is_about(found, micros), "p{percentile}: {found:?}");
        }
        assert!(is_about(latencies.max(), 100_000));
        assert_eq!(latencies.percentile(100.0), latencies.max());
    }

    #[test]
    fn what_is_out_of_bounds_counts_as_the_bound() {
        let latencies = of([0, 500_000_000]);
        assert_eq!(latencies.percentile(50.0), Duration::from_micros(1));
        assert_eq!(latencies.max(), Duration::from_secs(60));
    }

    #[test]
    fn parts_add_up_and_can_be_used_again() {
        let mut all = of(1..=500);
        let mut part = of(501..=1_000);
        all.add(&part);
        assert_eq!(all.count(), 1_000);
        assert_eq!(all.percentile(50.0), Duration::from_micros(500));
        part.reset();
        assert_eq!(part.count(), 0);
        assert_eq!(part.percentile(99.0), Duration::ZERO);
        all.add(&part);
        assert_eq!(all.count(), 1_000);
    }
}
