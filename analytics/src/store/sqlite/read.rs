//! Reads the figures. There are no shards to add up.

use std::ops::RangeInclusive;

use chassis::db::statement;
use diesel::{
    QueryResult, RunQueryDsl as _, SqliteConnection,
    sql_types::{BigInt, Integer, SmallInt, Text},
};
use proto::{id::UserId, money::Currency, time::UnixMicros};

use crate::{
    calendar::{Day, Width},
    store::{
        Bucket, PairPosition, PairSales, ProductPosition, ProductSales, StageCount, Stats,
        UserStats,
        rows::{self, BucketRow, PairRow, ProductRow, StageRow, TotalsRow},
    },
};

const STATS: &str = "SELECT * FROM totals ORDER BY currency_code";

const ORDER_RATE: &str = "
    SELECT start_at, orders, orders_paid FROM order_rates
    WHERE width = ?1 AND start_at >= ?2 AND start_at < ?3 ORDER BY start_at";

/// ?1 currency, ?2 and ?3 the position, ?4 how many.
pub(super) const PRODUCTS_BY_UNITS: &str = "
    SELECT p.product_id, p.name, p.units, p.orders, coalesce(r.revenue, 0) AS revenue
    FROM products p
    LEFT JOIN product_revenue r ON r.currency_code = ?1 AND r.product_id = p.product_id
    WHERE p.units < ?2 OR (p.units = ?2 AND p.product_id > ?3)
    ORDER BY p.units DESC, p.product_id LIMIT ?4";

/// As [`PRODUCTS_BY_UNITS`].
pub(super) const PRODUCTS_BY_REVENUE: &str = "
    SELECT p.product_id, p.name, p.units, p.orders, r.revenue
    FROM product_revenue r JOIN products p ON p.product_id = r.product_id
    WHERE r.currency_code = ?1
      AND (r.revenue < ?2 OR (r.revenue = ?2 AND r.product_id > ?3))
    ORDER BY r.revenue DESC, r.product_id LIMIT ?4";

const PAIRS: &str = "
    SELECT product_id, other_product_id, orders FROM product_pairs
    WHERE orders < ?1 OR (orders = ?1 AND (product_id, other_product_id) > (?2, ?3))
    ORDER BY orders DESC, product_id, other_product_id LIMIT ?4";

/// A product is the smaller one of a pair or the larger one, never both; each
/// side has its index.
const PAIRS_OF_PRODUCT: &str = "
    SELECT product_id, other_product_id, orders
    FROM (SELECT * FROM product_pairs WHERE product_id = ?5
          UNION ALL
          SELECT * FROM product_pairs WHERE other_product_id = ?5)
    WHERE orders < ?1 OR (orders = ?1 AND (product_id, other_product_id) > (?2, ?3))
    ORDER BY orders DESC, product_id, other_product_id LIMIT ?4";

const USER_ORDERS: &str = "
    SELECT * FROM user_orders WHERE user_id = ?1 ORDER BY currency_code";

const USER_ACTIONS: &str = "
    SELECT * FROM user_actions WHERE user_id = ?1 ORDER BY type";

const FUNNEL: &str = "
    SELECT stage, sum(users) AS users FROM funnel
    WHERE day BETWEEN ?1 AND ?2 GROUP BY stage";

pub(super) fn stats(connection: &mut SqliteConnection) -> QueryResult<Stats> {
    let rows: Vec<TotalsRow> = statement(STATS).load(connection)?;
    Ok(rows::stats(rows))
}

pub(super) fn order_rate(
    connection: &mut SqliteConnection,
    width: Width,
    from: UnixMicros,
    until: UnixMicros,
) -> QueryResult<Vec<Bucket>> {
    let rows: Vec<BucketRow> = statement(ORDER_RATE)
        .bind::<SmallInt, _>(width.number())
        .bind::<BigInt, _>(from.as_micros())
        .bind::<BigInt, _>(until.as_micros())
        .load(connection)?;
    Ok(rows.into_iter().map(Into::into).collect())
}

pub(super) fn products(
    connection: &mut SqliteConnection,
    sql: &'static str,
    currency: Currency,
    after: ProductPosition,
    limit: i64,
) -> QueryResult<Vec<ProductSales>> {
    let rows: Vec<ProductRow> = statement(sql)
        .bind::<Text, _>(currency.code())
        .bind::<BigInt, _>(after.figure)
        .bind::<BigInt, _>(after.product_id)
        .bind::<BigInt, _>(limit)
        .load(connection)?;
    Ok(rows.into_iter().map(Into::into).collect())
}

pub(super) fn pairs(
    connection: &mut SqliteConnection,
    product_id: Option<i64>,
    after: PairPosition,
    limit: i64,
) -> QueryResult<Vec<PairSales>> {
    let page = |sql| {
        statement(sql)
            .bind::<BigInt, _>(after.orders)
            .bind::<BigInt, _>(after.product_id)
            .bind::<BigInt, _>(after.other_product_id)
            .bind::<BigInt, _>(limit)
    };
    let rows: Vec<PairRow> = match product_id {
        None => page(PAIRS).load(connection)?,
        Some(product_id) => page(PAIRS_OF_PRODUCT)
            .bind::<BigInt, _>(product_id)
            .load(connection)?,
    };
    Ok(rows.into_iter().map(Into::into).collect())
}

pub(super) fn user(
    connection: &mut SqliteConnection,
    user: UserId,
) -> QueryResult<Option<UserStats>> {
    let orders = statement(USER_ORDERS)
        .bind::<BigInt, _>(user.get())
        .load(connection)?;
    let actions: Vec<_> = statement(USER_ACTIONS)
        .bind::<BigInt, _>(user.get())
        .load(connection)?;
    Ok(rows::user(orders, &actions))
}

pub(super) fn funnel(
    connection: &mut SqliteConnection,
    days: &RangeInclusive<Day>,
) -> QueryResult<Vec<StageCount>> {
    let rows: Vec<StageRow> = statement(FUNNEL)
        .bind::<Integer, _>(days.start().number())
        .bind::<Integer, _>(days.end().number())
        .load(connection)?;
    Ok(rows::stages(rows))
}
