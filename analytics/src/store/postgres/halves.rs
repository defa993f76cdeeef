//! Joins the halves of orders.
//!
//! Invariant: of two transactions that bring the two halves of one order, exactly
//! one completes the pair, at READ COMMITTED and in whatever way they overlap. An
//! upsert that meets the other's uncommitted row waits for its end: after a
//! commit it updates that row and sees both halves, after a rollback it inserts
//! its own. The row can only have been removed by a transaction that had both
//! halves, and each half comes once, because its event's id is in the inbox.

use chassis::db::statement;
use diesel::{
    QueryResult, QueryableByName,
    sql_types::{Array, Binary, Bool, Integer, Nullable, Text, Uuid as PgUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use proto::id::OrderId;
use uuid::Uuid;

use crate::{
    calendar::Day,
    store::lines,
    tally::{Halves, Lines, Tally},
};

/// The usual way of a payment: its order's half is there, and is taken out in one
/// go. Touches no row that another transaction works on, since the only one that
/// could is that of this payment itself. A function of the migration, which says
/// why.
const TAKE_PLACED: &str = "SELECT order_id, currency_code, lines FROM take_placed($1)";

const KEEP_SETTLED: &str = "
    INSERT INTO pending_orders AS p (order_id, seen_day, captured)
    SELECT order_id, $1, captured
    FROM unnest($2::uuid[], $3::boolean[]) AS batch (order_id, captured)
    ON CONFLICT (order_id) DO UPDATE SET captured = excluded.captured
    RETURNING p.order_id, p.currency_code, p.lines";

const KEEP_PLACED: &str = "
    INSERT INTO pending_orders AS p (order_id, seen_day, currency_code, lines)
    SELECT order_id, $1, currency_code, lines
    FROM unnest($2::uuid[], $3::text[], $4::bytea[]) AS batch (order_id, currency_code, lines)
    ON CONFLICT (order_id) DO UPDATE
    SET currency_code = excluded.currency_code, lines = excluded.lines
    RETURNING p.order_id, p.captured";

const REMOVE: &str = "SELECT remove_joined($1)";

#[derive(QueryableByName)]
struct PlacedRow {
    #[diesel(sql_type = PgUuid)]
    order_id: Uuid,
    #[diesel(sql_type = Nullable<Text>)]
    currency_code: Option<String>,
    #[diesel(sql_type = Nullable<Binary>)]
    lines: Option<Vec<u8>>,
}

#[derive(QueryableByName)]
struct SettledRow {
    #[diesel(sql_type = PgUuid)]
    order_id: Uuid,
    #[diesel(sql_type = Nullable<Bool>)]
    captured: Option<bool>,
}

impl PlacedRow {
    fn lines(self) -> Option<(OrderId, Lines)> {
        let lines = Lines {
            currency_code: self.currency_code?.into(),
            amounts: lines::decode(&self.lines?),
        };
        Some((OrderId::from_uuid(self.order_id), lines))
    }
}

/// Completes what can be completed and keeps the other halves.
pub(super) async fn join(
    connection: &mut AsyncPgConnection,
    tally: &mut Tally,
    day: Day,
) -> QueryResult<()> {
    let mut halves = std::mem::take(&mut tally.halves);
    let mut joined = keep_placed(connection, tally, &halves, day).await?;
    take_placed(connection, tally, &mut halves).await?;
    joined.extend(keep_settled(connection, tally, &halves, day).await?);
    if !joined.is_empty() {
        statement(REMOVE)
            .bind::<Array<PgUuid>, _>(joined)
            .execute(connection)
            .await?;
    }
    Ok(())
}

/// Returns the orders whose rows now have both halves.
async fn keep_placed(
    connection: &mut AsyncPgConnection,
    tally: &mut Tally,
    halves: &Halves,
    day: Day,
) -> QueryResult<Vec<Uuid>> {
    let placed = &halves.placed;
    if placed.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<Uuid> = placed.keys().map(|id| *id.as_uuid()).collect();
    let currencies: Vec<&str> = placed.values().map(|half| &*half.currency_code).collect();
    let lines: Vec<Vec<u8>> = placed
        .values()
        .map(|half| lines::encode(&half.amounts))
        .collect();
    let rows: Vec<SettledRow> = statement(KEEP_PLACED)
        .bind::<Integer, _>(day.number())
        .bind::<Array<PgUuid>, _>(ids)
        .bind::<Array<Text>, _>(currencies)
        .bind::<Array<Binary>, _>(lines)
        .load(connection)
        .await?;
    let mut joined = Vec::new();
    for row in rows {
        let lines = placed.get(&OrderId::from_uuid(row.order_id));
        if let (Some(lines), Some(captured)) = (lines, row.captured) {
            tally.complete(lines, captured);
            joined.push(row.order_id);
        }
    }
    Ok(joined)
}

/// Completes payments whose order's half is there; the others stay in `halves`.
async fn take_placed(
    connection: &mut AsyncPgConnection,
    tally: &mut Tally,
    halves: &mut Halves,
) -> QueryResult<()> {
    if halves.settled.is_empty() {
        return Ok(());
    }
    let rows: Vec<PlacedRow> = statement(TAKE_PLACED)
        .bind::<Array<PgUuid>, _>(settled_ids(halves))
        .load(connection)
        .await?;
    for (order_id, lines) in rows.into_iter().filter_map(PlacedRow::lines) {
        if let Some(captured) = halves.settled.remove(&order_id) {
            tally.complete(&lines, captured);
        }
    }
    Ok(())
}

/// Returns the orders whose rows now have both halves.
async fn keep_settled(
    connection: &mut AsyncPgConnection,
    tally: &mut Tally,
    halves: &Halves,
    day: Day,
) -> QueryResult<Vec<Uuid>> {
    if halves.settled.is_empty() {
        return Ok(Vec::new());
    }
    let captured: Vec<bool> = halves.settled.values().copied().collect();
    let rows: Vec<PlacedRow> = statement(KEEP_SETTLED)
        .bind::<Integer, _>(day.number())
        .bind::<Array<PgUuid>, _>(settled_ids(halves))
        .bind::<Array<Bool>, _>(captured)
        .load(connection)
        .await?;
    let mut joined = Vec::new();
    for (order_id, lines) in rows.into_iter().filter_map(PlacedRow::lines) {
        if let Some(captured) = halves.settled.get(&order_id) {
            tally.complete(&lines, *captured);
            joined.push(*order_id.as_uuid());
        }
    }
    Ok(joined)
}

fn settled_ids(halves: &Halves) -> Vec<Uuid> {
    halves.settled.keys().map(|id| *id.as_uuid()).collect()
}
