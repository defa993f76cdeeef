//! Lets records wait for each other, the longer the more there are.
//!
//! A broker spends tens of microseconds on a request and far less on a record in
//! it. Who is alone must not wait for company that does not come; among hundreds, a
//! few milliseconds of waiting make room for all of them. So a record goes at once
//! while few are unacknowledged, and otherwise joins those that wait; the first to
//! wait sets the time, and when it is up all go together.
//!
//! Invariant: a record waits for [`LONGEST`] at most. Records that are under way at
//! the same time have no order among them; who needs one waits for the first to be
//! acknowledged.

use std::{
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use crate::lock::locked;

/// Time that each unacknowledged record makes one wait. Among so many, that is
/// about how long each takes to be made and acknowledged anyway.
const FOR_EACH: Duration = Duration::from_micros(10);
/// Less than this is no time for Tokio, whose clock ticks by the millisecond.
const SHORTEST: Duration = Duration::from_millis(1);
/// Nobody waits longer.
const LONGEST: Duration = Duration::from_millis(5);

/// The records that wait.
#[derive(Debug)]
pub(super) struct Gather<T> {
    waiting: Mutex<Vec<T>>,
    /// Records that are waiting, or sent and not yet acknowledged.
    open: AtomicUsize,
}

/// What is to be done about a record.
#[derive(Debug, PartialEq)]
pub(super) enum Turn<T> {
    /// Send it now.
    Go(T),
    /// It waits. Call [`Gather::take`] when this time is up.
    First(Duration),
    /// It waits for the same as those before it.
    Joined,
}

/// A record on its way, until it is acknowledged or its caller is gone.
#[derive(Debug)]
pub(super) struct Open<'g>(&'g AtomicUsize);

impl<T> Gather<T> {
    pub(super) const fn new() -> Self {
        Self {
            waiting: Mutex::new(Vec::new()),
            open: AtomicUsize::new(0),
        }
    }

    /// One more is on its way.
    pub(super) fn open(&self) -> Open<'_> {
        self.open.fetch_add(1, Ordering::Relaxed);
        Open(&self.open)
    }

    /// Whether a record goes or waits.
    pub(super) fn add(&self, record: T) -> Turn<T> {
        let time = waiting_time(self.open.load(Ordering::Relaxed));
        let mut waiting = self.lock();
        if waiting.is_empty() {
            let Some(time) = time else {
                return Turn::Go(record);
            };
            waiting.push(record);
            Turn::First(time)
        } else {
            waiting.push(record);
            Turn::Joined
        }
    }

    /// All that wait, in the order in which they came.
    pub(super) fn take(&self) -> Vec<T> {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<T>> {
        locked(&self.waiting)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How long one waits among so many; `None` is not at all.
fn waiting_time(open: usize) -> Option<Duration> {
    let open = u32::try_from(open).unwrap_or(u32::MAX);
    let time = FOR_EACH.saturating_mul(open).min(LONGEST);
    (time >= SHORTEST).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_alone_goes_at_once_and_among_many_nobody_waits_long() {
        assert_eq!(waiting_time(1), None);
        assert_eq!(waiting_time(99), None);
        assert_eq!(waiting_time(100), Some(SHORTEST));
        assert_eq!(waiting_time(usize::MAX), Some(LONGEST));
    }

    #[test]
    fn the_first_sets_the_time_and_all_go_in_order() {
        let gather = Gather::new();
        let many: Vec<_> = (0..200).map(|_| gather.open()).collect();
        assert_eq!(gather.add(1), Turn::First(Duration::from_millis(2)));
        assert_eq!(gather.add(2), Turn::Joined);
        // Not before those that wait, although few are left.
        drop(many);
        assert_eq!(gather.add(3), Turn::Joined);
        assert_eq!(gather.take(), [1, 2, 3]);
        assert_eq!(gather.add(4), Turn::Go(4));
        assert!(gather.take().is_empty());
    }
}
