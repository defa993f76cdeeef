//! How long it is remembered what was counted.
//!
//! Invariant: nothing is counted twice because it was forgotten. The inbox is
//! kept longer than any record can come back: topics keep 14 days, dead letters
//! 30, and older ones are not replayed. The funnel's users are kept for a number
//! of days back from today, and an event of a day whose users may be forgotten,
//! which could not be told from a repeated one, is not counted in the funnel. Its
//! time may be whatever a caller's clock says, so this is not only theory; and for
//! the same reason days to come do not count, whose users would be kept for ever.

use std::{ops::RangeInclusive, time::Duration};

use proto::time::UnixMicros;

use crate::calendar::Day;

/// Clocks of different instances, and of users ahead of UTC, may be a day apart;
/// no sane one is further off.
const SLACK_DAYS: i32 = 1;

/// How long it is remembered what was counted.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    /// Ids of counted events, and halves of orders, by when they came.
    pub inbox: Duration,
    /// Users of a day of the funnel.
    pub funnel: Duration,
}

/// What may be forgotten: everything of earlier days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Horizon {
    /// First day whose ids are kept, by when they came.
    pub inbox: Day,
    /// First day whose users are kept.
    pub funnel: Day,
}

impl Retention {
    /// Days that events are counted for in the funnel.
    pub fn funnel_days(&self, now: UnixMicros) -> RangeInclusive<Day> {
        Day::of(now.saturating_sub(self.funnel))..=Day::of(now).plus(SLACK_DAYS)
    }

    /// What may be forgotten now.
    pub fn horizon(&self, now: UnixMicros) -> Horizon {
        Horizon {
            inbox: Day::of(now.saturating_sub(self.inbox)),
            // An instance whose clock is behind still counts for the day before.
            funnel: Day::of(now.saturating_sub(self.funnel)).plus(-SLACK_DAYS),
        }
    }
}

impl Default for Retention {
    /// 45 days each: longer than the 30 days of dead letters, with room for a
    /// topic's own 14.
    fn default() -> Self {
        const DAYS_45: Duration = Duration::from_hours(45 * 24);
        Self {
            inbox: DAYS_45,
            funnel: DAYS_45,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_still_counted_is_never_forgotten_even_by_a_clock_a_day_ahead() {
        let retention = Retention::default();
        let now = UnixMicros::from_micros(1_800_000_000_000_000);
        let ahead = now.saturating_add(Duration::from_hours(24));
        let first_counted = *retention.funnel_days(now).start();
        assert!(retention.horizon(ahead).funnel <= first_counted);
    }

    #[test]
    fn ids_are_kept_for_the_whole_time() {
        let retention = Retention::default();
        let counted = UnixMicros::from_micros(1_800_000_000_000_000);
        let last = counted.saturating_add(retention.inbox);
        assert!(Day::of(counted) >= retention.horizon(last).inbox);
    }
}
