//! What happened lately: rates and percentiles over a sliding window.
//!
//! Invariant: memory is fixed and nothing is locked. Time is cut into spans, each
//! counter carries the span it counts for, and one atomic holds both: whoever
//! counts in a new span begins that counter anew, and who reads leaves out what
//! belongs to a span that is past. So no task has to clean up, and a window that
//! nobody touches empties by itself.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use serde::{Deserialize, Serialize};

/// Seconds over which a rate is taken: short enough to follow a change while one
/// looks at it, long enough that single records do not make it jump.
const RATE_SECONDS: u32 = 5;
/// The seconds of a rate and the one that still goes on.
const RATE_SLOTS: usize = RATE_SECONDS as usize + 1;

/// Length of a span of [`Ages`].
const SPAN_SECONDS: u64 = 5;
/// A minute of spans, besides the one that still goes on.
const MINUTE_SPANS: u32 = 12;
/// All spans that are kept.
const SPANS: usize = MINUTE_SPANS as usize + 1;

/// Buckets for each power of two: a value is told at most a sixteenth too high.
const PER_OCTAVE: usize = 16;
/// Below this a bucket is one millisecond wide.
const EXACT: usize = 2 * PER_OCTAVE;
/// Powers of two above the exact ones. The last bucket ends at 2^26 ms, 18 hours;
/// what is older counts as that.
const OCTAVES: usize = 21;
const BUCKETS: usize = EXACT + OCTAVES * PER_OCTAVE;

/// A counter and the span it counts for, 32 bits each.
#[derive(Debug, Default)]
struct Counter(AtomicU64);

impl Counter {
    fn add(&self, span: u32, count: u32) {
        let add = |held: u64| {
            let (of, before) = split(held);
            let sum = if of == span { before } else { 0 }.saturating_add(count);
            Some(u64::from(span) << 32 | u64::from(sum))
        };
        // Relaxed: a counter orders nothing else. The closure never refuses.
        let _ = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    /// What it counted within these spans.
    fn within(&self, spans: std::ops::RangeInclusive<u32>) -> u64 {
        let (of, count) = split(self.0.load(Ordering::Relaxed));
        if spans.contains(&of) { count.into() } else { 0 }
    }
}

fn split(held: u64) -> (u32, u32) {
    let low = u32::try_from(held & u64::from(u32::MAX)).unwrap_or(u32::MAX);
    let high = u32::try_from(held >> 32).unwrap_or(u32::MAX);
    (high, low)
}

/// The number of a span; 136 years of seconds fit.
fn span(now: Duration, seconds: u64) -> u32 {
    u32::try_from(now.as_secs() / seconds).unwrap_or(u32::MAX)
}

/// How many a second, over the last five seconds.
#[derive(Debug, Default)]
pub struct Rate([Counter; RATE_SLOTS]);

impl Rate {
    /// Counts at a time since the start.
    pub fn add(&self, now: Duration, count: usize) {
        let second = span(now, 1);
        let slot = second as usize % RATE_SLOTS;
        self.0[slot].add(second, u32::try_from(count).unwrap_or(u32::MAX));
    }

    /// The rate at that time. The second that still goes on does not count.
    pub fn per_second(&self, now: Duration) -> f64 {
        let second = span(now, 1);
        let Some(last) = second.checked_sub(1) else {
            return 0.0;
        };
        let first = second.saturating_sub(RATE_SECONDS);
        let counts = self.0.iter().map(|slot| slot.within(first..=last));
        let count = u32::try_from(counts.sum::<u64>()).unwrap_or(u32::MAX);
        f64::from(count) / f64::from(second - first)
    }
}

/// How old things were that happened within the last minute, in buckets that grow
/// with the age. Takes 38 KB.
#[derive(Debug)]
pub struct Ages(Box<[Counter]>);

impl Default for Ages {
    fn default() -> Self {
        Self((0..SPANS * BUCKETS).map(|_| Counter::default()).collect())
    }
}

impl Ages {
    /// Counts an age in milliseconds, at a time since the start.
    pub fn record(&self, now: Duration, millis: u64) {
        let span = span(now, SPAN_SECONDS);
        self.0[span as usize % SPANS * BUCKETS + bucket(millis)].add(span, 1);
    }

