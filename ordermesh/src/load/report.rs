//! What a run has shown.

use std::time::Duration;

use serde::Serialize;

use super::{
    answer::Outcome,
    latencies::Latencies,
    options::Options,
    progress::per_second,
    tally::{Part, Tally},
};

/// A run's figures. Unless it says otherwise, a figure is of the steady part: of
/// the orders that were meant to start in it.
#[derive(Debug)]
pub struct Report {
    options: Options,
    tally: Tally,
    window: Duration,
    interrupted: bool,
}

/// Answers of one kind that were not the good one, of the whole run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Refused or failed.
    pub outcome: Outcome,
    /// The system's reason, such as `OVERLOADED`, or else the status.
    pub kind: String,
    /// How many.
    pub count: u64,
    /// What the first of them said.
    pub example: String,
}

impl Report {
    pub(super) fn new(
        options: &Options,
        tally: Tally,
        window: Duration,
        interrupted: bool,
    ) -> Self {
        Self {
            options: options.clone(),
            tally,
            window,
            interrupted,
        }
    }

    /// What was asked for.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// How many connections there were.
    pub fn connections(&self) -> u32 {
        self.options.connections()
    }

    /// How long the steady part was; shorter than asked for when it was ended early.
    pub fn window(&self) -> Duration {
        self.window
    }

    /// Whether it was ended early.
    pub fn is_interrupted(&self) -> bool {
        self.interrupted
    }

    /// Orders with this outcome.
    pub fn count(&self, outcome: Outcome) -> u64 {
        self.tally.steady.count(outcome)
    }

    /// Orders that the system has.
    pub fn accepted(&self) -> u64 {
        self.count(Outcome::Accepted)
    }

    /// Orders for which the system had no room.
    pub fn refused(&self) -> u64 {
        self.count(Outcome::Refused)
    }

    /// Orders that ended otherwise.
    pub fn failed(&self) -> u64 {
        self.count(Outcome::Failed)
    }

    /// Orders that were sent, answered or not.
    pub fn sent(&self) -> u64 {
        self.tally.steady.sent
    }

    /// Orders that were due, but over the bound of orders in flight.
    pub fn not_sent(&self) -> u64 {
        self.tally.steady.not_sent
    }

    /// Orders that were sent and had no answer yet when the run was ended early.
    pub fn unanswered(&self) -> u64 {
        self.tally.steady.unanswered()
    }

    /// Accepted orders that repeated an earlier one, and so made no order more.
    pub fn repeated(&self) -> u64 {
        self.tally.steady.repeated
    }

    /// Orders sent a second.
    pub fn sent_per_second(&self) -> f64 {
        per_second(self.sent(), self.window)
    }

    /// Throughput: orders accepted within the steady part, a second. Those that
    /// were answered afterwards are not in it.
    pub fn accepted_per_second(&self) -> f64 {
        per_second(self.tally.accepted_in_window, self.window)
    }

    /// A percentile (0 to 100) of the latencies, from the intended start to the
    /// whole answer; three significant digits, 1 µs to 60 s. Zero when there was
    /// no such order.
    pub fn percentile(&self, outcome: Outcome, percentile: f64) -> Duration {
        self.latencies(outcome).percentile(percentile)
    }

    /// The highest latency.
    pub fn max(&self, outcome: Outcome) -> Duration {
        self.latencies(outcome).max()
    }

    /// A percentile of how late orders began: what the generator itself, and
    /// waiting for a connection, have added to the latencies.
    pub fn late(&self, percentile: f64) -> Duration {
        self.tally.steady.late.percentile(percentile)
    }

    /// Orders of the ramp with this outcome.
    pub fn count_of_ramp(&self, outcome: Outcome) -> u64 {
        self.tally.ramp.count(outcome)
    }

