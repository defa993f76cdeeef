//! Days and buckets of time, all in UTC and counted from the epoch.

use proto::{analytics::v1::BucketWidth, time::UnixMicros};

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// A day in UTC, counted from 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(i32);

impl Day {
    /// The day that a time lies in.
    pub fn of(time: UnixMicros) -> Self {
        // All of i64's microseconds are 2·10^8 days.
        Self(i32::try_from(time.as_micros().div_euclid(DAY)).unwrap_or(i32::MAX))
    }

    /// From a stored number.
    pub const fn from_number(number: i32) -> Self {
        Self(number)
    }

    /// As a number to store.
    pub const fn number(self) -> i32 {
        self.0
    }

    /// Some days later, or earlier when negative.
    pub const fn plus(self, days: i32) -> Self {
        Self(self.0.saturating_add(days))
    }
}

/// How wide a bucket of the order rate is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Width {
    /// 60 s.
    Minute,
    /// 3,600 s.
    Hour,
    /// 86,400 s.
    Day,
}

impl Width {
    /// Every width.
    pub const ALL: [Self; 3] = [Self::Minute, Self::Hour, Self::Day];

    /// What a request asks for; unspecified is a minute.
    pub const fn asked(width: BucketWidth) -> Self {
        match width {
            BucketWidth::Unspecified | BucketWidth::Minute => Self::Minute,
            BucketWidth::Hour => Self::Hour,
            BucketWidth::Day => Self::Day,
        }
    }

    /// Length in microseconds.
    pub const fn micros(self) -> i64 {
        match self {
            Self::Minute => 60 * SECOND,
            Self::Hour => 3_600 * SECOND,
            Self::Day => DAY,
        }
    }

    /// As a number to store: that of [`BucketWidth`].
    pub const fn number(self) -> i16 {
        match self {
            Self::Minute => 1,
            Self::Hour => 2,
            Self::Day => 3,
        }
    }

    /// Start of the bucket that a time lies in.
    pub const fn floor(self, time: UnixMicros) -> UnixMicros {
        let micros = time.as_micros();
        UnixMicros::from_micros(micros.saturating_sub(micros.rem_euclid(self.micros())))
    }

    /// Start of the first bucket that begins at a time or after it.
    pub const fn ceil(self, time: UnixMicros) -> UnixMicros {
        let floor = self.floor(time).as_micros();
        if floor == time.as_micros() {
            time
        } else {
            UnixMicros::from_micros(floor.saturating_add(self.micros()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(micros: i64) -> UnixMicros {
        UnixMicros::from_micros(micros)
    }

    #[test]
    fn days_begin_at_midnight_utc_also_before_the_epoch() {
        assert_eq!(Day::of(at(0)), Day(0));
        assert_eq!(Day::of(at(DAY - 1)), Day(0));
        assert_eq!(Day::of(at(DAY)), Day(1));
        assert_eq!(Day::of(at(-1)), Day(-1));
        assert_eq!(Day::of(at(-DAY)), Day(-1));
    }

    #[test]
    fn a_bucket_holds_its_start_and_not_its_end() {
        for width in Width::ALL {
            let length = width.micros();
            for start in [-length, 0, 7 * length] {
                assert_eq!(width.floor(at(start)), at(start));
                assert_eq!(width.floor(at(start + length - 1)), at(start));
                assert_eq!(width.ceil(at(start)), at(start));
                assert_eq!(width.ceil(at(start + 1)), at(start + length));
            }
        }
    }

    #[test]
    fn the_ends_of_time_do_not_overflow() {
        for width in Width::ALL {
            assert!(width.floor(at(i64::MIN)) <= at(i64::MIN + width.micros()));
            assert_eq!(width.ceil(at(i64::MAX)), at(i64::MAX));
        }
    }
}
