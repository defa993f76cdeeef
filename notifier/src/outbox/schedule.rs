//! When a mail that could not be sent is tried again.

use std::time::Duration;

use proto::time::UnixMicros;
use rand::Rng as _;

/// Doubling pauses between two bounds, and an age at which a mail that the server
/// keeps putting off is given up.
#[derive(Debug, Clone, Copy)]
pub struct Schedule {
    /// Pause after the first attempt.
    pub first: Duration,
    /// Longest pause.
    pub longest: Duration,
    /// Age at which to give up.
    pub give_up: Duration,
}

impl Schedule {
    /// When to try again after so many attempts before this one. Jitter between
    /// half and all of the pause keeps mails of one outage from coming at once.
    pub fn next(&self, attempts: i32, now: UnixMicros) -> UnixMicros {
        let doublings = u32::try_from(attempts).unwrap_or(0).min(20);
        let full = self.first.saturating_mul(1 << doublings).min(self.longest);
        now.saturating_add(full.mul_f64(rand::rng().random_range(0.5..=1.0)))
    }

    /// Whether a mail that was written then is given up now. Servers are asked
    /// for some days, as mail servers themselves do (RFC 5321, section 4.5.4.1).
    pub fn gives_up(&self, written: UnixMicros, now: UnixMicros) -> bool {
        now.duration_since(written) >= self.give_up
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEDULE: Schedule = Schedule {
        first: Duration::from_secs(1),
        longest: Duration::from_secs(60),
        give_up: Duration::from_secs(3600),
    };

    #[test]
    fn pauses_double_up_to_a_bound() {
        let now = UnixMicros::from_micros(0);
        for (attempts, most) in [(0, 1), (1, 2), (3, 8), (10, 60), (i32::MAX, 60)] {
            let pause = SCHEDULE.next(attempts, now).duration_since(now);
            let most = Duration::from_secs(most);
            assert!(pause <= most && pause >= most / 2, "{attempts}: {pause:?}");
        }
    }

    #[test]
    fn old_mails_are_given_up() {
        let written = UnixMicros::from_micros(0);
        let later = |seconds| written.saturating_add(Duration::from_secs(seconds));
        assert!(!SCHEDULE.gives_up(written, later(3599)));
        assert!(SCHEDULE.gives_up(written, later(3600)));
    }
}
