//! What is added to one row of an aggregate table.

use std::ops::RangeInclusive;

use proto::time::UnixMicros;

/// Added to the totals of one currency, or to those without money.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Orders placed.
    pub orders: i64,
    /// Pieces ordered.
    pub units: i64,
    /// Orders paid.
    pub orders_paid: i64,
    /// Orders declined.
    pub orders_declined: i64,
    /// Sum of the totals of orders placed, in minor units.
    pub ordered: i64,
    /// Sum of what was paid, in minor units.
    pub revenue: i64,
    /// Mails sent.
    pub notifications_sent: i64,
    /// Mails that failed for good.
    pub notifications_failed: i64,
    /// User events.
    pub user_events: i64,
}

/// Added to one bucket of the order rate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rate {
    /// Orders placed in it.
    pub orders: i64,
    /// Of these, paid.
    pub orders_paid: i64,
}

/// Added to one product.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Product {
    /// Pieces ordered.
    pub units: i64,
    /// Orders it was part of.
    pub orders: i64,
    /// Its latest name.
    pub name: Name,
}

/// A product's name at a time. The later one is greater; of two that are equally
/// late, the one with the greater bytes: so the latest of any number of names is
/// the same in whatever order they come.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// When the order was placed that gave it.
    pub named_at: UnixMicros,
    /// The name.
    pub name: String,
}

impl Default for Name {
    /// Earlier than any name.
    fn default() -> Self {
        Self {
            named_at: UnixMicros::from_micros(i64::MIN),
            name: String::new(),
        }
    }
}

/// Added to one user's orders in one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserOrders {
    /// Orders placed.
    pub orders: i64,
    /// Pieces ordered.
    pub units: i64,
    /// Orders paid.
    pub orders_paid: i64,
    /// Orders declined.
    pub orders_declined: i64,
    /// Sum of the totals of orders placed, in minor units.
    pub ordered: i64,
    /// Sum of what was paid, in minor units.
    pub revenue: i64,
    /// From the first to the last time the user did something.
    pub seen: RangeInclusive<UnixMicros>,
}

impl UserOrders {
    /// Nothing yet but that the user was there.
    pub const fn seen_at(time: UnixMicros) -> Self {
        Self {
            orders: 0,
            units: 0,
            orders_paid: 0,
            orders_declined: 0,
            ordered: 0,
            revenue: 0,
            seen: time..=time,
        }
    }
}

/// Added to what one user did of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserAction {
    /// How often.
    pub count: i64,
    /// From the first to the last time.
    pub seen: RangeInclusive<UnixMicros>,
}

/// A stretch of time that holds another moment as well.
pub(super) fn widen(seen: &mut RangeInclusive<UnixMicros>, time: UnixMicros) {
    let (first, last) = (*seen.start(), *seen.end());
    *seen = first.min(time)..=last.max(time);
}

/// Adds an amount of money. A sum that no longer fits stays at the largest
/// number: amounts are never negative, so sums that are capped are the same in
/// whatever order and parts they are summed, and as exact as an `int64` of an
/// answer can be. It takes nine million orders of the highest total to get there.
pub(super) const fn add_money(sum: &mut i64, amount: i64) {
    *sum = sum.saturating_add(amount);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capped_sums_do_not_depend_on_how_they_are_summed() {
        let amounts = [i64::MAX - 5, 3, 0, 7, i64::MAX];
        let sum = |amounts: &[i64]| {
            let mut sum = 0;
            for amount in amounts {
                add_money(&mut sum, *amount);
            }
            sum
        };
        for split in 0..amounts.len() {
            let (left, right) = amounts.split_at(split);
            assert_eq!(sum(&[sum(left), sum(right)]), i64::MAX);
        }
        assert_eq!(sum(&[i64::MAX - 5, 3]), i64::MAX - 2);
    }

    #[test]
    fn the_later_name_is_greater_and_then_the_greater_text() {
        let name = |at, name: &str| Name {
            named_at: UnixMicros::from_micros(at),
            name: name.into(),
        };
        assert!(name(2, "A") > name(1, "Z"));
        assert!(name(1, "é") > name(1, "z"), "by bytes, not by any language");
    }
}
