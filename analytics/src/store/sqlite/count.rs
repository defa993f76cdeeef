//! One batch, within its transaction.

use std::collections::HashSet;

use chassis::db::statement;
use diesel::{
    OptionalExtension as _, QueryResult, QueryableByName, RunQueryDsl as _, SqliteConnection,
    sql_types::{BigInt, Binary, Bool, Integer, Nullable, Text},
};
use proto::id::OrderId;
use uuid::Uuid;

use super::upsert;
use crate::{
    batch::Batch,
    calendar::Day,
    fact::Fact,
    store::lines,
    tally::{Lines, Tally},
};

/// `inbox_before` has what was counted before there was this table.
const INSERT_ID: &str = "
    INSERT INTO inbox (near, id, seen_day)
    SELECT ?1, ?2, ?3 WHERE NOT EXISTS (SELECT 1 FROM inbox_before WHERE id = ?2)
    ON CONFLICT (near, id) DO NOTHING";

/// A row holds one half, so whoever brings the other one takes it away.
const TAKE_HALF: &str = "
    DELETE FROM pending_orders WHERE order_id = ?1
    RETURNING currency_code, lines, captured";

const KEEP_PLACED: &str = "
    INSERT INTO pending_orders (order_id, seen_day, currency_code, lines)
    VALUES (?1, ?2, ?3, ?4)";

const KEEP_SETTLED: &str = "
    INSERT INTO pending_orders (order_id, seen_day, captured) VALUES (?1, ?2, ?3)";

#[derive(QueryableByName)]
struct HalfRow {
    #[diesel(sql_type = Nullable<Text>)]
    currency_code: Option<String>,
    #[diesel(sql_type = Nullable<Binary>)]
    lines: Option<Vec<u8>>,
    #[diesel(sql_type = Nullable<Bool>)]
    captured: Option<bool>,
}

/// Counts what is new in a batch, and returns the ids of that.
pub(super) fn batch(
    connection: &mut SqliteConnection,
    batch: &Batch,
) -> QueryResult<HashSet<Uuid>> {
    let mut new = HashSet::new();
    for fact in batch.facts() {
        let id = fact.id();
        let inserted = statement(INSERT_ID)
            .bind::<BigInt, _>(near(fact))
            .bind::<Binary, _>(bytes(&id))
            .bind::<Integer, _>(batch.day().number())
            .execute(connection)?;
        if inserted > 0 {
            new.insert(id);
        }
    }
    if new.is_empty() {
        return Ok(new);
    }
    let mut tally = Tally::of(batch.only(&new), batch.funnel_days());
    join_halves(connection, &mut tally, batch.day())?;

    upsert::funnel(connection, &tally.stages)?;
    upsert::totals(connection, &tally.totals, batch.counted_at())?;
    upsert::rates(connection, &tally.rates)?;
    upsert::products(connection, &tally.products)?;
    upsert::revenue(connection, &tally.revenue)?;
    upsert::pairs(connection, &tally.pairs)?;
    upsert::users(connection, &tally.users)?;
    upsert::actions(connection, &tally.actions)?;
    Ok(new)
}

/// Completes what can be completed and keeps the other halves.
fn join_halves(connection: &mut SqliteConnection, tally: &mut Tally, day: Day) -> QueryResult<()> {
    let halves = std::mem::take(&mut tally.halves);
    for (order_id, half) in halves.placed {
        match take_half(connection, order_id)? {
            Some(row) => tally.complete(&half, row.captured == Some(true)),
            None => keep_placed(connection, order_id, &half, day)?,
        }
    }
    for (order_id, captured) in halves.settled {
        match take_half(connection, order_id)? {
            Some(row) => {
                if let (Some(currency), Some(lines)) = (row.currency_code, row.lines) {
                    let half = Lines {
                        currency_code: currency.into(),
                        amounts: lines::decode(&lines),
                    };
                    tally.complete(&half, captured);
                }
            }
            None => keep_settled(connection, order_id, captured, day)?,
        }
    }
    Ok(())
}

fn take_half(connection: &mut SqliteConnection, order_id: OrderId) -> QueryResult<Option<HalfRow>> {
    statement(TAKE_HALF)
        .bind::<Binary, _>(bytes(order_id.as_uuid()))
        .get_result(connection)
        .optional()
}

fn keep_placed(
    connection: &mut SqliteConnection,
    order_id: OrderId,
    half: &Lines,
    day: Day,
) -> QueryResult<()> {
    statement(KEEP_PLACED)
        .bind::<Binary, _>(bytes(order_id.as_uuid()))
        .bind::<Integer, _>(day.number())
        .bind::<Text, _>(&*half.currency_code)
        .bind::<Binary, _>(lines::encode(&half.amounts))
        .execute(connection)
        .map(drop)
}

fn keep_settled(
    connection: &mut SqliteConnection,
    order_id: OrderId,
    captured: bool,
    day: Day,
) -> QueryResult<()> {
    statement(KEEP_SETTLED)
        .bind::<Binary, _>(bytes(order_id.as_uuid()))
        .bind::<Integer, _>(day.number())
        .bind::<Bool, _>(captured)
        .execute(connection)
        .map(drop)
}

fn bytes(id: &Uuid) -> &[u8] {
    id.as_bytes()
}

/// What puts an id near those of the same order, and of orders placed about then.
fn near(fact: &Fact) -> i64 {
    let (near, _) = match fact.order_id() {
        Some(order_id) => order_id.as_uuid().as_u64_pair(),
        None => fact.id().as_u64_pair(),
    };
    near.cast_signed()
}
