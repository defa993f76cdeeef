//! Points in time, as databases, events and people need them.

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use prost_types::Timestamp;

/// Microseconds since the Unix epoch, UTC. What PostgreSQL and SQLite store
/// (`BIGINT`), and as fine as PostgreSQL's own `timestamptz`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMicros(i64);

impl UnixMicros {
    /// From a stored number.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// As a number to store.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// The system clock's time; the epoch if the clock stands before it.
    pub fn now() -> Self {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or(Duration::ZERO);
        Self(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    /// Later by a duration, at most the end of time.
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(micros(duration)))
    }

    /// Earlier by a duration.
    pub fn saturating_sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(micros(duration)))
    }

    /// How long after `earlier` this is; zero when it is not.
    pub fn duration_since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// RFC 3339 in UTC, with microseconds: `2026-01-31T12:00:00.000001Z`.
impl fmt::Display for UnixMicros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(timestamp) => write!(f, "{timestamp:.6}"),
            Err(_) => write!(f, "{}us", self.0),
        }
    }
}

impl From<UnixMicros> for Timestamp {
    fn from(time: UnixMicros) -> Self {
        Timestamp {
            seconds: time.0.div_euclid(1_000_000),
            // At most 999,999,000, which fits.
            nanos: i32::try_from(time.0.rem_euclid(1_000_000) * 1_000).unwrap_or(0),
        }
    }
}

/// A timestamp outside of what RFC 3339 can write (years 1 to 9999).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a time between the years 1 and 9999")]
pub struct InvalidTime;

impl TryFrom<Timestamp> for UnixMicros {
    type Error = InvalidTime;

    /// Cuts below the microsecond.
    fn try_from(timestamp: Timestamp) -> Result<Self, InvalidTime> {
        // google.protobuf.Timestamp: 0001-01-01T00:00:00Z to
        // 9999-12-31T23:59:59.999999999Z, nanos never negative.
        const RANGE: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;
        if !RANGE.contains(&timestamp.seconds) || !(0..1_000_000_000).contains(&timestamp.nanos) {
            return Err(InvalidTime);
        }
        Ok(Self(
            timestamp.seconds * 1_000_000 + i64::from(timestamp.nanos) / 1_000,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_comes_back_from_protobuf_as_it_was() {
        for micros in [0, -1, 1, 1_700_000_000_123_456, -62_135_596_800_000_000] {
            let time = UnixMicros::from_micros(micros);
            assert_eq!(UnixMicros::try_from(Timestamp::from(time)), Ok(time));
        }
    }

    #[test]
    fn times_that_no_calendar_holds_are_refused() {
        for (seconds, nanos) in [
            (i64::MAX, 0),
            (253_402_300_800, 0),
            (0, -1),
            (0, 1_000_000_000),
        ] {
            let timestamp = Timestamp { seconds, nanos };
            assert_eq!(UnixMicros::try_from(timestamp), Err(InvalidTime));
        }
    }

    #[test]
    fn people_read_rfc_3339() {
        let time = UnixMicros::from_micros(1_769_860_800_000_001);
        assert_eq!(time.to_string(), "2026-01-31T12:00:00.000001Z");
    }
}