    /// What went wrong, by kind, the ramp included.
    pub fn faults(&self) -> Vec<Fault> {
        let faults = self.tally.faults.iter();
        faults
            .map(|((outcome, kind), seen)| Fault {
                outcome: *outcome,
                kind: kind.clone(),
                count: seen.count,
                example: seen.example.clone(),
            })
            .collect()
    }

    /// Whether an order was accepted and none failed, the ramp included. A refusal
    /// is no failure: it is how a system says that it has enough to do.
    pub fn is_good(&self) -> bool {
        self.tally.count(Outcome::Accepted) > 0 && self.tally.count(Outcome::Failed) == 0
    }

    pub(super) fn latencies(&self, outcome: Outcome) -> &Latencies {
        self.tally.steady.of(outcome)
    }

    pub(super) fn late_ones(&self) -> &Latencies {
        &self.tally.steady.late
    }

    pub(super) fn steady(&self) -> &Part {
        &self.tally.steady
    }

    pub(super) fn ramp(&self) -> &Part {
        &self.tally.ramp
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::{
        super::{
            answer::Why,
            options::{Door, Mode},
        },
        *,
    };

    const MILLI: Duration = Duration::from_millis(1);

    /// 90 accepted after 1 ms, 9 after 10 ms, one refused; of a ramp, 7 accepted.
    pub(in crate::load) fn tally() -> Tally {
        let mut tally = Tally::new();
        tally.ramp.sent = 7;
        tally.steady.sent = 102;
        tally.steady.not_sent = 3;
        tally.accepted_in_window = 80;
        for _ in 0..7 {
            tally.ramp.of_mut(Outcome::Accepted).record(50 * MILLI);
        }
        let accepted = tally.steady.of_mut(Outcome::Accepted);
        for _ in 0..90 {
            accepted.record(MILLI);
        }
        for _ in 0..9 {
            accepted.record(10 * MILLI);
        }
        tally.steady.of_mut(Outcome::Refused).record(2 * MILLI);
        let why = Why {
            kind: "OVERLOADED".to_owned(),
            message: "later".to_owned(),
        };
        tally.fault(Outcome::Refused, why);
        tally
    }

    pub(in crate::load) fn report(mode: Mode, tally: Tally, window: Duration) -> Report {
        Report::new(&Options::new(Door::Rest, mode), tally, window, false)
    }

    pub(in crate::load) fn open(tally: Tally) -> Report {
        let mode = Mode::Open {
            rate: 50,
            ramp: Duration::from_secs(1),
        };
        report(mode, tally, Duration::from_secs(2))
    }

    #[test]
    fn figures_are_of_the_steady_part() {
        let report = open(tally());
        assert_eq!(report.accepted(), 99);
        assert_eq!(report.refused(), 1);
        assert_eq!(report.failed(), 0);
        assert_eq!(report.not_sent(), 3);
        assert_eq!(report.unanswered(), 2);
        assert_eq!(report.count_of_ramp(Outcome::Accepted), 7);
        assert!(report.max(Outcome::Accepted) < 11 * MILLI);
        assert_eq!(report.percentile(Outcome::Accepted, 50.0), MILLI);
        assert!(report.percentile(Outcome::Accepted, 99.0) >= 10 * MILLI);
    }

    #[test]
    fn throughput_is_what_was_accepted_within_the_window() {
        let report = open(tally());
        assert!((report.accepted_per_second() - 40.0).abs() < 1e-9);
        assert!((report.sent_per_second() - 51.0).abs() < 1e-9);
        let at_once = self::report(Mode::Closed { clients: 1 }, tally(), Duration::ZERO);
        assert!(at_once.accepted_per_second().abs() < 1e-9);
    }

    #[test]
    fn a_refusal_is_no_failure_and_nothing_is_no_success() {
        assert!(open(tally()).is_good());
        assert!(!open(Tally::new()).is_good());
        let mut tally = tally();
        tally.ramp.of_mut(Outcome::Failed).record(MILLI);
        assert!(!open(tally).is_good(), "in the ramp, too");
    }
}
