//! Orders in PostgreSQL.
//!
//! A batch costs one statement per table it has facts for, and one more where
//! something came again. Each is a transaction by itself, at one round trip: a
//! batch comes from one topic, so all but always there is only one; and when the
//! process dies between two, the batch comes again and finds what the first wrote.
//!
//! Invariant: `ON CONFLICT DO NOTHING` waits for a concurrent
//! insertion of the same id to end, so whatever it then leaves out is committed,
//! and the next statement sees it (READ COMMITTED takes a snapshot for each
//! statement).

use std::collections::HashMap;

use async_trait::async_trait;
use chassis::db::{DbError, PgPool, statement};
use diesel::{
    QueryResult, QueryableByName,
    sql_types::{Array, BigInt, Binary, Integer, Nullable, Text, Uuid as PgUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use proto::{
    event::ContentHash,
    id::{OrderId, UserId},
    time::UnixMicros,
};
use uuid::Uuid;

use super::{
    Position, Store, StoredOrder, Verdict,
    batch::{Batch, Standing},
    lines,
    row::{self, OrderColumns, select_orders},
};
use crate::fact::{Fact, NewOrder, NewOutcome, Outcome};

/// Also what the bench runs flat out, as this service's limit.
const INSERT_ORDERS: &str = include_str!("insert_orders.sql");

const STANDING_ORDERS: &str = "
    SELECT order_id, content_hash FROM orders WHERE order_id = ANY ($1)";

const INSERT_OUTCOMES: &str = "
    INSERT INTO payment_outcomes (order_id, settled_at, decline_code)
    SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::integer[])
    ON CONFLICT (order_id) DO NOTHING";

const STANDING_OUTCOMES: &str = "
    SELECT order_id, settled_at, decline_code FROM payment_outcomes
    WHERE order_id = ANY ($1)";

const SELECT_BY_ID: &str = select_orders!("WHERE o.order_id = ANY ($1)");

const SELECT_ALL: &str = select_orders!(
    "WHERE (o.placed_at, o.order_id) < ($1, $2)
     ORDER BY o.placed_at DESC, o.order_id DESC LIMIT $3"
);

const SELECT_BY_USER: &str = select_orders!(
    "WHERE (o.placed_at, o.order_id) < ($1, $2) AND o.user_id = $4
     ORDER BY o.placed_at DESC, o.order_id DESC LIMIT $3"
);

/// Orders in PostgreSQL.
#[derive(Debug)]
pub(super) struct PostgresStore(PgPool);

impl PostgresStore {
    pub(super) fn new(pool: PgPool) -> Self {
        Self(pool)
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn apply(
        &self,
        facts: Vec<Fact>,
        stored_at: UnixMicros,
    ) -> Result<Vec<Verdict>, DbError> {
        let batch = Batch::new(&facts);
        let before = self
            .0
            .write(async |connection: &mut AsyncPgConnection| {
                Ok(Standing {
                    orders: insert_orders(connection, batch.orders(), stored_at).await?,
                    outcomes: insert_outcomes(connection, batch.outcomes()).await?,
                })
            })
            .await?;
        Ok(batch.verdicts(&before))
    }

    async fn orders(&self, ids: &[OrderId]) -> Result<Vec<StoredOrder>, DbError> {
        let ids: Vec<Uuid> = ids.iter().map(|id| *id.as_uuid()).collect();
        self.0
            .read(async |connection: &mut AsyncPgConnection| {
                let rows = statement(SELECT_BY_ID)
                    .bind::<Array<PgUuid>, _>(&ids)
                    .load(connection)
                    .await?;
                orders(rows)
            })
            .await
    }

    async fn list(
        &self,
        user_id: Option<UserId>,
        after: Position,
        limit: i64,
    ) -> Result<Vec<StoredOrder>, DbError> {
        self.0
            .read(async |connection: &mut AsyncPgConnection| {
                let (placed_at, order_id) = (after.placed_at.as_micros(), after.order_id);
                let rows = match user_id {
                    Some(user_id) => {
                        statement(SELECT_BY_USER)
                            .bind::<BigInt, _>(placed_at)
                            .bind::<PgUuid, _>(*order_id.as_uuid())
                            .bind::<BigInt, _>(limit)
                            .bind::<BigInt, _>(user_id.get())
                            .load(connection)
                            .await?
                    }
                    None => {
                        statement(SELECT_ALL)
                            .bind::<BigInt, _>(placed_at)
                            .bind::<PgUuid, _>(*order_id.as_uuid())
                            .bind::<BigInt, _>(limit)
                            .load(connection)
                            .await?
                    }
                };
                orders(rows)
            })
            .await
    }
}

#[derive(QueryableByName)]
struct OrderRow {
    #[diesel(sql_type = PgUuid)]
    order_id: Uuid,
    #[diesel(embed)]
    columns: OrderColumns,
}

fn orders(rows: Vec<OrderRow>) -> QueryResult<Vec<StoredOrder>> {
    rows.into_iter()
        .map(|row| row.columns.order(row.order_id))
        .collect()
}

#[derive(QueryableByName)]
struct StandingOrder {
    #[diesel(sql_type = PgUuid)]
    order_id: Uuid,
    #[diesel(sql_type = Binary)]
    content_hash: Vec<u8>,
}

/// Inserts what is absent. When something was not, returns what now stands under
/// every id of the batch.
async fn insert_orders(
    connection: &mut AsyncPgConnection,
    orders: &[&NewOrder],
    stored_at: UnixMicros,
) -> QueryResult<HashMap<OrderId, ContentHash>> {
    if orders.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<Uuid> = column(orders, |order| *order.order_id.as_uuid());
    let inserted = statement(INSERT_ORDERS)
        .bind::<BigInt, _>(stored_at.as_micros())
        .bind::<Array<PgUuid>, _>(&ids)
        .bind::<Array<BigInt>, _>(column(orders, |order| order.user_id.get()))
        .bind::<Array<BigInt>, _>(column(orders, |order| order.total.minor))
        .bind::<Array<BigInt>, _>(column(orders, |order| order.placed_at.as_micros()))
        .bind::<Array<Text>, _>(column(orders, |order| order.total.currency.code()))
        .bind::<Array<Binary>, _>(column(orders, |order| lines::encode(&order.lines)))
        .bind::<Array<Binary>, _>(column(orders, |order| order.content_hash.0.to_vec()))
        .bind::<Array<Nullable<Binary>>, _>(column(orders, |order| {
            order.trace_id.map(|id| id.as_bytes().to_vec())
        }))
        .execute(connection)
        .await?;
    if inserted == orders.len() {
        return Ok(HashMap::new());
    }
    let rows: Vec<StandingOrder> = statement(STANDING_ORDERS)
        .bind::<Array<PgUuid>, _>(&ids)
        .load(connection)
        .await?;
    rows.into_iter()
        .map(|row| {
            let hash = row::content_hash(&row.content_hash)?;
            Ok((OrderId::from_uuid(row.order_id), hash))
        })
        .collect()
}

#[derive(QueryableByName)]
struct StandingOutcome {
    #[diesel(sql_type = PgUuid)]
    order_id: Uuid,
    #[diesel(sql_type = BigInt)]
    settled_at: i64,
    #[diesel(sql_type = Nullable<Integer>)]
    decline_code: Option<i32>,
}

/// As [`insert_orders`].
async fn insert_outcomes(
    connection: &mut AsyncPgConnection,
    outcomes: &[&NewOutcome],
) -> QueryResult<HashMap<OrderId, Outcome>> {
    if outcomes.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<Uuid> = column(outcomes, |new| *new.order_id.as_uuid());
    let inserted = statement(INSERT_OUTCOMES)
        .bind::<Array<PgUuid>, _>(&ids)
        .bind::<Array<BigInt>, _>(column(outcomes, |new| new.outcome.settled_at.as_micros()))
        .bind::<Array<Nullable<Integer>>, _>(column(outcomes, |new| new.outcome.decline_code))
        .execute(connection)
        .await?;
    if inserted == outcomes.len() {
        return Ok(HashMap::new());
    }
    let rows: Vec<StandingOutcome> = statement(STANDING_OUTCOMES)
        .bind::<Array<PgUuid>, _>(&ids)
        .load(connection)
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let outcome = row::outcome(row.settled_at, row.decline_code);
            (OrderId::from_uuid(row.order_id), outcome)
        })
        .collect())
}

fn column<'f, T, V>(facts: &[&'f T], value: impl Fn(&'f T) -> V) -> Vec<V> {
    facts.iter().map(|fact| value(fact)).collect()
}
