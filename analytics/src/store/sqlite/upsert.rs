//! Adds what a batch counted to the tables, a row at a time.
//!
//! Sums of money are capped as in PostgreSQL. They must be: SQLite turns a sum
//! that no longer fits into a floating-point number.

use std::collections::{BTreeMap, BTreeSet};

use chassis::db::statement;
use diesel::{
    QueryResult, RunQueryDsl as _, SqliteConnection,
    sql_types::{BigInt, Integer, SmallInt, Text},
};
use proto::time::UnixMicros;

use crate::{
    calendar::{Day, Width},
    stage::Stage,
    tally::{Product, Rate, Totals, UserAction, UserOrders},
};

/// The sum of a column's old and new amount, as SQL.
macro_rules! capped_sum {
    ($column:literal) => {
        concat!(
            $column,
            " = CASE WHEN ",
            $column,
            " > 9223372036854775807 - excluded.",
            $column,
            " THEN 9223372036854775807 ELSE ",
            $column,
            " + excluded.",
            $column,
            " END"
        )
    };
}

const FUNNEL_USER: &str = "
    INSERT INTO funnel_users (day, stage, user_id) VALUES (?1, ?2, ?3)
    ON CONFLICT (day, stage, user_id) DO NOTHING";

const FUNNEL: &str = "
    INSERT INTO funnel (day, stage, users) VALUES (?1, ?2, ?3)
    ON CONFLICT (day, stage) DO UPDATE SET users = users + excluded.users";

const TOTALS: &str = concat!(
    "INSERT INTO totals (
        currency_code, updated_at, orders, units, orders_paid, orders_declined,
        ordered, revenue, notifications_sent, notifications_failed, user_events)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
     ON CONFLICT (currency_code) DO UPDATE SET
        updated_at = max(updated_at, excluded.updated_at),
        orders = orders + excluded.orders,
        units = units + excluded.units,
        orders_paid = orders_paid + excluded.orders_paid,
        orders_declined = orders_declined + excluded.orders_declined,
        notifications_sent = notifications_sent + excluded.notifications_sent,
        notifications_failed = notifications_failed + excluded.notifications_failed,
        user_events = user_events + excluded.user_events, ",
    capped_sum!("ordered"),
    ", ",
    capped_sum!("revenue"),
);

const RATE: &str = "
    INSERT INTO order_rates (width, start_at, orders, orders_paid) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (width, start_at) DO UPDATE SET
        orders = orders + excluded.orders,
        orders_paid = orders_paid + excluded.orders_paid";

const PRODUCT: &str = "
    INSERT INTO products (product_id, units, orders, named_at, name)
    VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (product_id) DO UPDATE SET
        units = units + excluded.units,
        orders = orders + excluded.orders,
        named_at = max(named_at, excluded.named_at),
        name = CASE WHEN (excluded.named_at, excluded.name) > (named_at, name)
                    THEN excluded.name ELSE name END";

const REVENUE: &str = concat!(
    "INSERT INTO product_revenue (currency_code, product_id, revenue) VALUES (?1, ?2, ?3)
     ON CONFLICT (currency_code, product_id) DO UPDATE SET ",
    capped_sum!("revenue"),
);

const PAIR: &str = "
    INSERT INTO product_pairs (product_id, other_product_id, orders) VALUES (?1, ?2, ?3)
    ON CONFLICT (product_id, other_product_id) DO UPDATE SET
        orders = orders + excluded.orders";

const USER: &str = concat!(
    "INSERT INTO user_orders (
        user_id, currency_code, orders, units, orders_paid, orders_declined,
        ordered, revenue, first_seen_at, last_seen_at)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
     ON CONFLICT (user_id, currency_code) DO UPDATE SET
        orders = orders + excluded.orders,
        units = units + excluded.units,
        orders_paid = orders_paid + excluded.orders_paid,
        orders_declined = orders_declined + excluded.orders_declined,
        first_seen_at = min(first_seen_at, excluded.first_seen_at),
        last_seen_at = max(last_seen_at, excluded.last_seen_at), ",
    capped_sum!("ordered"),
    ", ",
    capped_sum!("revenue"),
);

const ACTION: &str = "
    INSERT INTO user_actions (user_id, type, count, first_seen_at, last_seen_at)
    VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (user_id, type) DO UPDATE SET
        count = count + excluded.count,
        first_seen_at = min(first_seen_at, excluded.first_seen_at),
        last_seen_at = max(last_seen_at, excluded.last_seen_at)";

