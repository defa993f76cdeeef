//! In which groups a batch is tried until each of its records is settled.
//!
//! Pure: what to try next and what an answer means; trying and waiting are the
//! retry layer's.
//!
//! Invariants: every record ends with exactly one verdict. A record is blamed (an
//! attempt is counted) only for what it did itself: it asked for a retry, or it
//! failed alone. A group that failed for a reason that names no record is halved,
//! so the guilty one stands alone after log2 steps; within the partition, earlier
//! records are tried before later ones. A dependency that is away costs no attempt; one
//! that gives up on a group again and again gets half of it.

use std::collections::VecDeque;

use super::handler::{Poison, PoisonClass, Settlement};

/// How a record ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Its effect is committed.
    Done,
    /// It belongs into the dead-letter topic.
    Dead { poison: Poison, attempts: u32 },
}

/// What to do before the next try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Go on at once.
    Now,
    /// Wait: some record was tried this often in vain.
    AfterAttempt(u32),
}

/// A batch being tried.
#[derive(Debug)]
pub(super) struct Plan {
    groups: VecDeque<Vec<usize>>,
    attempts: Vec<u32>,
    verdicts: Vec<Option<Verdict>>,
    max_attempts: u32,
}

impl Plan {
    pub(super) fn new(records: usize, max_attempts: u32) -> Self {
        Self {
            groups: VecDeque::from_iter((records > 0).then(|| (0..records).collect())),
            attempts: vec![0; records],
            verdicts: vec![None; records],
            max_attempts,
        }
    }

    /// The next group to try, by index into the batch; `None` when every record
    /// has its verdict.
    pub(super) fn next(&self) -> Option<&[usize]> {
        self.groups.front().map(Vec::as_slice)
    }

    /// The group was worked on: one settlement for each.
    pub(super) fn settled(&mut self, settlements: Vec<Settlement>) -> Next {
        let Some(group) = self.groups.pop_front() else {
            return Next::Now;
        };
        if settlements.len() != group.len() {
            let problem = format!(
                "the handler settled {} of {} records",
                settlements.len(),
                group.len()
            );
            return self.blame_group(group, &problem);
        }
        let mut again = Vec::new();
        for (index, settlement) in group.into_iter().zip(settlements) {
            match settlement {
                Settlement::Done => self.verdicts[index] = Some(Verdict::Done),
                Settlement::Poison(poison) => {
                    let attempts = self.attempts[index] + 1;
                    self.verdicts[index] = Some(Verdict::Dead { poison, attempts });
                }
                Settlement::Retry(why) => {
                    if self.blame(index, &why) {
                        again.push(index);
                    }
                }
            }
        }
        self.try_again(again)
    }

    /// The group failed for a reason that names no record.
    pub(super) fn failed(&mut self, why: &str) -> Next {
        match self.groups.pop_front() {
            Some(group) => self.blame_group(group, why),
            None => Next::Now,
        }
    }

    /// The group may be too much at once: it is halved, and no record is blamed.
    pub(super) fn too_slow(&mut self) {
        if let Some(group) = self.groups.pop_front() {
            self.halve(group);
        }
    }

    /// Every record's verdict, in the batch's order.
    pub(super) fn into_verdicts(self) -> Vec<Verdict> {
        self.verdicts.into_iter().flatten().collect()
    }

    fn halve(&mut self, mut group: Vec<usize>) {
        let later = group.split_off(group.len().div_ceil(2));
        if !later.is_empty() {
            self.groups.push_front(later);
        }
        self.groups.push_front(group);
    }

    fn blame_group(&mut self, group: Vec<usize>, why: &str) -> Next {
        match *group {
            [] => Next::Now,
            [alone] => {
                let again = self.blame(alone, why);
                self.try_again(if again { vec![alone] } else { Vec::new() })
            }
            _ => {
                self.halve(group);
                Next::Now
            }
        }
    }

    /// Counts an attempt; false when it was the last one.
    fn blame(&mut self, index: usize, why: &str) -> bool {
        self.attempts[index] += 1;
        let attempts = self.attempts[index];
        if attempts < self.max_attempts {
            return true;
        }
        let poison = Poison::new(PoisonClass::Exhausted, why);
        self.verdicts[index] = Some(Verdict::Dead { poison, attempts });
        false
    }

