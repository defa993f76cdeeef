//! Halves and mails in PostgreSQL.
//!
//! A batch costs three statements when it completes pairs, one when it does not,
//! and one more where something came again. `ON CONFLICT DO UPDATE` locks the row
//! it finds and sees its latest version, also under READ COMMITTED: of two
//! transactions that bring an order's two halves at once, the second waits for
//! the first and then returns what it stored.

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use chassis::db::{DbError, PgPool, statement};
use diesel::{
    QueryResult, QueryableByName,
    sql_types::{Array, BigInt, Binary, Integer, Nullable, Text, Uuid as PgUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use proto::{
    id::{NotificationId, OrderId},
    time::UnixMicros,
};
use uuid::Uuid;

use super::{
    Attempt, Filter, Lease, Merged, OrderMails, Position, Store,
    merge::{self, Batch, Pair, Standing, TracedMail},
    row::{self, MailColumns, mail_columns},
};
use crate::{
    compose::Composer,
    fact::{Fact, Outcome},
    mail::StoredMail,
};

const MERGE_PLACED: &str = "
    INSERT INTO orders AS o (order_id, user_id, content_hash, placed)
    SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bytea[], $4::bytea[])
    ON CONFLICT (order_id) DO UPDATE
      SET content_hash = EXCLUDED.content_hash, placed = EXCLUDED.placed
      WHERE o.content_hash IS NULL
    RETURNING order_id, outcome";

const MERGE_SETTLED: &str = "
    INSERT INTO orders AS o (order_id, user_id, outcome)
    SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::integer[])
    ON CONFLICT (order_id) DO UPDATE SET outcome = EXCLUDED.outcome
      WHERE o.outcome IS NULL
    RETURNING order_id, placed";

const STANDING: &str =
    "SELECT order_id, content_hash, outcome FROM orders WHERE order_id = ANY ($1)";

const INSERT_MAILS: &str = "
    INSERT INTO notifications (notification_id, order_id, user_id, kind, line, recipient,
        message_id, subject, text_body, html_body, traceparent, created_at, due_at)
    SELECT *, $12, $12
    FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::integer[], $5::integer[], $6::text[],
                $7::text[], $8::text[], $9::text[], $10::text[], $11::text[])
    ON CONFLICT (notification_id) DO NOTHING";

const CLOSE_ORDERS: &str = "
    UPDATE orders SET mails = done.mails, placed = NULL
    FROM unnest($1::uuid[], $2::integer[]) AS done (order_id, mails)
    WHERE orders.order_id = done.order_id";

const LEASE: &str = concat!(
    "UPDATE notifications SET lease_token = $1, due_at = $2
     WHERE notification_id IN (
       SELECT notification_id FROM notifications
       WHERE NOT published AND due_at <= $3
       ORDER BY due_at LIMIT $4 FOR UPDATE SKIP LOCKED)
     RETURNING ",
    mail_columns!(whole)
);

const RECORD: &str = "
    UPDATE notifications AS n
    SET status = a.status, attempts = n.attempts + a.counts, last_error = a.error,
        due_at = a.due_at, sent_at = CASE WHEN a.status <> 0 THEN $7 END,
        lease_token = CASE WHEN a.status <> 0 THEN n.lease_token END
    FROM unnest($1::uuid[], $2::integer[], $3::integer[], $4::text[], $5::bigint[])
      AS a (id, status, counts, error, due_at)
    WHERE n.notification_id = a.id AND n.lease_token = $6 AND n.status = 0
    RETURNING n.notification_id AS id";

const MARK_PUBLISHED: &str = "
    UPDATE notifications SET published = TRUE, lease_token = NULL
    WHERE notification_id = ANY ($1) AND status <> 0";

const SELECT_ONE: &str = concat!(
    "SELECT ",
    mail_columns!(whole),
    " FROM notifications WHERE notification_id = $1"
);