/// Only users who were not in the set count.
pub(super) fn funnel(
    connection: &mut SqliteConnection,
    stages: &BTreeSet<(Day, Stage, i64)>,
) -> QueryResult<()> {
    let mut new = BTreeMap::<(Day, Stage), i64>::new();
    for (day, stage, user) in stages {
        let inserted = statement(FUNNEL_USER)
            .bind::<Integer, _>(day.number())
            .bind::<SmallInt, _>(stage.number())
            .bind::<BigInt, _>(*user)
            .execute(connection)?;
        if inserted > 0 {
            *new.entry((*day, *stage)).or_default() += 1;
        }
    }
    for ((day, stage), users) in new {
        statement(FUNNEL)
            .bind::<Integer, _>(day.number())
            .bind::<SmallInt, _>(stage.number())
            .bind::<BigInt, _>(users)
            .execute(connection)?;
    }
    Ok(())
}

pub(super) fn totals(
    connection: &mut SqliteConnection,
    rows: &BTreeMap<&'static str, Totals>,
    counted_at: UnixMicros,
) -> QueryResult<()> {
    for (currency, row) in rows {
        statement(TOTALS)
            .bind::<Text, _>(*currency)
            .bind::<BigInt, _>(counted_at.as_micros())
            .bind::<BigInt, _>(row.orders)
            .bind::<BigInt, _>(row.units)
            .bind::<BigInt, _>(row.orders_paid)
            .bind::<BigInt, _>(row.orders_declined)
            .bind::<BigInt, _>(row.ordered)
            .bind::<BigInt, _>(row.revenue)
            .bind::<BigInt, _>(row.notifications_sent)
            .bind::<BigInt, _>(row.notifications_failed)
            .bind::<BigInt, _>(row.user_events)
            .execute(connection)?;
    }
    Ok(())
}

pub(super) fn rates(
    connection: &mut SqliteConnection,
    rows: &BTreeMap<(Width, UnixMicros), Rate>,
) -> QueryResult<()> {
    for ((width, start), row) in rows {
        statement(RATE)
            .bind::<SmallInt, _>(width.number())
            .bind::<BigInt, _>(start.as_micros())
            .bind::<BigInt, _>(row.orders)
            .bind::<BigInt, _>(row.orders_paid)
            .execute(connection)?;
    }
    Ok(())
}

pub(super) fn products(
    connection: &mut SqliteConnection,
    rows: &BTreeMap<i64, Product>,
) -> QueryResult<()> {
    for (product_id, row) in rows {
        statement(PRODUCT)
            .bind::<BigInt, _>(*product_id)
            .bind::<BigInt, _>(row.units)
            .bind::<BigInt, _>(row.orders)
            .bind::<BigInt, _>(row.name.named_at.as_micros())
            .bind::<Text, _>(row.name.name.as_str())
            .execute(connection)?;
    }
    Ok(())
}

pub(super) fn revenue(
    connection: &mut SqliteConnection,
    rows: &BTreeMap<(String, i64), i64>,
) -> QueryResult<()> {
    for ((currency, product_id), amount) in rows {
        statement(REVENUE)
            .bind::<Text, _>(currency.as_str())
            .bind::<BigInt, _>(*product_id)
            .bind::<BigInt, _>(*amount)
            .execute(connection)?;
    }
    Ok(())
}

pub(super) fn pairs(
    connection: &mut SqliteConnection,
    rows: &BTreeMap<(i64, i64), i64>,
) -> QueryResult<()> {
    for ((one, other), orders) in rows {
        statement(PAIR)
            .bind::<BigInt, _>(*one)
            .bind::<BigInt, _>(*other)
            .bind::<BigInt, _>(*orders)
            .execute(connection)?;
    }
    Ok(())
}

pub(super) fn users(
    connection: &mut SqliteConnection,
    rows: &BTreeMap<(i64, &'static str), UserOrders>,
) -> QueryResult<()> {
    for ((user_id, currency), row) in rows {
        statement(USER)
            .bind::<BigInt, _>(*user_id)
            .bind::<Text, _>(*currency)
            .bind::<BigInt, _>(row.orders)
            .bind::<BigInt, _>(row.units)
            .bind::<BigInt, _>(row.orders_paid)
            .bind::<BigInt, _>(row.orders_declined)
            .bind::<BigInt, _>(row.ordered)
            .bind::<BigInt, _>(row.revenue)
            .bind::<BigInt, _>(row.seen.start().as_micros())
            .bind::<BigInt, _>(row.seen.end().as_micros())
            .execute(connection)?;
    }
    Ok(())
}

pub(super) fn actions(
    connection: &mut SqliteConnection,
    rows: &BTreeMap<(i64, i16), UserAction>,
) -> QueryResult<()> {
    for ((user_id, kind), row) in rows {
        statement(ACTION)
            .bind::<BigInt, _>(*user_id)
            .bind::<SmallInt, _>(*kind)
            .bind::<BigInt, _>(row.count)
            .bind::<BigInt, _>(row.seen.start().as_micros())
            .bind::<BigInt, _>(row.seen.end().as_micros())
            .execute(connection)?;
    }
    Ok(())
}
