//! What is counted while orders are placed.
//!
//! Invariant: each order is counted in exactly one shard, and a shard's counts
//! move to the total as they are reported. Workers share a shard only when there
//! are more of them than processors, so its lock is hardly ever waited for, and
//! hundreds of workers do not need hundreds of histograms.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    thread,
};

use chassis::lock::locked;

use super::{
    answer::{Outcome, Why},
    latencies::Latencies,
    schedule::Phase,
};

/// Shards; no generator has use for more processors.
const MOST_SHARDS: usize = 4;

/// Counts of the orders of a phase.
#[derive(Debug)]
pub(super) struct Part {
    /// Meant to be placed, and placed or about to be.
    pub(super) sent: u64,
    /// Meant to be placed, but over the bound of orders in flight.
    pub(super) not_sent: u64,
    /// Accepted ones that repeated an earlier one.
    pub(super) repeated: u64,
    /// From the intended start to the whole answer.
    latencies: [Latencies; Outcome::ALL.len()],
    /// From the intended start to the real one.
    pub(super) late: Latencies,
}

/// Answers of a kind.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) count: u64,
    pub(super) example: String,
}

/// Everything that is counted.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) ramp: Part,
    pub(super) steady: Part,
    /// Accepted within the steady part, whenever they were sent.
    pub(super) accepted_in_window: u64,
    pub(super) faults: BTreeMap<(Outcome, String), Seen>,
}

impl Part {
    fn new() -> Self {
        Self {
            sent: 0,
            not_sent: 0,
            repeated: 0,
            latencies: Outcome::ALL.map(|_| Latencies::new()),
            late: Latencies::new(),
        }
    }

    pub(super) fn of(&self, outcome: Outcome) -> &Latencies {
        &self.latencies[outcome as usize]
    }

    pub(super) fn of_mut(&mut self, outcome: Outcome) -> &mut Latencies {
        &mut self.latencies[outcome as usize]
    }

    pub(super) fn count(&self, outcome: Outcome) -> u64 {
        self.of(outcome).count()
    }

    /// Sent, and not answered yet.
    pub(super) fn unanswered(&self) -> u64 {
        let answered: u64 = self.latencies.iter().map(Latencies::count).sum();
        self.sent.saturating_sub(answered)
    }

    fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.not_sent += other.not_sent;
        self.repeated += other.repeated;
        for (whole, part) in self.latencies.iter_mut().zip(&other.latencies) {
            whole.add(part);
        }
        self.late.add(&other.late);
    }

    fn reset(&mut self) {
        (self.sent, self.not_sent, self.repeated) = (0, 0, 0);
        self.latencies.iter_mut().for_each(Latencies::reset);
        self.late.reset();
    }
}

impl Tally {
    pub(super) fn new() -> Self {
        Self {
            ramp: Part::new(),
            steady: Part::new(),
            accepted_in_window: 0,
            faults: BTreeMap::new(),
        }
    }

    pub(super) fn part_mut(&mut self, phase: Phase) -> &mut Part {
        match phase {
            Phase::Ramp => &mut self.ramp,
            Phase::Steady => &mut self.steady,
        }
    }

    /// Counts an answer that was not the good one; the first of a kind is kept.
    pub(super) fn fault(&mut self, outcome: Outcome, why: Why) {
        let seen = self.faults.entry((outcome, why.kind));
        let seen = seen.or_insert_with(|| Seen {
            count: 0,
            example: why.message,
        });
        seen.count += 1;
    }

    /// Of the whole run.
    pub(super) fn count(&self, outcome: Outcome) -> u64 {
        self.ramp.count(outcome) + self.steady.count(outcome)
    }

    /// Answers that were not the good one.
    pub(super) fn faults(&self) -> u64 {
        self.faults.values().map(|seen| seen.count).sum()
    }

    fn add(&mut self, other: &Self) {
        self.ramp.add(&other.ramp);
        self.steady.add(&other.steady);
        self.accepted_in_window += other.accepted_in_window;
        for (kind, more) in &other.faults {
            match self.faults.get_mut(kind) {
                Some(seen) => seen.count += more.count,
                None => {
                    self.faults.insert(kind.clone(), more.clone());
                }
            }
        }
    }

    fn reset(&mut self) {
        self.ramp.reset();
        self.steady.reset();
        self.accepted_in_window = 0;
        self.faults.clear();
    }
}

/// Some workers' counts since the last report.
#[derive(Debug)]
pub(super) struct Shard(Mutex<Tally>);

impl Shard {
    pub(super) fn lock(&self) -> MutexGuard<'_, Tally> {
        locked(&self.0)
    }
}

/// All shards, and what was collected from them.
#[derive(Debug)]
pub(super) struct Board {
    shards: Vec<Arc<Shard>>,
    total: Tally,
}

impl Board {
    pub(super) fn new() -> Self {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let shards = (0..processors.min(MOST_SHARDS))
            .map(|_| Arc::new(Shard(Mutex::new(Tally::new()))))
            .collect();
        Self {
            shards,
            total: Tally::new(),
        }
    }

    /// The shard of a worker.
    pub(super) fn shard(&self, worker: usize) -> Arc<Shard> {
        Arc::clone(&self.shards[worker % self.shards.len()])
    }

    /// Adds to the total what was counted since the last time, and shows it.
    pub(super) fn collect(&mut self) -> Tally {
        let mut fresh = Tally::new();
        for shard in &self.shards {
            let mut shard = shard.lock();
            fresh.add(&shard);
            shard.reset();
        }
        self.total.add(&fresh);
        fresh
    }

    pub(super) fn total(&self) -> &Tally {
        &self.total
    }

    pub(super) fn into_total(self) -> Tally {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn why(message: &str) -> Why {
        Why {
            kind: "OVERLOADED".to_owned(),
            message: message.to_owned(),
        }
    }

    #[test]
    fn every_order_is_counted_once_whichever_shard_it_was_in() {
        let mut board = Board::new();
        for worker in 0..10 {
            let shard = board.shard(worker);
            let mut tally = shard.lock();
            let part = tally.part_mut(Phase::Steady);
            part.sent += 2;
            part.of_mut(Outcome::Accepted)
                .record(Duration::from_millis(1));
        }
        let fresh = board.collect();
        assert_eq!((fresh.steady.sent, fresh.steady.unanswered()), (20, 10));
        let nothing = board.collect();
        assert_eq!(nothing.steady.sent, 0);
        assert_eq!(board.total().count(Outcome::Accepted), 10);
        assert_eq!(board.total().ramp.sent, 0);
    }

    #[test]
    fn the_first_of_a_kind_is_the_example() {
        let mut board = Board::new();
        let shard = board.shard(0);
        shard.lock().fault(Outcome::Refused, why("first"));
        shard.lock().fault(Outcome::Refused, why("second"));
        board.collect();
        shard.lock().fault(Outcome::Refused, why("third"));
        shard
            .lock()
            .fault(Outcome::Failed, why("of another outcome"));
        board.collect();
        let total = board.into_total();
        assert_eq!(total.faults(), 4);
        let seen = &total.faults[&(Outcome::Refused, "OVERLOADED".to_owned())];
        assert_eq!((seen.count, seen.example.as_str()), (3, "first"));
    }
}
