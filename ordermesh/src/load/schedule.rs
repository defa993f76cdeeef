//! When each order of the open loop is meant to start.
//!
//! Invariant: the start of order `n` follows from `n` alone, so no answer and no
//! delay can move it.

use std::time::Duration;

/// The part of a run that an order belongs to, by its intended start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The rate still grows; counted on its own.
    Ramp,
    /// What is measured.
    Steady,
}

/// When an order is due.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Due {
    /// Since the start of the run.
    pub(super) offset: Duration,
    pub(super) phase: Phase,
}

/// A linear ramp from nothing to the rate, and then the rate.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schedule {
    /// Orders a second.
    rate: f64,
    /// Seconds.
    ramp: f64,
    /// Seconds of the steady part.
    steady: f64,
}

impl Schedule {
    pub(super) fn new(rate: u32, ramp: Duration, steady: Duration) -> Self {
        Self {
            rate: f64::from(rate),
            ramp: ramp.as_secs_f64(),
            steady: steady.as_secs_f64(),
        }
    }

    /// The due time of order `number`, counted from 0; none after the end.
    pub(super) fn nth(&self, number: u64) -> Option<Due> {
        let number = real(number);
        // In a ramp, t seconds see rate * t² / (2 * ramp) orders.
        let of_ramp = self.rate * self.ramp / 2.0;
        let (seconds, phase) = if number < of_ramp {
            let seconds = (2.0 * self.ramp * number / self.rate).sqrt();
            (seconds, Phase::Ramp)
        } else {
            let seconds = self.ramp + (number - of_ramp) / self.rate;
            (seconds, Phase::Steady)
        };
        (seconds < self.ramp + self.steady).then(|| Due {
            offset: Duration::from_secs_f64(seconds),
            phase,
        })
    }
}

/// Orders of a run are far below 2^52: an hour at the highest rate is 2^29.
#[allow(clippy::cast_precision_loss)]
fn real(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn all(schedule: &Schedule) -> Vec<Due> {
        (0..).map_while(|number| schedule.nth(number)).collect()
    }

    #[test]
    fn without_a_ramp_orders_come_at_equal_distances() {
        let all = all(&Schedule::new(200, Duration::ZERO, SECOND));
        assert_eq!(all.len(), 200);
        assert!(all.iter().all(|due| due.phase == Phase::Steady));
        assert_eq!(all[0].offset, Duration::ZERO);
        assert_eq!(all[1].offset, Duration::from_millis(5));
        assert_eq!(all[199].offset, Duration::from_millis(995));
    }

    #[test]
    fn a_ramp_has_half_the_orders_of_its_time_and_three_quarters_of_them_late() {
        let all = all(&Schedule::new(100, 4 * SECOND, 2 * SECOND));
        let of_ramp: Vec<_> = all.iter().filter(|due| due.phase == Phase::Ramp).collect();
        assert_eq!(of_ramp.len(), 200);
        assert_eq!(all.len(), 400);
        let early = of_ramp.iter().filter(|due| due.offset < 2 * SECOND);
        assert_eq!(early.count(), 50);
        let steady = &all[200..];
        assert!(steady.iter().all(|due| due.phase == Phase::Steady));
        assert_eq!(steady[0].offset, 4 * SECOND);
    }

    #[test]
    fn orders_are_in_order_and_never_further_apart_than_at_the_beginning() {
        let all = all(&Schedule::new(7, 3 * SECOND, 5 * SECOND));
        let gaps: Vec<_> = all
            .windows(2)
            .map(|pair| pair[1].offset.checked_sub(pair[0].offset).unwrap())
            .collect();
        let wider = gaps
            .windows(2)
            .any(|pair| pair[1] > pair[0] + Duration::from_micros(1));
        assert!(!wider, "{gaps:?}");
    }

    #[test]
    fn an_hour_at_the_highest_rate_does_not_drift() {
        let schedule = Schedule::new(100_000, Duration::ZERO, 3_600 * SECOND);
        let last = schedule.nth(359_999_999).map(|due| due.offset);
        assert_eq!(last, Some(Duration::from_micros(3_600_000_000 - 10)));
        assert_eq!(schedule.nth(360_000_000), None);
    }
}
