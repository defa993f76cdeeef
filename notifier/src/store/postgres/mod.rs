//! Halves and mails in PostgreSQL.
//!
//! What every mail passes stands in files of its own: the bench runs the same flat
//! out, as a part of this service's limit.

mod merging;

use std::sync::Arc;

use async_trait::async_trait;
use chassis::db::{DbError, PgPool, statement};
use diesel::{
    QueryResult, QueryableByName,
    sql_types::{Array, BigInt, Integer, Nullable, Text, Uuid as PgUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use proto::{
    id::{NotificationId, OrderId},
    time::UnixMicros,
};
use uuid::Uuid;

use super::{
    Attempt, Filter, Lease, Merged, OrderMails, Position, Store, list,
    merge::{self, Batch},
    row::{self, MailColumns, mail_columns},
};
use crate::{
    compose::Composer,
    fact::Fact,
    mail::{Status, StoredMail},
};

/// `ARRAY (…)` is worked out once, before the update: joined, the choice of rows may be worked
/// out again for each of them, and lease more than asked for; and a planner that takes the
/// outbox for empty, as a vacuum may have found it, would read all of it beside the choice.
///
/// The mails are read by a statement of their own, [`SELECT_MAILS`], which sees all
/// that was recorded before the lease. One statement would see what was recorded
/// before it began, and give out a mail as pending whose record was committed, and
/// whose lease ended, meanwhile.
const LEASE: &str = include_str!("lease.sql");

const RECORD: &str = include_str!("record.sql");

const RELEASE: &str = "
    UPDATE outbox SET due_at = $3, lease_token = NULL
    WHERE notification_id = ANY ($1) AND lease_token = $2";

const MARK_PUBLISHED: &str = include_str!("mark_published.sql");

const SELECT_MAILS: &str = concat!(
    "SELECT ",
    mail_columns!(whole),
    " FROM notifications JOIN bodies USING (notification_id) WHERE notification_id = ANY ($1)"
);

const SELECT_OF_ORDERS: &str = concat!(
    "SELECT ",
    mail_columns!(listed),
    " FROM notifications WHERE order_id = ANY ($1) ORDER BY created_at, line NULLS FIRST"
);

const SELECT_ORDERS: &str = "SELECT order_id, mails AS count FROM orders WHERE order_id = ANY ($1)";

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
                let mut pairs = merging::merge_placed(connection, &batch).await?;
                let (mut more, known) =
                    merging::merge_settled(connection, &batch, pairs.known).await?;
                pairs.complete.append(&mut more);
                let (mails, counts) =
                    merge::compose(&self.composer, pairs.complete).map_err(row::uncomposed)?;
                merging::write(connection, &mails, &counts, now).await?;
                Ok((merging::standing(connection, &known).await?, mails.len()))
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
                let leased: Vec<Id> = statement(LEASE)
                    .bind::<PgUuid, _>(lease.token)
                    .bind::<BigInt, _>(lease.until.as_micros())
                    .bind::<BigInt, _>(lease.now.as_micros())
                    .bind::<BigInt, _>(lease.limit)
                    .load(connection)
                    .await?;
                if leased.is_empty() {
                    return Ok(Vec::new());
                }
                // What is not read now is leased again when this has ended.
                let rows = statement(SELECT_MAILS)
                    .bind::<Array<PgUuid>, _>(column(&leased, |row| row.id))
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

    async fn release(
        &self,
        token: Uuid,
        ids: Vec<NotificationId>,
        due_at: UnixMicros,
    ) -> Result<(), DbError> {
        self.pool
            .write(async |connection: &mut AsyncPgConnection| {
                statement(RELEASE)
                    .bind::<Array<PgUuid>, _>(column(&ids, |id| *id.as_uuid()))
                    .bind::<PgUuid, _>(token)
                    .bind::<BigInt, _>(due_at.as_micros())
                    .execute(connection)
                    .await
                    .map(drop)
            })
            .await
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
                let rows = statement(SELECT_MAILS)
                    .bind::<Array<PgUuid>, _>(vec![*id.as_uuid()])
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
                let rows = statement(list::page(&filter))
                    .bind::<BigInt, _>(after.created_at.as_micros())
                    .bind::<PgUuid, _>(*after.id.as_uuid())
                    .bind::<Nullable<PgUuid>, _>(filter.order_id)
                    .bind::<Nullable<BigInt>, _>(filter.user_id)
                    .bind::<Nullable<Integer>, _>(filter.status.map(Status::number))
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
