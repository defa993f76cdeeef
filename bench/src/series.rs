//! Samples of one contender, in the order of the rounds.

use serde::{Deserialize, Serialize};

/// A count as a sample. Counts here are far below 2^52.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn float(count: i64) -> f64 {
    count as f64
}

/// What one contender came to, a number for each round.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Series(Vec<f64>);

impl Series {
    pub(crate) fn push(&mut self, sample: f64) {
        self.0.push(sample);
    }

    pub(crate) fn samples(&self) -> &[f64] {
        &self.0
    }

    /// The middle one; of an even number the lower of the two, so that it is
    /// always one that was measured. NaN of none.
    pub(crate) fn median(&self) -> f64 {
        let sorted = self.sorted();
        let middle = sorted.len().saturating_sub(1) / 2;
        sorted.get(middle).copied().unwrap_or(f64::NAN)
    }

    /// The least and the most.
    pub(crate) fn spread(&self) -> (f64, f64) {
        let sorted = self.sorted();
        let at = |index: Option<usize>| index.and_then(|index| sorted.get(index).copied());
        let last = sorted.len().checked_sub(1);
        (
            at(Some(0)).unwrap_or(f64::NAN),
            at(last).unwrap_or(f64::NAN),
        )
    }

    /// Round by round, this over the other: what changed from round to round
    /// changed for both.
    pub(crate) fn over(&self, other: &Self) -> Self {
        let pairs = self.0.iter().zip(&other.0);
        Self(pairs.map(|(ours, theirs)| ours / theirs).collect())
    }

    /// Round by round, the rate of doing one after the other on the same cores,
    /// where this alone and the other alone would each take them all.
    pub(crate) fn after(&self, other: &Self) -> Self {
        let pairs = self.0.iter().zip(&other.0);
        Self(
            pairs
                .map(|(one, two)| (one.recip() + two.recip()).recip())
                .collect(),
        )
    }

    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }
}

impl FromIterator<f64> for Series {
    fn from_iter<I: IntoIterator<Item = f64>>(samples: I) -> Self {
        Self(samples.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(samples: &[f64]) -> Series {
        samples.iter().copied().collect()
    }

    #[test]
    fn the_median_is_one_that_was_measured() {
        assert!((series(&[3.0, 1.0, 2.0]).median() - 2.0).abs() < f64::EPSILON);
        assert!((series(&[4.0, 1.0, 2.0, 3.0]).median() - 2.0).abs() < f64::EPSILON);
        assert!(series(&[]).median().is_nan());
    }

    #[test]
    fn ratios_are_of_the_same_round() {
        let ratios = series(&[10.0, 30.0]).over(&series(&[5.0, 10.0]));
        assert_eq!(ratios, series(&[2.0, 3.0]));
        assert_eq!(ratios.spread(), (2.0, 3.0));
    }

    #[test]
    fn one_after_the_other_takes_the_time_of_both() {
        let both = series(&[100.0]).after(&series(&[100.0]));
        assert_eq!(both, series(&[50.0]));
    }
}
