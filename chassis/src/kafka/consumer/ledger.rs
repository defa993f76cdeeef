//! Which offset of a partition may be stored.
//!
//! Invariant: [`Ledger::position`] is one past the last record of the longest
//! finished run from the start. Records finish in any order; the position moves
//! only over a run without gaps, and never back. Offsets may have gaps
//! themselves (compaction, transaction markers). A partition that begins again takes a
//! new ledger.

use std::collections::VecDeque;

/// The records of one partition that are taken and not yet passed.
#[derive(Debug, Default)]
pub struct Ledger {
    open: VecDeque<Entry>,
    open_bytes: usize,
    position: Option<i64>,
}

#[derive(Debug)]
struct Entry {
    offset: i64,
    bytes: usize,
    finished: bool,
}

impl Ledger {
    /// A record was taken. An offset at or below one that was taken before is refused:
    /// false.
    pub fn deliver(&mut self, offset: i64, bytes: usize) -> bool {
        let next = match self.open.back() {
            Some(entry) => Some(entry.offset + 1),
            None => self.position,
        };
        if next.is_some_and(|next| offset < next) {
            return false;
        }
        self.open.push_back(Entry {
            offset,
            bytes,
            finished: false,
        });
        self.open_bytes += bytes;
        true
    }

    /// The records from `first` to `last` are settled. Gives the new position if
    /// it moved. Unknown offsets are ignored: they belong to an assignment that
    /// is over.
    pub fn finish(&mut self, first: i64, last: i64) -> Option<i64> {
        let start = self.open.partition_point(|entry| entry.offset < first);
        for entry in self
            .open
            .iter_mut()
            .skip(start)
            .take_while(|entry| entry.offset <= last)
        {
            entry.finished = true;
        }
        let before = self.position;
        while let Some(entry) = self.open.pop_front_if(|entry| entry.finished) {
            self.position = Some(entry.offset + 1);
            self.open_bytes -= entry.bytes;
        }
        self.position.filter(|_| self.position != before)
    }

    /// The next offset to be read after a restart; `None` before anything is
    /// finished.
    pub fn position(&self) -> Option<i64> {
        self.position
    }

    /// Records taken and not yet passed.
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// Their bytes: keys, values and headers.
    pub fn open_bytes(&self) -> usize {
        self.open_bytes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn delivered(offsets: impl IntoIterator<Item = i64>) -> Ledger {
        let mut ledger = Ledger::default();
        for offset in offsets {
            assert!(ledger.deliver(offset, 1));
        }
        ledger
    }

    #[test]
    fn the_position_waits_for_the_slowest_record() {
        let mut ledger = delivered(10..20);
        assert_eq!(ledger.finish(15, 19), None);
        assert_eq!(ledger.finish(11, 14), None);
        assert_eq!(ledger.finish(10, 10), Some(20));
        assert_eq!(ledger.open(), 0);
    }

    #[test]
    fn gaps_in_offsets_do_not_hold_it_up() {
        let mut ledger = delivered([3, 7, 8, 20]);
        assert_eq!(ledger.finish(3, 8), Some(9));
        assert_eq!(ledger.finish(20, 20), Some(21));
    }

    #[test]
    fn nothing_finished_is_nothing_to_store() {
        assert_eq!(delivered(0..3).position(), None);
    }

    #[test]
    fn a_record_that_comes_again_is_refused() {
        let mut ledger = delivered([5, 6]);
        assert!(!ledger.deliver(6, 1));
        ledger.finish(5, 6);
        assert!(!ledger.deliver(6, 1));
        assert!(ledger.deliver(7, 1));
    }

    #[test]
    fn results_of_another_assignment_are_ignored() {
        let mut ledger = delivered([5]);
        assert_eq!(ledger.finish(0, 4), None);
        assert_eq!(ledger.finish(6, 9), None);
        assert_eq!(ledger.position(), None);
    }

    proptest! {
        #[test]
        fn whatever_the_order_the_position_is_the_finished_prefix(
            order in Just((0..40_i64).collect::<Vec<_>>()).prop_shuffle(),
            take in 0..40_usize,
        ) {
            let mut ledger = delivered(0..40);
            let finished = &order[..take];
            for offset in finished {
                ledger.finish(*offset, *offset);
            }
            let prefix = (0..40).take_while(|offset| finished.contains(offset)).count();
            let expected = (prefix > 0).then(|| i64::try_from(prefix).unwrap());
            prop_assert_eq!(ledger.position(), expected);
            prop_assert_eq!(ledger.open(), 40 - prefix);
            prop_assert_eq!(ledger.open_bytes(), 40 - prefix);
        }
    }
}
