//! Rows as both databases return them, and what answers are made of them.

use diesel::{
    QueryableByName,
    sql_types::{BigInt, SmallInt, Text},
};
use proto::time::UnixMicros;

use super::answers::{Bucket, MoneySums, PairSales, ProductSales, StageCount, Stats, UserStats};
use crate::{stage::Stage, tally::NO_CURRENCY};

#[derive(QueryableByName)]
pub(super) struct TotalsRow {
    #[diesel(sql_type = Text)]
    currency_code: String,
    #[diesel(sql_type = BigInt)]
    orders: i64,
    #[diesel(sql_type = BigInt)]
    units: i64,
    #[diesel(sql_type = BigInt)]
    orders_paid: i64,
    #[diesel(sql_type = BigInt)]
    orders_declined: i64,
    #[diesel(sql_type = BigInt)]
    ordered: i64,
    #[diesel(sql_type = BigInt)]
    revenue: i64,
    #[diesel(sql_type = BigInt)]
    notifications_sent: i64,
    #[diesel(sql_type = BigInt)]
    notifications_failed: i64,
    #[diesel(sql_type = BigInt)]
    user_events: i64,
    #[diesel(sql_type = BigInt)]
    updated_at: i64,
}

/// One row a currency, in the order of the codes.
pub(super) fn stats(rows: Vec<TotalsRow>) -> Stats {
    let mut stats = Stats::default();
    for row in rows {
        stats.orders += row.orders;
        stats.units += row.units;
        stats.orders_paid += row.orders_paid;
        stats.orders_declined += row.orders_declined;
        stats.notifications_sent += row.notifications_sent;
        stats.notifications_failed += row.notifications_failed;
        stats.user_events += row.user_events;
        let updated_at = UnixMicros::from_micros(row.updated_at);
        stats.updated_at = stats.updated_at.max(Some(updated_at));
        if row.currency_code != NO_CURRENCY {
            stats.money.push(MoneySums {
                currency_code: row.currency_code,
                ordered: row.ordered,
                revenue: row.revenue,
            });
        }
    }
    stats
}

#[derive(QueryableByName)]
pub(super) struct BucketRow {
    #[diesel(sql_type = BigInt)]
    start_at: i64,
    #[diesel(sql_type = BigInt)]
    orders: i64,
    #[diesel(sql_type = BigInt)]
    orders_paid: i64,
}

impl From<BucketRow> for Bucket {
    fn from(row: BucketRow) -> Self {
        Self {
            start: UnixMicros::from_micros(row.start_at),
            orders: row.orders,
            orders_paid: row.orders_paid,
        }
    }
}

#[derive(QueryableByName)]
pub(super) struct ProductRow {
    #[diesel(sql_type = BigInt)]
    product_id: i64,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = BigInt)]
    units: i64,
    #[diesel(sql_type = BigInt)]
    orders: i64,
    #[diesel(sql_type = BigInt)]
    revenue: i64,
}

impl From<ProductRow> for ProductSales {
    fn from(row: ProductRow) -> Self {
        Self {
            product_id: row.product_id,
            name: row.name,
            units: row.units,
            orders: row.orders,
            revenue: row.revenue,
        }
    }
}

#[derive(QueryableByName)]
pub(super) struct PairRow {
    #[diesel(sql_type = BigInt)]
    product_id: i64,
    #[diesel(sql_type = BigInt)]
    other_product_id: i64,
    #[diesel(sql_type = BigInt)]
    orders: i64,
}

impl From<PairRow> for PairSales {
    fn from(row: PairRow) -> Self {
        Self {
            product_id: row.product_id,
            other_product_id: row.other_product_id,
            orders: row.orders,
        }
    }
}

#[derive(QueryableByName)]
pub(super) struct UserOrdersRow {
    #[diesel(sql_type = Text)]
    currency_code: String,
    #[diesel(sql_type = BigInt)]
    orders: i64,
    #[diesel(sql_type = BigInt)]
    units: i64,
    #[diesel(sql_type = BigInt)]
    orders_paid: i64,
    #[diesel(sql_type = BigInt)]
    orders_declined: i64,
    #[diesel(sql_type = BigInt)]
    ordered: i64,
    #[diesel(sql_type = BigInt)]
    revenue: i64,
    #[diesel(sql_type = BigInt)]
    first_seen_at: i64,
    #[diesel(sql_type = BigInt)]
    last_seen_at: i64,
}

#[derive(QueryableByName)]
pub(super) struct UserActionRow {
    #[diesel(sql_type = SmallInt)]
    r#type: i16,
    #[diesel(sql_type = BigInt)]
    count: i64,
    #[diesel(sql_type = BigInt)]
    first_seen_at: i64,
    #[diesel(sql_type = BigInt)]
    last_seen_at: i64,
}

/// One row a currency and one row a type, both in order; `None` without any.
pub(super) fn user(orders: Vec<UserOrdersRow>, actions: &[UserActionRow]) -> Option<UserStats> {
    let seen = orders
        .iter()
        .map(|row| (row.first_seen_at, row.last_seen_at))
        .chain(
            actions
                .iter()
                .map(|row| (row.first_seen_at, row.last_seen_at)),
        )
        .reduce(|(first, last), (start, end)| (first.min(start), last.max(end)));
    let (first, last) = seen?;
    let mut user = UserStats {
        orders: 0,
        orders_paid: 0,
        orders_declined: 0,
        units: 0,
        money: Vec::with_capacity(orders.len()),
        events: actions
            .iter()
            .map(|row| (i32::from(row.r#type), row.count))
            .collect(),
        first_seen_at: UnixMicros::from_micros(first),
        last_seen_at: UnixMicros::from_micros(last),
    };
    for row in orders {
        user.orders += row.orders;
        user.orders_paid += row.orders_paid;
        user.orders_declined += row.orders_declined;
        user.units += row.units;
        user.money.push(MoneySums {
            currency_code: row.currency_code,
            ordered: row.ordered,
            revenue: row.revenue,
        });
    }
    Some(user)
}

#[derive(QueryableByName)]
pub(super) struct StageRow {
    #[diesel(sql_type = SmallInt)]
    stage: i16,
    #[diesel(sql_type = BigInt)]
    users: i64,
}

/// A stage that a newer release wrote is left out.
pub(super) fn stages(rows: Vec<StageRow>) -> Vec<StageCount> {
    rows.into_iter()
        .filter_map(|row| {
            Some(StageCount {
                stage: Stage::from_number(row.stage)?,
                users: row.users,
            })
        })
        .collect()
}