    /// Those of the last minute before that time, and up to five seconds more.
    pub fn last_minute(&self, now: Duration) -> Distribution {
        let last = span(now, SPAN_SECONDS);
        let spans = last.saturating_sub(MINUTE_SPANS)..=last;
        let mut counts = BTreeMap::new();
        for bucket in 0..BUCKETS {
            let of_bucket = self.0.iter().skip(bucket).step_by(BUCKETS);
            let count: u64 = of_bucket.map(|counter| counter.within(spans.clone())).sum();
            if count > 0 {
                counts.insert(upper(bucket) as u64, count);
            }
        }
        Distribution(counts)
    }
}

fn bucket(millis: u64) -> usize {
    // Bounded first, so the rest is a small number.
    let millis = usize::try_from(millis).unwrap_or(usize::MAX);
    let millis = millis.min(upper(BUCKETS - 1));
    if millis < EXACT {
        return millis;
    }
    // The power of two decides the octave, the four bits after it the rest.
    let octave = (millis.ilog2() - EXACT.ilog2()) as usize;
    EXACT + octave * PER_OCTAVE + (millis >> (octave + 1)) - PER_OCTAVE
}

/// The largest value of a bucket.
fn upper(bucket: usize) -> usize {
    match bucket.checked_sub(EXACT) {
        None => bucket,
        Some(above) => {
            let (octave, part) = (above / PER_OCTAVE, above % PER_OCTAVE);
            ((PER_OCTAVE + part + 1) << (octave + 1)) - 1
        }
    }
}

/// How many there were of which size: by the largest value of a bucket. Those of
/// several processes add up, which their percentiles would not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Distribution(BTreeMap<u64, u64>);

impl Distribution {
    /// Adds what another process counted.
    pub fn merge(&mut self, other: &Self) {
        for (upper, count) in &other.0 {
            let sum = self.0.entry(*upper).or_default();
            *sum = sum.saturating_add(*count);
        }
    }

    /// All of them.
    pub fn count(&self) -> u64 {
        self.0.values().fold(0, |sum, n| sum.saturating_add(*n))
    }

    /// The value that so many of a thousand do not exceed; `None` where there is
    /// none.
    pub fn per_mille(&self, part: u64) -> Option<u64> {
        let rank = u128::from(self.count()) * u128::from(part.min(1_000));
        let rank = rank.div_ceil(1_000).max(1);
        let mut seen = 0_u128;
        self.0.iter().find_map(|(upper, count)| {
            seen += u128::from(*count);
            (seen >= rank).then_some(*upper)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_rate_is_that_of_the_last_whole_seconds() {
        let rate = Rate::default();
        for second in 0..10 {
            rate.add(seconds(second), 20);
        }
        rate.add(seconds(10), 1_000);
        assert!((rate.per_second(seconds(10)) - 20.0).abs() < f64::EPSILON);
        assert!((rate.per_second(seconds(12)) - 1_060.0 / 5.0).abs() < f64::EPSILON);
        assert!(rate.per_second(seconds(16)).abs() < f64::EPSILON);
    }

    #[test]
    fn a_rate_begins_with_the_process() {
        let rate = Rate::default();
        rate.add(seconds(0), 8);
        assert!(rate.per_second(seconds(0)).abs() < f64::EPSILON);
        assert!((rate.per_second(seconds(2)) - 4.0).abs() < f64::EPSILON);
    }

    #[test]
    fn percentiles_are_those_of_what_was_counted() {
        let ages = Ages::default();
        for age in 1..=100 {
            ages.record(seconds(7), age % 30);
        }
        let minute = ages.last_minute(seconds(8));
        assert_eq!(minute.count(), 100);
        // 49 are below 13, which three are.
        assert_eq!(minute.per_mille(500), Some(13));
        assert_eq!(minute.per_mille(1_000), Some(29));
        assert_eq!(Distribution::default().per_mille(500), None);
    }

    #[test]
    fn what_is_older_than_a_minute_is_forgotten() {
        let ages = Ages::default();
        ages.record(seconds(1), 4);
        assert_eq!(ages.last_minute(seconds(60)).count(), 1);
        assert_eq!(ages.last_minute(seconds(66)).count(), 0);
        // The same counter, a round later.
        ages.record(seconds(66), 4);
        assert_eq!(ages.last_minute(seconds(66)).count(), 1);
    }

    #[test]
    fn processes_add_up() {
        let (one, two) = (Ages::default(), Ages::default());
        for _ in 0..99 {
            one.record(seconds(1), 4);
        }
        two.record(seconds(1), 5_000);
        let mut both = one.last_minute(seconds(1));
        both.merge(&two.last_minute(seconds(1)));
        assert_eq!((both.count(), both.per_mille(990)), (100, Some(4)));
        let slowest = both.per_mille(1_000).unwrap();
        assert!((5_000..=5_000 + 5_000 / 16).contains(&slowest), "{slowest}");
        let json = serde_json::to_string(&both).unwrap();
        assert_eq!(serde_json::from_str::<Distribution>(&json).unwrap(), both);
    }

    #[test]
    fn nothing_is_counted_twice_or_lost_between_threads() {
        let rate = Rate::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1_000).for_each(|_| rate.add(seconds(3), 1)));
            }
        });
        assert!((rate.per_second(seconds(4)) - 4_000.0 / 4.0).abs() < f64::EPSILON);
    }

    proptest! {
        #[test]
        fn a_value_is_at_most_its_buckets_upper_and_little_below_it(value in 0_u64..1 << 26) {
            let upper = upper(bucket(value)) as u64;
            prop_assert!(value <= upper);
            prop_assert!(upper - value <= value / 16, "{value} in {upper}");
        }

        #[test]
        fn no_value_is_beyond_the_buckets(value in any::<u64>()) {
            prop_assert!(bucket(value) < BUCKETS);
        }
    }
}
