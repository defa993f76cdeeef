//! Counts and sums over all payments.
//!
//! Invariant: the totals of a currency and outcome equal a recount, because the
//! transaction that settles a payment adds it, and a payment is settled once.
//! Pending payments are the exception: there are few, so they are counted.

use std::collections::BTreeMap;

use diesel::sql_types::{BigInt, SmallInt, Text};
use proto::{event::PaymentResult, events::v1::DeclineCode, money::Currency};

use super::{Lease, rows};

/// On how many rows the totals of one currency and outcome are spread. Batches
/// that settle at once pick one of so many; more would only lengthen reading.
const SHARDS: u8 = 16;

/// Counts and sums over all payments.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stats {
    /// Intended, not settled.
    pub pending: i64,
    /// Settled: the money was taken.
    pub captured: i64,
    /// Settled: refused, by code.
    pub declined: BTreeMap<DeclineCode, i64>,
    /// Money taken, in minor units by currency. Stops at the largest `i64`
    /// rather than to wrap.
    pub captured_amounts: BTreeMap<Currency, i64>,
}

/// Pending payments and all totals, in one snapshot. The row of the pending ones
/// carries no currency.
pub(super) const READ: &str = "
    SELECT currency_code, status, decline_code, payments, amount FROM payment_totals
    UNION ALL
    SELECT '', CAST(1 AS SMALLINT), CAST(0 AS SMALLINT), count(*), CAST(0 AS BIGINT) FROM payments WHERE status <> 2 AND status = 1";

/// The shard that a lease's holder adds to: leases are random, so they spread.
pub(super) fn shard(lease: Lease) -> i16 {
    let [.., last] = *lease.token.as_bytes();
    i16::from(last % SHARDS)
}

/// A row of [`READ`].
#[derive(diesel::QueryableByName)]
pub(super) struct TotalRow {
    #[diesel(sql_type = Text)]
    currency_code: String,
    #[diesel(sql_type = SmallInt)]
    status: i16,
    #[diesel(sql_type = SmallInt)]
    decline_code: i16,
    #[diesel(sql_type = BigInt)]
    payments: i64,
    #[diesel(sql_type = BigInt)]
    amount: i64,
}

impl Stats {
    /// Adds up the shards. Rows that mean nothing cannot be there (see
    /// [`rows`]), and would be no reason to tell nothing at all.
    pub(super) fn sum(total_rows: Vec<TotalRow>) -> Self {
        let mut stats = Self::default();
        for row in total_rows {
            match rows::result(row.status, row.decline_code) {
                Ok(None) => stats.pending += row.payments,
                Ok(Some(PaymentResult::Captured)) => {
                    stats.captured += row.payments;
                    if let Ok(currency) = row.currency_code.parse::<Currency>() {
                        let amount = stats.captured_amounts.entry(currency).or_default();
                        *amount = amount.saturating_add(row.amount);
                    }
                }
                Ok(Some(PaymentResult::Declined(reason))) => {
                    *stats.declined.entry(reason).or_default() += row.payments;
                }
                Err(_) => {}
            }
        }
        stats
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(currency_code: &str, status: i16, decline_code: i16, amount: i64) -> TotalRow {
        TotalRow {
            currency_code: currency_code.to_owned(),
            status,
            decline_code,
            payments: 2,
            amount,
        }
    }

    #[test]
    fn shards_add_up_and_currencies_stay_apart() {
        let stats = Stats::sum(vec![
            row("USD", 2, 0, 10),
            row("USD", 2, 0, 5),
            row("EUR", 2, 0, 7),
            row("USD", 3, 2, 1_000),
            row("", 1, 0, 0),
        ]);
        assert_eq!(stats.pending, 2);
        assert_eq!(stats.captured, 6);
        assert_eq!(stats.declined[&DeclineCode::InsufficientFunds], 2);
        let amounts: Vec<_> = stats
            .captured_amounts
            .iter()
            .map(|(c, a)| (c.code(), *a))
            .collect();
        assert_eq!(amounts, [("EUR", 7), ("USD", 15)]);
    }

    #[test]
    fn sums_stop_at_the_largest_number() {
        let stats = Stats::sum(vec![row("USD", 2, 0, i64::MAX), row("USD", 2, 0, 1)]);
        assert_eq!(stats.captured_amounts[&Currency::USD], i64::MAX);
    }
}
