//! When a watched order is asked for again.
//!
//! Pure: time comes in as an argument.

use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, Instant},
};

use proto::id::OrderId;

/// Between two looks at a young order. Most orders pass from accepted to paid
/// in tens of milliseconds.
pub(super) const QUICKEST: Duration = Duration::from_millis(20);
/// Between two looks at an order that has not changed for a while.
const SLOW: Duration = Duration::from_millis(250);
/// Between two looks at an order that nothing is likely to happen to soon: it has
/// not changed for [`LONG`].
pub(super) const SLOWEST: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_secs(10);
/// The pause is this share of the time since the last change: what took a
/// second to happen is seen a tenth of a second late at most.
const SHARE: u32 = 10;

/// The pause before the next look at an order that has not changed for so long.
fn pause(unchanged_for: Duration) -> Duration {
    if unchanged_for < LONG {
        (unchanged_for / SHARE).clamp(QUICKEST, SLOW)
    } else {
        SLOWEST
    }
}

/// Which orders are due when.
///
/// Invariant: every order that is watched stands in the queue exactly once, at
/// the time that its entry says.
#[derive(Debug, Default)]
pub(super) struct Pace {
    entries: HashMap<OrderId, Entry>,
    queue: BTreeSet<(Instant, OrderId)>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    changed: Instant,
    due: Instant,
}

impl Pace {
    /// Looks at an order at once, and quickly after that: somebody began to
    /// watch it, or it changed.
    pub(super) fn quicken(&mut self, id: OrderId, now: Instant) {
        self.put(
            id,
            Entry {
                changed: now,
                due: now,
            },
        );
    }

    /// An order changed so long ago: the shorter, the sooner more is likely to
    /// follow.
    pub(super) fn changed(&mut self, id: OrderId, ago: Duration, now: Instant) {
        if self.entries.contains_key(&id) {
            let ago = ago.min(LONG);
            self.put(
                id,
                Entry {
                    // A machine that began less than that ago has no such time.
                    changed: now.checked_sub(ago).unwrap_or(now),
                    due: now + pause(ago),
                },
            );
        }
    }

    /// Nobody watches an order any more.
    pub(super) fn forget(&mut self, id: OrderId) {
        if let Some(entry) = self.entries.remove(&id) {
            self.queue.remove(&(entry.due, id));
        }
    }

    /// When the next order is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.queue.first().map(|(due, _)| *due)
    }

    /// The orders that are due now, the longest due first, and at most so many.
    /// Each is put back to its next time.
    pub(super) fn take_due(&mut self, now: Instant, most: usize) -> Vec<OrderId> {
        let due: Vec<OrderId> = self
            .queue
            .iter()
            .take_while(|(due, _)| *due <= now)
            .take(most)
            .map(|(_, id)| *id)
            .collect();
        for id in &due {
            if let Some(entry) = self.entries.get(id).copied() {
                let unchanged_for = now.saturating_duration_since(entry.changed);
                let due = now + pause(unchanged_for);
                self.put(*id, Entry { due, ..entry });
            }
        }
        due
    }

    fn put(&mut self, id: OrderId, entry: Entry) {
        if let Some(before) = self.entries.insert(id, entry) {
            self.queue.remove(&(before.due, id));
        }
        self.queue.insert((entry.due, id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// The times at which one order is looked at within a span.
    fn looks(pace: &mut Pace, from: Instant, span: Duration) -> Vec<Duration> {
        let mut times = Vec::new();
        while let Some(due) = pace.next_due().filter(|due| *due <= from + span) {
            pace.take_due(due, 10);
            times.push(due - from);
        }
        times
    }

    #[test]
    fn an_order_is_looked_at_at_once_then_every_20_ms_and_in_the_end_every_second() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        pace.quicken(OrderId::random(), start);
        let times = looks(&mut pace, start, Duration::from_secs(15));
        assert_eq!(
            times[..5],
            [Duration::ZERO, 20 * MS, 40 * MS, 60 * MS, 80 * MS]
        );
        let gaps: Vec<_> = times
            .windows(2)
            .map(|pair| pair[1].saturating_sub(pair[0]))
            .collect();
        assert!(gaps.is_sorted(), "{gaps:?}");
        assert!(gaps.contains(&SLOW));
        assert_eq!(gaps.last(), Some(&SLOWEST));
    }

    #[test]
    fn a_change_makes_it_quick_again() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        let id = OrderId::random();
        pace.quicken(id, start);
        looks(&mut pace, start, Duration::from_secs(10));
        let changed = start + Duration::from_secs(10);
        pace.changed(id, Duration::ZERO, changed);
        assert_eq!(pace.next_due(), Some(changed + QUICKEST));
        assert_eq!(pace.queue.len(), 1);
    }

    #[test]
    fn what_changed_long_ago_is_looked_at_rarely_from_the_start() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        let id = OrderId::random();
        pace.quicken(id, start);
        pace.take_due(start, 10);
        pace.changed(id, Duration::from_secs(3_600), start);
        let looks = looks(&mut pace, start, 3 * SLOWEST);
        assert_eq!(looks, [SLOWEST, 2 * SLOWEST, 3 * SLOWEST]);
    }

    #[test]
    fn what_nobody_watches_is_never_due() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        let id = OrderId::random();
        pace.quicken(id, start);
        pace.forget(id);
        pace.changed(id, Duration::ZERO, start);
        assert_eq!(pace.next_due(), None);
        assert!(pace.entries.is_empty() && pace.queue.is_empty());
    }

    #[test]
    fn many_orders_are_taken_together_and_none_is_left_behind() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        let ids: BTreeSet<_> = (0..25).map(|_| OrderId::random()).collect();
        for id in &ids {
            pace.quicken(*id, start);
        }
        let mut taken = BTreeSet::new();
        for expected in [10, 10, 5, 0] {
            let due = pace.take_due(start, 10);
            assert_eq!(due.len(), expected);
            taken.extend(due);
        }
        assert_eq!(taken, ids);
        assert_eq!(pace.next_due(), Some(start + QUICKEST));
    }
}
