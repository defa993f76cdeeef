//! Few products sell often, many sell seldom: Zipf's law.

/// Draws ranks from 1 so that rank `k` comes in proportion to `1 / k^skew`.
///
/// The sums are laid out once; drawing is a binary search in them. A shop's
/// catalogue fits easily, and no approximation has to be argued for.
#[derive(Debug)]
pub(super) struct Zipf {
    /// Share of the ranks up to this one.
    up_to: Vec<f64>,
}

impl Zipf {
    /// With skew 0 all ranks come equally often.
    pub(super) fn new(ranks: u32, skew: f64) -> Self {
        let mut sum = 0.0;
        let mut up_to: Vec<f64> = (1..=ranks)
            .map(|rank| {
                sum += f64::from(rank).powf(-skew);
                sum
            })
            .collect();
        for share in &mut up_to {
            *share /= sum;
        }
        Self { up_to }
    }

    /// The rank at a uniform number of 0 to below 1.
    pub(super) fn rank(&self, uniform: f64) -> usize {
        let below = self.up_to.partition_point(|share| *share <= uniform);
        // The last share is 1 up to rounding.
        below.min(self.up_to.len() - 1) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Draws at equal distances, and counts what falls on each rank.
    fn counts(zipf: &Zipf, ranks: usize) -> Vec<u32> {
        let mut counts = vec![0; ranks];
        for number in 0..100_000 {
            counts[zipf.rank(f64::from(number) / 100_000.0) - 1] += 1;
        }
        counts
    }

    #[test]
    fn rank_k_comes_one_kth_as_often_as_the_first() {
        let counts = counts(&Zipf::new(1_000, 1.0), 1_000);
        // 1 / H(1000), the harmonic number, is 13.36 %.
        assert!((13_350..13_370).contains(&counts[0]), "{}", counts[0]);
        for (rank, factor) in [(2, 2), (10, 10), (100, 100)] {
            let difference = counts[0].abs_diff(counts[rank - 1] * factor);
            assert!(difference <= factor, "{rank}: {difference}");
        }
        assert!(counts.iter().all(|count| *count > 0));
    }

    #[test]
    fn without_skew_all_come_equally_often() {
        let counts = counts(&Zipf::new(8, 0.0), 8);
        assert!(counts.iter().all(|count| *count == 12_500), "{counts:?}");
    }

    #[test]
    fn every_number_below_one_is_a_rank() {
        let zipf = Zipf::new(3, 1.0);
        assert_eq!(zipf.rank(0.0), 1);
        assert_eq!(zipf.rank(1.0_f64.next_down()), 3);
        assert_eq!(zipf.rank(1.0), 3);
        assert_eq!(Zipf::new(1, 2.0).rank(0.5), 1);
    }
}