    fn try_again(&mut self, group: Vec<usize>) -> Next {
        let Some(attempt) = group.iter().map(|index| self.attempts[*index]).max() else {
            return Next::Now;
        };
        self.groups.push_front(group);
        Next::AfterAttempt(attempt)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_dead(verdict: &Verdict) -> bool {
        matches!(verdict, Verdict::Dead { .. })
    }

    /// Tries a batch in which some records make any group they are in fail.
    fn try_all(records: usize, guilty: &[usize]) -> (Vec<Verdict>, usize) {
        let mut plan = Plan::new(records, 5);
        let mut tries = 0;
        while let Some(group) = plan.next() {
            tries += 1;
            assert!(tries < 100_000, "it must end");
            let settlements = vec![Settlement::Done; group.len()];
            if group.iter().any(|index| guilty.contains(index)) {
                plan.failed("constraint violated");
            } else {
                plan.settled(settlements);
            }
        }
        (plan.into_verdicts(), tries)
    }

    #[test]
    fn a_good_batch_is_one_try() {
        let (verdicts, tries) = try_all(500, &[]);
        assert_eq!((verdicts.len(), tries), (500, 1));
    }

    #[test]
    fn one_guilty_record_is_found_in_few_steps_and_alone_dies() {
        let (verdicts, tries) = try_all(512, &[77]);
        assert_eq!(verdicts.iter().filter(|v| is_dead(v)).count(), 1);
        assert!(is_dead(&verdicts[77]));
        // 9 halvings, each with its good half, and 5 attempts alone.
        assert!(tries <= 2 * 9 + 5, "{tries}");
    }

    #[test]
    fn a_record_that_asks_for_retries_gets_five_attempts() {
        let mut plan = Plan::new(2, 5);
        let mut attempts = Vec::new();
        assert_eq!(
            plan.settled(vec![Settlement::Done, Settlement::Retry("busy".into())]),
            Next::AfterAttempt(1)
        );
        while plan.next().is_some() {
            assert_eq!(plan.next(), Some(&[1_usize][..]), "only the one that asked");
            attempts.push(plan.settled(vec![Settlement::Retry("busy".into())]));
        }
        assert_eq!(attempts.len(), 4);
        let verdicts = plan.into_verdicts();
        assert_eq!(verdicts[0], Verdict::Done);
        let Verdict::Dead { poison, attempts } = &verdicts[1] else {
            panic!("must be dead")
        };
        assert_eq!((poison.class, *attempts), (PoisonClass::Exhausted, 5));
    }

    #[test]
    fn a_dependency_away_costs_no_attempt() {
        let mut plan = Plan::new(3, 5);
        for _ in 0..1_000 {
            assert_eq!(plan.next(), Some(&[0, 1, 2][..]), "the same group again");
        }
        plan.settled(vec![Settlement::Done; 3]);
        assert!(plan.into_verdicts().iter().all(|verdict| !is_dead(verdict)));
    }

    #[test]
    fn what_is_too_slow_is_halved_until_one_is_left_and_nobody_is_blamed() {
        let mut plan = Plan::new(5, 1);
        let mut sizes = Vec::new();
        for _ in 0..4 {
            plan.too_slow();
            sizes.extend(plan.next().map(<[usize]>::len));
        }
        assert_eq!(sizes, [3, 2, 1, 1]);
        while let Some(group) = plan.next() {
            let settlements = vec![Settlement::Done; group.len()];
            plan.settled(settlements);
        }
        assert_eq!(plan.into_verdicts(), vec![Verdict::Done; 5]);
    }

    #[test]
    fn a_handler_that_loses_count_is_not_believed() {
        let mut plan = Plan::new(2, 1);
        plan.settled(vec![Settlement::Done]);
        while plan.next().is_some() {
            plan.settled(Vec::new());
        }
        assert!(plan.into_verdicts().iter().all(is_dead));
    }

    proptest! {
        #[test]
        fn exactly_the_guilty_die(
            records in 1..200_usize,
            guilty in prop::collection::vec(0..200_usize, 0..6),
        ) {
            let (verdicts, _) = try_all(records, &guilty);
            prop_assert_eq!(verdicts.len(), records);
            for (index, verdict) in verdicts.iter().enumerate() {
                prop_assert_eq!(is_dead(verdict), guilty.contains(&index));
            }
        }
    }
}
