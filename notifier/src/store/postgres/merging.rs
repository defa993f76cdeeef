//! Merges halves of orders, and writes the mails of those that are whole.
//!
//! A batch costs three statements when it completes pairs, one when it does not,
//! and one more where something came again. `ON CONFLICT DO UPDATE` locks the row
//! it finds and sees its latest version, also under READ COMMITTED: of two
//! transactions that bring an order's two halves at once, the second waits for
//! the first and then returns what it stored.

use std::collections::HashMap;

use chassis::db::statement;
use diesel::{
    QueryResult, QueryableByName,
    sql_types::{Array, BigInt, Binary, Integer, Nullable, Text, Uuid as PgUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use proto::{id::OrderId, time::UnixMicros};
use uuid::Uuid;

use super::column;
use crate::{
    fact::Outcome,
    store::{
        merge::{self, Batch, Pair, Standing, TracedMail},
        row,
    },
};

/// Mails of one statement. A batch may hold 100 mails for each of its orders,
/// each of some kilobytes.
const MAILS_AT_ONCE: usize = 1_000;

const MERGE_PLACED: &str = include_str!("merge_placed.sql");

const MERGE_SETTLED: &str = include_str!("merge_settled.sql");

const STANDING: &str =
    "SELECT order_id, content_hash, outcome FROM orders WHERE order_id = ANY ($1)";

const INSERT_MAILS: &str = include_str!("insert_mails.sql");

const CLOSE_ORDERS: &str = include_str!("close_orders.sql");

/// Pairs that are complete, and orders that had this half before.
#[derive(Default)]
pub(super) struct Halves {
    pub(super) complete: Vec<Pair>,
    pub(super) known: Vec<OrderId>,
}

#[derive(QueryableByName)]
struct PlacedRow {
    #[diesel(sql_type = PgUuid)]
    order_id: Uuid,
    #[diesel(sql_type = Nullable<Integer>)]
    outcome: Option<i32>,
}

pub(super) async fn merge_placed(
    connection: &mut AsyncPgConnection,
    batch: &Batch,
) -> QueryResult<Halves> {
    if batch.placed.is_empty() {
        return Ok(Halves::default());
    }
    let placed: Vec<_> = batch.placed.values().collect();
    let rows: Vec<PlacedRow> = statement(MERGE_PLACED)
        .bind::<Array<PgUuid>, _>(column(&placed, |p| *p.order.order_id.as_uuid()))
        .bind::<Array<BigInt>, _>(column(&placed, |p| p.order.user_id.get()))
        .bind::<Array<Binary>, _>(column(&placed, |p| p.order.content_hash.0.to_vec()))
        .bind::<Array<Binary>, _>(column(&placed, |p| merge::encode(&p.order)))
        .load(connection)
        .await?;
    let taken: HashMap<OrderId, Option<i32>> = rows
        .into_iter()
        .map(|row| (OrderId::from_uuid(row.order_id), row.outcome))
        .collect();
    let mut halves = Halves::default();
    for placed in placed {
        match taken.get(&placed.order.order_id) {
            None => halves.known.push(placed.order.order_id),
            Some(None) => {}
            Some(Some(outcome)) => halves.complete.push(Pair {
                order: placed.order.clone(),
                outcome: Outcome::from_number(*outcome),
                traceparent: placed.traceparent.clone(),
            }),
        }
    }
    Ok(halves)
}

#[derive(QueryableByName)]
struct SettledRow {
    #[diesel(sql_type = PgUuid)]
    order_id: Uuid,
    #[diesel(sql_type = Nullable<Binary>)]
    placed: Option<Vec<u8>>,
}

pub(super) async fn merge_settled(
    connection: &mut AsyncPgConnection,
    batch: &Batch,
    mut known: Vec<OrderId>,
) -> QueryResult<(Vec<Pair>, Vec<OrderId>)> {
    if batch.settled.is_empty() {
        return Ok((Vec::new(), known));
    }
    let settled: Vec<_> = batch.settled.values().collect();
    let rows: Vec<SettledRow> = statement(MERGE_SETTLED)
        .bind::<Array<PgUuid>, _>(column(&settled, |(s, _)| *s.order_id.as_uuid()))
        .bind::<Array<BigInt>, _>(column(&settled, |(s, _)| s.user_id.get()))
        .bind::<Array<Integer>, _>(column(&settled, |(s, _)| s.outcome.number()))
        .load(connection)
        .await?;
    let mut taken: HashMap<OrderId, Option<Vec<u8>>> = rows
        .into_iter()
        .map(|row| (OrderId::from_uuid(row.order_id), row.placed))
        .collect();
    let mut complete = Vec::new();
    for (settled, traceparent) in settled {
        match taken.remove(&settled.order_id) {
            None => known.push(settled.order_id),
            Some(None) => {}
            Some(Some(placed)) => complete.push(Pair {
                order: row::placed(&placed)?,
                outcome: settled.outcome,
                traceparent: traceparent.clone(),
            }),
        }
    }
    Ok((complete, known))
}

pub(super) async fn write(
    connection: &mut AsyncPgConnection,
    mails: &[TracedMail],
    counts: &[(OrderId, i32)],
    now: UnixMicros,
) -> QueryResult<()> {
    if counts.is_empty() {
        return Ok(());
    }
    for mails in mails.chunks(MAILS_AT_ONCE) {
        statement(INSERT_MAILS)
            .bind::<Array<PgUuid>, _>(column(mails, |m| *m.mail.id.as_uuid()))
            .bind::<Array<PgUuid>, _>(column(mails, |m| *m.mail.order_id.as_uuid()))
            .bind::<Array<BigInt>, _>(column(mails, |m| m.mail.user_id))
            .bind::<Array<Integer>, _>(column(mails, |m| i32::from(m.mail.kind)))
            .bind::<Array<Nullable<Integer>>, _>(column(mails, |m| m.mail.line.map(i32::from)))
            .bind::<Array<Text>, _>(column(mails, |m| m.mail.recipient.expose()))
            .bind::<Array<Text>, _>(column(mails, |m| m.mail.message_id.as_str()))
            .bind::<Array<Text>, _>(column(mails, |m| m.mail.content.subject.as_str()))
            .bind::<Array<Text>, _>(column(mails, |m| m.mail.content.text.as_str()))
            .bind::<Array<Text>, _>(column(mails, |m| m.mail.content.html.as_str()))
            .bind::<Array<Nullable<Text>>, _>(column(mails, |m| m.traceparent.as_deref()))
            .bind::<BigInt, _>(now.as_micros())
            .execute(connection)
            .await?;
    }
    statement(CLOSE_ORDERS)
        .bind::<Array<PgUuid>, _>(column(counts, |(id, _)| *id.as_uuid()))
        .bind::<Array<Integer>, _>(column(counts, |(_, mails)| *mails))
        .execute(connection)
        .await?;
    Ok(())
}

#[derive(QueryableByName)]
struct StandingRow {
    #[diesel(sql_type = PgUuid)]
    order_id: Uuid,
    #[diesel(sql_type = Nullable<Binary>)]
    content_hash: Option<Vec<u8>>,
    #[diesel(sql_type = Nullable<Integer>)]
    outcome: Option<i32>,
}

pub(super) async fn standing(
    connection: &mut AsyncPgConnection,
    known: &[OrderId],
) -> QueryResult<Standing> {
    let mut standing = Standing::default();
    if known.is_empty() {
        return Ok(standing);
    }
    let rows: Vec<StandingRow> = statement(STANDING)
        .bind::<Array<PgUuid>, _>(column(known, |id| *id.as_uuid()))
        .load(connection)
        .await?;
    for row in rows {
        let id = OrderId::from_uuid(row.order_id);
        if let Some(hash) = row.content_hash {
            standing.hashes.insert(id, hash);
        }
        if let Some(outcome) = row.outcome {
            standing.outcomes.insert(id, Outcome::from_number(outcome));
        }
    }
    Ok(standing)
}
