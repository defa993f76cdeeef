//! Adds up the shards.
//!
//! Sums of money are capped at what an answer can tell. Adding whole shards that
//! are capped themselves gives the same as capping the whole sum.
//!
//! Lists are ranked when they are asked for: keeping an index on a figure that
//! every batch changes would cost each batch more than the list costs its reader,
//! and would forbid updates in place.

use std::ops::RangeInclusive;

use chassis::db::statement;
use diesel::{
    QueryResult,
    sql_types::{BigInt, Integer, SmallInt, Text},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use proto::{id::UserId, money::Currency, time::UnixMicros};

use crate::{
    calendar::{Day, Width},
    store::{
        Bucket, PairPosition, PairSales, ProductPosition, ProductSales, StageCount, Stats,
        UserStats,
        rows::{self, BucketRow, PairRow, ProductRow, StageRow, TotalsRow},
    },
};

const STATS: &str = "
    SELECT currency_code, max(updated_at) AS updated_at,
           sum(orders)::bigint AS orders,
           sum(units)::bigint AS units,
           sum(orders_paid)::bigint AS orders_paid,
           sum(orders_declined)::bigint AS orders_declined,
           capped(sum(ordered)) AS ordered,
           capped(sum(revenue)) AS revenue,
           sum(notifications_sent)::bigint AS notifications_sent,
           sum(notifications_failed)::bigint AS notifications_failed,
           sum(user_events)::bigint AS user_events
    FROM totals GROUP BY currency_code ORDER BY currency_code COLLATE \"C\"";

const ORDER_RATE: &str = "
    SELECT start_at, sum(orders)::bigint AS orders, sum(orders_paid)::bigint AS orders_paid
    FROM order_rates WHERE width = $1 AND start_at >= $2 AND start_at < $3
    GROUP BY start_at ORDER BY start_at";

/// $1 currency, $2 and $3 the position, $4 how many. Names and the figures that do
/// not rank are looked up for the page only.
pub(super) const PRODUCTS_BY_UNITS: &str = "
    SELECT page.product_id, page.units, page.orders,
           (SELECT name FROM products WHERE product_id = page.product_id
            ORDER BY named_at DESC, name DESC LIMIT 1) AS name,
           coalesce((SELECT capped(sum(revenue)) FROM product_revenue
                     WHERE currency_code = $1 AND product_id = page.product_id), 0) AS revenue
    FROM (SELECT product_id, units, orders
          FROM (SELECT product_id, sum(units)::bigint AS units, sum(orders)::bigint AS orders
                FROM products GROUP BY product_id) AS sold
          WHERE units < $2 OR (units = $2 AND product_id > $3)
          ORDER BY units DESC, product_id LIMIT $4) AS page
    ORDER BY page.units DESC, page.product_id";

/// As [`PRODUCTS_BY_UNITS`].
pub(super) const PRODUCTS_BY_REVENUE: &str = "
    SELECT page.product_id, page.revenue, sold.units, sold.orders, sold.name
    FROM (SELECT product_id, revenue
          FROM (SELECT product_id, capped(sum(revenue)) AS revenue
                FROM product_revenue WHERE currency_code = $1 GROUP BY product_id) AS earned
          WHERE revenue < $2 OR (revenue = $2 AND product_id > $3)
          ORDER BY revenue DESC, product_id LIMIT $4) AS page
    CROSS JOIN LATERAL (
          SELECT coalesce(sum(units), 0)::bigint AS units,
                 coalesce(sum(orders), 0)::bigint AS orders,
                 coalesce((array_agg(name ORDER BY named_at DESC, name DESC))[1], '') AS name
          FROM products WHERE product_id = page.product_id) AS sold
    ORDER BY page.revenue DESC, page.product_id";

const PAIRS: &str = "
    SELECT product_id, other_product_id, orders
    FROM (SELECT product_id, other_product_id, sum(orders)::bigint AS orders
          FROM product_pairs GROUP BY product_id, other_product_id) AS pair
    WHERE orders < $1 OR (orders = $1 AND (product_id, other_product_id) > ($2, $3))
    ORDER BY orders DESC, product_id, other_product_id LIMIT $4";

/// A product is the smaller one of a pair or the larger one, never both; each
/// side has its index.
const PAIRS_OF_PRODUCT: &str = "
    SELECT product_id, other_product_id, orders
    FROM (SELECT product_id, other_product_id, sum(orders)::bigint AS orders
          FROM (SELECT * FROM product_pairs WHERE product_id = $5
                UNION ALL
                SELECT * FROM product_pairs WHERE other_product_id = $5) AS of_product
          GROUP BY product_id, other_product_id) AS pair
    WHERE orders < $1 OR (orders = $1 AND (product_id, other_product_id) > ($2, $3))
    ORDER BY orders DESC, product_id, other_product_id LIMIT $4";

const USER_ORDERS: &str = "
    SELECT currency_code,
           sum(orders)::bigint AS orders,
           sum(units)::bigint AS units,
           sum(orders_paid)::bigint AS orders_paid,
           sum(orders_declined)::bigint AS orders_declined,
           capped(sum(ordered)) AS ordered,
           capped(sum(revenue)) AS revenue,
           min(first_seen_at) AS first_seen_at,
           max(last_seen_at) AS last_seen_at
    FROM user_orders WHERE user_id = $1
    GROUP BY currency_code ORDER BY currency_code COLLATE \"C\"";

const USER_ACTIONS: &str = "
    SELECT type, sum(count)::bigint AS count,
           min(first_seen_at) AS first_seen_at, max(last_seen_at) AS last_seen_at
    FROM user_actions WHERE user_id = $1 GROUP BY type ORDER BY type";

const FUNNEL: &str = "
    SELECT stage, sum(users)::bigint AS users
    FROM funnel WHERE day BETWEEN $1 AND $2 GROUP BY stage";

pub(super) async fn stats(connection: &mut AsyncPgConnection) -> QueryResult<Stats> {
    let rows: Vec<TotalsRow> = statement(STATS).load(connection).await?;
    Ok(rows::stats(rows))
}

pub(super) async fn order_rate(
    connection: &mut AsyncPgConnection,
    width: Width,
    from: UnixMicros,
    until: UnixMicros,
) -> QueryResult<Vec<Bucket>> {
    let rows: Vec<BucketRow> = statement(ORDER_RATE)
        .bind::<SmallInt, _>(width.number())
        .bind::<BigInt, _>(from.as_micros())
        .bind::<BigInt, _>(until.as_micros())
        .load(connection)
        .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

pub(super) async fn products(
    connection: &mut AsyncPgConnection,
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
        .load(connection)
        .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

pub(super) async fn pairs(
    connection: &mut AsyncPgConnection,
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
        None => page(PAIRS).load(connection).await?,
        Some(product_id) => {
            page(PAIRS_OF_PRODUCT)
                .bind::<BigInt, _>(product_id)
                .load(connection)
                .await?
        }
    };
    Ok(rows.into_iter().map(Into::into).collect())
}

pub(super) async fn user(
    connection: &mut AsyncPgConnection,
    user: UserId,
) -> QueryResult<Option<UserStats>> {
    let orders = statement(USER_ORDERS)
        .bind::<BigInt, _>(user.get())
        .load(connection)
        .await?;
    let actions: Vec<_> = statement(USER_ACTIONS)
        .bind::<BigInt, _>(user.get())
        .load(connection)
        .await?;
    Ok(rows::user(orders, &actions))
}

pub(super) async fn funnel(
    connection: &mut AsyncPgConnection,
    days: &RangeInclusive<Day>,
) -> QueryResult<Vec<StageCount>> {
    let rows: Vec<StageRow> = statement(FUNNEL)
        .bind::<Integer, _>(days.start().number())
        .bind::<Integer, _>(days.end().number())
        .load(connection)
        .await?;
    Ok(rows::stages(rows))
}