const SELECT_OF_ORDERS: &str = concat!(
    "SELECT ",
    mail_columns!(listed),
    " FROM notifications WHERE order_id = ANY ($1) ORDER BY created_at, line NULLS FIRST"
);

const SELECT_ORDERS: &str = "SELECT order_id, mails AS count FROM orders WHERE order_id = ANY ($1)";

const SELECT_LIST: &str = concat!(
    "SELECT ",
    mail_columns!(listed),
    " FROM notifications
      WHERE (created_at, notification_id) < ($1, $2)
        AND ($3::uuid IS NULL OR order_id = $3)
        AND ($4::bigint IS NULL OR user_id = $4)
        AND ($5::integer IS NULL OR status = $5)
      ORDER BY created_at DESC, notification_id DESC LIMIT $6"
);

/// Halves and mails in PostgreSQL.
#[derive(Debug)]
pub(super) struct PostgresStore {
    pool: PgPool,
    composer: Arc<Composer>,
}

impl PostgresStore {
    pub(super) fn new(pool: PgPool, composer: Arc<Composer>) -> Self {
        Self { pool, composer }
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn merge(&self, facts: Vec<Fact>, now: UnixMicros) -> Result<Merged, DbError> {
        let batch = Batch::of(&facts);
        let (standing, mails) = self
            .pool
            .transaction(async |connection: &mut AsyncPgConnection| {
                let mut pairs = merge_placed(connection, &batch).await?;
                let (mut more, known) = merge_settled(connection, &batch, pairs.known).await?;
                pairs.complete.append(&mut more);
                let (mails, counts) =
                    merge::compose(&self.composer, pairs.complete).map_err(row::uncomposed)?;
                write(connection, &mails, &counts, now).await?;
                Ok((standing(connection, &known).await?, mails.len()))
            })
            .await?;
        Ok(Merged {
            verdicts: batch.verdicts(&facts, &standing),
            mails,
        })
    }

    async fn lease(&self, lease: Lease) -> Result<Vec<StoredMail>, DbError> {
        self.pool
            .write(async |connection: &mut AsyncPgConnection| {
                let rows = statement(LEASE)
                    .bind::<PgUuid, _>(lease.token)
                    .bind::<BigInt, _>(lease.until.as_micros())
                    .bind::<BigInt, _>(lease.now.as_micros())
                    .bind::<BigInt, _>(lease.limit)
                    .load(connection)
                    .await?;
                mails(rows)
            })
            .await
    }

    async fn record(
        &self,
        token: Uuid,
        attempts: Vec<Attempt>,
        now: UnixMicros,
    ) -> Result<Vec<NotificationId>, DbError> {
        let rows = self
            .pool
            .write(async |connection: &mut AsyncPgConnection| {
                let rows: QueryResult<Vec<Id>> = statement(RECORD)
                    .bind::<Array<PgUuid>, _>(column(&attempts, |a| *a.id.as_uuid()))
                    .bind::<Array<Integer>, _>(column(&attempts, |a| a.status.number()))
                    .bind::<Array<Integer>, _>(column(&attempts, |a| i32::from(a.counts)))
                    .bind::<Array<Text>, _>(column(&attempts, |a| a.error.as_str()))
                    .bind::<Array<BigInt>, _>(column(&attempts, |a| a.due_at.as_micros()))
                    .bind::<PgUuid, _>(token)
                    .bind::<BigInt, _>(now.as_micros())
                    .load(connection)
                    .await;
                rows
            })
            .await?;
        Ok(rows
            .into_iter()
            .map(|row| NotificationId::from_uuid(row.id))
            .collect())
    }

    async fn mark_published(&self, ids: Vec<NotificationId>) -> Result<(), DbError> {
        self.pool
            .write(async |connection: &mut AsyncPgConnection| {
                statement(MARK_PUBLISHED)
                    .bind::<Array<PgUuid>, _>(column(&ids, |id| *id.as_uuid()))
                    .execute(connection)
                    .await
                    .map(drop)
            })
            .await
    }

    async fn mail(&self, id: NotificationId) -> Result<Option<StoredMail>, DbError> {
        self.pool
            .read(async |connection: &mut AsyncPgConnection| {
                let rows = statement(SELECT_ONE)
                    .bind::<PgUuid, _>(*id.as_uuid())
                    .load(connection)
                    .await?;
                Ok(mails(rows)?.pop())
            })
            .await
    }

    async fn of_orders(&self, ids: &[OrderId]) -> Result<Vec<OrderMails>, DbError> {
        let ids: Vec<Uuid> = ids.iter().map(|id| *id.as_uuid()).collect();
        let (orders, mails) = self
            .pool
            .read(async |connection: &mut AsyncPgConnection| {
                // Orders first: a mail that is written in between is not counted
                // yet, so the order is not complete, which is true.
                let orders: Vec<OrderRow> = statement(SELECT_ORDERS)
                    .bind::<Array<PgUuid>, _>(&ids)
                    .load(connection)
                    .await?;
                let rows = statement(SELECT_OF_ORDERS)
                    .bind::<Array<PgUuid>, _>(&ids)
                    .load(connection)
                    .await?;
                Ok((orders, mails(rows)?))
            })
            .await?;
        let orders = orders
            .into_iter()
            .map(|row| (OrderId::from_uuid(row.order_id), row.count));
        Ok(super::by_order(orders, mails))
    }

    async fn list(
        &self,
        filter: Filter,
        after: Position,
        limit: i64,
    ) -> Result<Vec<StoredMail>, DbError> {
        self.pool
            .read(async |connection: &mut AsyncPgConnection| {
                let rows = statement(SELECT_LIST)
                    .bind::<BigInt, _>(after.created_at.as_micros())
                    .bind::<PgUuid, _>(*after.id.as_uuid())
                    .bind::<Nullable<PgUuid>, _>(filter.order_id)
                    .bind::<Nullable<BigInt>, _>(filter.user_id)
                    .bind::<Nullable<Integer>, _>(filter.status)
                    .bind::<BigInt, _>(limit)
                    .load(connection)
                    .await?;
                mails(rows)
            })
            .await
    }
}

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = PgUuid)]
    id: Uuid,
}

