//! How long to wait before trying again.

use std::time::Duration;

use rand::Rng as _;

/// First pause while a dependency is away.
const FIRST: Duration = Duration::from_millis(200);
/// Longest pause: a dependency that returns is noticed within this, and what came
/// in the meantime still has to be worked off before anybody calls it recovered.
const LONGEST: Duration = Duration::from_secs(2);

/// Pauses that double from 0.2 s to 2 s, each with jitter, so that instances
/// that lost the same dependency do not return to it at once.
#[derive(Debug, Clone, Default)]
pub struct Pause {
    attempts: u32,
}

impl Pause {
    /// The next pause: between half and all of the doubled one.
    pub fn next_pause(&mut self) -> Duration {
        let full = FIRST
            .saturating_mul(1 << self.attempts.min(16))
            .min(LONGEST);
        self.attempts = self.attempts.saturating_add(1);
        full.mul_f64(rand::rng().random_range(0.5..=1.0))
    }

    /// Begins anew, after a success.
    pub fn reset(&mut self) {
        self.attempts = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_begin_anew() {
        let mut pause = Pause::default();
        let first = pause.next_pause();
        assert!((FIRST / 2..=FIRST).contains(&first));
        let later: Vec<_> = (0..100).map(|_| pause.next_pause()).collect();
        assert!(later.iter().all(|pause| *pause <= LONGEST));
        assert!(later[90] >= LONGEST / 2);
        pause.reset();
        assert!(pause.next_pause() <= FIRST);
    }
}
