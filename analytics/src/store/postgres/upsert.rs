//! Adds what a batch counted to the tables: one statement a table.
//!
//! Rows come in key order, and `unnest` hands them on in that order.

use std::collections::{BTreeMap, BTreeSet};

use chassis::db::statement;
use diesel::{
    QueryResult,
    sql_types::{Array, BigInt, Integer, SmallInt, Text},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use proto::time::UnixMicros;

use crate::{
    calendar::{Day, Width},
    stage::Stage,
    tally::{Product, Rate, Totals, UserAction, UserOrders},
};

/// Only users who were not in the set count. Both in one statement, so that the
/// users need not travel back.
const FUNNEL: &str = "
    WITH new AS (
        INSERT INTO funnel_users (day, stage, user_id)
        SELECT * FROM unnest($2::integer[], $3::smallint[], $4::bigint[])
        ON CONFLICT (day, stage, user_id) DO NOTHING
        RETURNING day, stage)
    INSERT INTO funnel AS f (day, stage, shard, users)
    SELECT day, stage, $1, count(*) FROM new GROUP BY day, stage ORDER BY day, stage
    ON CONFLICT (day, stage, shard) DO UPDATE SET users = f.users + excluded.users";

const TOTALS: &str = "
    INSERT INTO totals AS t (
        shard, updated_at, currency_code, orders, units, orders_paid, orders_declined,
        ordered, revenue, notifications_sent, notifications_failed, user_events)
    SELECT $1, $2, * FROM unnest(
        $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
        $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[])
    ON CONFLICT (currency_code, shard) DO UPDATE SET
        updated_at = greatest(t.updated_at, excluded.updated_at),
        orders = t.orders + excluded.orders,
        units = t.units + excluded.units,
        orders_paid = t.orders_paid + excluded.orders_paid,
        orders_declined = t.orders_declined + excluded.orders_declined,
        ordered = capped_sum(t.ordered, excluded.ordered),
        revenue = capped_sum(t.revenue, excluded.revenue),
        notifications_sent = t.notifications_sent + excluded.notifications_sent,
        notifications_failed = t.notifications_failed + excluded.notifications_failed,
        user_events = t.user_events + excluded.user_events";

const RATES: &str = "
    INSERT INTO order_rates AS r (shard, width, start_at, orders, orders_paid)
    SELECT $1, * FROM unnest($2::smallint[], $3::bigint[], $4::bigint[], $5::bigint[])
    ON CONFLICT (width, start_at, shard) DO UPDATE SET
        orders = r.orders + excluded.orders,
        orders_paid = r.orders_paid + excluded.orders_paid";

const PRODUCTS: &str = "
    INSERT INTO products AS p (shard, product_id, units, orders, named_at, name)
    SELECT $1, * FROM unnest(
        $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[])
    ON CONFLICT (product_id, shard) DO UPDATE SET
        units = p.units + excluded.units,
        orders = p.orders + excluded.orders,
        named_at = greatest(p.named_at, excluded.named_at),
        name = CASE WHEN (excluded.named_at, excluded.name) > (p.named_at, p.name)
                    THEN excluded.name ELSE p.name END";

const REVENUE: &str = "
    INSERT INTO product_revenue AS r (shard, currency_code, product_id, revenue)
    SELECT $1, * FROM unnest($2::text[], $3::bigint[], $4::bigint[])
    ON CONFLICT (currency_code, product_id, shard) DO UPDATE SET
        revenue = capped_sum(r.revenue, excluded.revenue)";

const PAIRS: &str = "
    INSERT INTO product_pairs AS p (shard, product_id, other_product_id, orders)
    SELECT $1, * FROM unnest($2::bigint[], $3::bigint[], $4::bigint[])
    ON CONFLICT (product_id, other_product_id, shard) DO UPDATE SET
        orders = p.orders + excluded.orders";

const USERS: &str = "
    INSERT INTO user_orders AS u (
        shard, user_id, currency_code, orders, units, orders_paid, orders_declined,
        ordered, revenue, first_seen_at, last_seen_at)
    SELECT $1, * FROM unnest(
        $2::bigint[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[],
        $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[])
    ON CONFLICT (user_id, currency_code, shard) DO UPDATE SET
        orders = u.orders + excluded.orders,
        units = u.units + excluded.units,
        orders_paid = u.orders_paid + excluded.orders_paid,
        orders_declined = u.orders_declined + excluded.orders_declined,
        ordered = capped_sum(u.ordered, excluded.ordered),
        revenue = capped_sum(u.revenue, excluded.revenue),
        first_seen_at = least(u.first_seen_at, excluded.first_seen_at),
        last_seen_at = greatest(u.last_seen_at, excluded.last_seen_at)";

const ACTIONS: &str = "
    INSERT INTO user_actions AS a (shard, user_id, type, count, first_seen_at, last_seen_at)
    SELECT $1, * FROM unnest(
        $2::bigint[], $3::smallint[], $4::bigint[], $5::bigint[], $6::bigint[])
    ON CONFLICT (user_id, type, shard) DO UPDATE SET
        count = a.count + excluded.count,
        first_seen_at = least(a.first_seen_at, excluded.first_seen_at),
        last_seen_at = greatest(a.last_seen_at, excluded.last_seen_at)";

pub(super) async fn funnel(
    connection: &mut AsyncPgConnection,
    stages: &BTreeSet<(Day, Stage, i64)>,
    shard: i16,
) -> QueryResult<()> {
    if stages.is_empty() {
        return Ok(());
    }
    let days: Vec<i32> = stages.iter().map(|(day, ..)| day.number()).collect();
    let kinds: Vec<i16> = stages.iter().map(|(_, stage, _)| stage.number()).collect();
    let users: Vec<i64> = stages.iter().map(|(.., user)| *user).collect();
    statement(FUNNEL)
        .bind::<SmallInt, _>(shard)
        .bind::<Array<Integer>, _>(days)
        .bind::<Array<SmallInt>, _>(kinds)
        .bind::<Array<BigInt>, _>(users)
        .execute(connection)
        .await
        .map(drop)
}

pub(super) async fn totals(
    connection: &mut AsyncPgConnection,
    rows: &BTreeMap<&'static str, Totals>,
    shard: i16,
    counted_at: UnixMicros,
) -> QueryResult<()> {
    if rows.is_empty() {
        return Ok(());
    }
    statement(TOTALS)
        .bind::<SmallInt, _>(shard)
        .bind::<BigInt, _>(counted_at.as_micros())
        .bind::<Array<Text>, _>(column(rows, |currency, _| *currency))
        .bind::<Array<BigInt>, _>(column(rows, |_, row| row.orders))
        .bind::<Array<BigInt>, _>(column(rows, |_, row| row.units))
        .bind::<Array<BigInt>, _>(column(rows, |_, row| row.orders_paid))
        .bind::<Array<BigInt>, _>(column(rows, |_, row| row.orders_declined))
        .bind::<Array<BigInt>, _>(column(rows, |_, row| row.ordered))
        .bind::<Array<BigInt>, _>(column(rows, |_, row| row.revenue))
        .bind::<Array<BigInt>, _>(column(rows, |_, row| row.notifications_sent))
        .bind::<Array<BigInt>, _>(column(rows, |_, row| row.notifications_failed))
        .bind::<Array<BigInt>, _>(column(rows, |_, row| row.user_events))
        .execute(connection)
        .await
        .map(drop)
}

pub(super) async fn rates(
    connection: &mut AsyncPgConnection,
    rows: &BTreeMap<(Width, UnixMicros), Rate>,
    shard: i16,
) -> QueryResult<()> {
    if rows.is_empty() {
        return Ok(());
    }
    statement(RATES)
        .bind::<SmallInt, _>(shard)
        .bind::<Array<SmallInt>, _>(column(rows, |(width, _), _| width.number()))
        .bind::<Array<BigInt>, _>(column(rows, |(_, start), _| start.as_micros()))
        .bind::<Array<BigInt>, _>(column(rows, |_, row| row.orders))
        .bind::<Array<BigInt>, _>(column(rows, |_, row| row.orders_paid))
        .execute(connection)
        .await
        .map(drop)
}

pub(super) async fn products(
    connection: &mut AsyncPgConnection,
    rows: &BTreeMap<i64, Product>,
    shard: i16,
) -> QueryResult<()> {
    if rows.is_empty() {
        return Ok(());
    }
    statement(PRODUCTS)
        .bind::<SmallInt, _>(shard)
        .bind::<Array<BigInt>, _>(column(rows, |product_id, _| *product_id))
        .bind::<Array<BigInt>, _>(column(rows, |_, row| row.units))
        .bind::<Array<BigInt>, _>(column(rows, |_, row| row.orders))
        .bind::<Array<BigInt>, _>(column(rows, |_, row| row.name.named_at.as_micros()))
        .bind::<Array<Text>, _>(column(rows, |_, row| row.name.name.as_str()))
        .execute(connection)
        .await
        .map(drop)
}

pub(super) async fn revenue(
    connection: &mut AsyncPgConnection,
    rows: &BTreeMap<(String, i64), i64>,
    shard: i16,
) -> QueryResult<()> {
    if rows.is_empty() {
        return Ok(());
    }
    statement(REVENUE)
        .bind::<SmallInt, _>(shard)
        .bind::<Array<Text>, _>(column(rows, |(currency, _), _| currency.as_str()))
        .bind::<Array<BigInt>, _>(column(rows, |(_, product_id), _| *product_id))
        .bind::<Array<BigInt>, _>(column(rows, |_, amount| *amount))
        .execute(connection)
        .await
        .map(drop)
}

pub(super) async fn pairs(
    connection: &mut AsyncPgConnection,
    rows: &BTreeMap<(i64, i64), i64>,
    shard: i16,
) -> QueryResult<()> {
    if rows.is_empty() {
        return Ok(());
    }
    statement(PAIRS)
        .bind::<SmallInt, _>(shard)
        .bind::<Array<BigInt>, _>(column(rows, |(one, _), _| *one))
        .bind::<Array<BigInt>, _>(column(rows, |(_, other), _| *other))
        .bind::<Array<BigInt>, _>(column(rows, |_, orders| *orders))
        .execute(connection)
        .await
        .map(drop)
}

pub(super) async fn users(
    connection: &mut AsyncPgConnection,
    rows: &BTreeMap<(i64, &'static str), UserOrders>,
    shard: i16,
) -> QueryResult<()> {
    if rows.is_empty() {
        return Ok(());
    }
    statement(USERS)
        .bind::<SmallInt, _>(shard)
        .bind::<Array<BigInt>, _>(column(rows, |(user_id, _), _| *user_id))
        .bind::<Array<Text>, _>(column(rows, |(_, currency), _| *currency))
        .bind::<Array<BigInt>, _>(column(rows, |_, row| row.orders))
        .bind::<Array<BigInt>, _>(column(rows, |_, row| row.units))
        .bind::<Array<BigInt>, _>(column(rows, |_, row| row.orders_paid))
        .bind::<Array<BigInt>, _>(column(rows, |_, row| row.orders_declined))
        .bind::<Array<BigInt>, _>(column(rows, |_, row| row.ordered))
        .bind::<Array<BigInt>, _>(column(rows, |_, row| row.revenue))
        .bind::<Array<BigInt>, _>(column(rows, |_, row| row.seen.start().as_micros()))
        .bind::<Array<BigInt>, _>(column(rows, |_, row| row.seen.end().as_micros()))
        .execute(connection)
        .await
        .map(drop)
}

pub(super) async fn actions(
    connection: &mut AsyncPgConnection,
    rows: &BTreeMap<(i64, i16), UserAction>,
    shard: i16,
) -> QueryResult<()> {
    if rows.is_empty() {
        return Ok(());
    }
    statement(ACTIONS)
        .bind::<SmallInt, _>(shard)
        .bind::<Array<BigInt>, _>(column(rows, |(user_id, _), _| *user_id))
        .bind::<Array<SmallInt>, _>(column(rows, |(_, kind), _| *kind))
        .bind::<Array<BigInt>, _>(column(rows, |_, row| row.count))
        .bind::<Array<BigInt>, _>(column(rows, |_, row| row.seen.start().as_micros()))
        .bind::<Array<BigInt>, _>(column(rows, |_, row| row.seen.end().as_micros()))
        .execute(connection)
        .await
        .map(drop)
}

/// One column of all rows, in key order.
fn column<'r, K, R, V>(rows: &'r BTreeMap<K, R>, value: impl Fn(&'r K, &'r R) -> V) -> Vec<V> {
    rows.iter().map(|(key, row)| value(key, row)).collect()
}