#[derive(QueryableByName)]
struct OrderRow {
    #[diesel(sql_type = PgUuid)]
    order_id: Uuid,
    #[diesel(sql_type = Nullable<Integer>)]
    count: Option<i32>,
}

#[derive(QueryableByName)]
struct MailRow {
    #[diesel(sql_type = PgUuid)]
    notification_id: Uuid,
    #[diesel(sql_type = PgUuid)]
    order_id: Uuid,
    #[diesel(embed)]
    columns: MailColumns,
}

fn mails(rows: Vec<MailRow>) -> QueryResult<Vec<StoredMail>> {
    rows.into_iter()
        .map(|row| row.columns.mail(row.notification_id, row.order_id))
        .collect()
}

fn column<'r, T, V>(rows: &'r [T], value: impl Fn(&'r T) -> V) -> Vec<V> {
    rows.iter().map(value).collect()
}

/// Pairs that are complete, and orders that had this half before.
#[derive(Default)]
struct Halves {
    complete: Vec<Pair>,
    known: Vec<OrderId>,
}

#[derive(QueryableByName)]
struct PlacedRow {
    #[diesel(sql_type = PgUuid)]
    order_id: Uuid,
    #[diesel(sql_type = Nullable<Integer>)]
    outcome: Option<i32>,
}

async fn merge_placed(connection: &mut AsyncPgConnection, batch: &Batch) -> QueryResult<Halves> {
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

async fn merge_settled(
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

async fn write(
    connection: &mut AsyncPgConnection,
    mails: &[TracedMail],
    counts: &[(OrderId, i32)],
    now: UnixMicros,
) -> QueryResult<()> {
    if counts.is_empty() {
        return Ok(());
    }
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

async fn standing(connection: &mut AsyncPgConnection, known: &[OrderId]) -> QueryResult<Standing> {
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
