//! Halves and mails in SQLite.
//!
//! A statement costs no round trip here, so a batch is a loop over prepared
//! statements within its transaction. One connection writes at a time, so
//! whatever a statement finds is committed.

mod merging;

use std::sync::Arc;

use async_trait::async_trait;
use chassis::db::{DbError, SqlitePool, statement};
use diesel::{
    QueryResult, QueryableByName, RunQueryDsl as _,
    sql_types::{BigInt, Binary, Integer, Nullable, Text},
};
use proto::{
    id::{NotificationId, OrderId},
    time::UnixMicros,
};
use uuid::Uuid;

use super::{
    Attempt, Filter, Lease, Merged, OrderMails, Position, Store, list,
    merge::{self, Batch, Standing},
    row::{self, MailColumns, mail_columns},
};
use crate::{
    compose::Composer,
    fact::Fact,
    mail::{Status, StoredMail},
};

const LEASE: &str = "
    UPDATE outbox SET lease_token = ?, due_at = ?
    WHERE notification_id IN (
      SELECT notification_id FROM outbox WHERE due_at <= ? ORDER BY due_at LIMIT ?)
    RETURNING notification_id AS id";

const HOLD: &str = "
    UPDATE outbox SET due_at = ?1, lease_token = CASE WHEN ?2 <> 0 THEN lease_token END
    WHERE notification_id = ?3 AND lease_token = ?4";

const RECORD: &str = "
    UPDATE notifications
    SET status = ?1, attempts = attempts + ?2, last_error = ?3,
        sent_at = CASE WHEN ?1 <> 0 THEN ?4 END
    WHERE notification_id = ?5 AND status = 0";

const RELEASE: &str = "
    UPDATE outbox SET due_at = ?, lease_token = NULL
    WHERE notification_id = ? AND lease_token = ?";

const MARK_PUBLISHED: &str = "DELETE FROM outbox WHERE notification_id = ?";

const SELECT_ONE: &str = concat!(
    "SELECT ",
    mail_columns!(whole),
    " FROM notifications JOIN bodies USING (notification_id) WHERE notification_id = ?"
);

const SELECT_OF_ORDER: &str = concat!(
    "SELECT ",
    mail_columns!(listed),
    " FROM notifications WHERE order_id = ? ORDER BY created_at, line"
);

/// Halves and mails in SQLite.
#[derive(Debug)]
pub(super) struct SqliteStore {
    pool: SqlitePool,
    composer: Arc<Composer>,
}

impl SqliteStore {
    pub(super) fn new(pool: SqlitePool, composer: Arc<Composer>) -> Self {
        Self { pool, composer }
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn merge(&self, facts: Vec<Fact>, now: UnixMicros) -> Result<Merged, DbError> {
        let composer = Arc::clone(&self.composer);
        self.pool
            .transaction(move |connection| {
                let batch = Batch::of(&facts);
                let mut standing = Standing::default();
                let mut pairs = merging::merge_placed(connection, &batch, &mut standing)?;
                pairs.append(&mut merging::merge_settled(
                    connection,
                    &batch,
                    &mut standing,
                )?);
                let (mails, counts) = merge::compose(&composer, pairs).map_err(row::uncomposed)?;
                merging::write(connection, &mails, &counts, now)?;
                let verdicts = batch.verdicts(&facts, &standing);
                Ok(Merged {
                    verdicts,
                    mails: mails.len(),
                })
            })
            .await
    }

    async fn lease(&self, lease: Lease) -> Result<Vec<StoredMail>, DbError> {
        self.pool
            .transaction(move |connection| {
                let leased: Vec<Id> = statement(LEASE)
                    .bind::<Binary, _>(lease.token.as_bytes().as_slice())
                    .bind::<BigInt, _>(lease.until.as_micros())
                    .bind::<BigInt, _>(lease.now.as_micros())
                    .bind::<BigInt, _>(lease.limit)
                    .load(connection)?;
                let mut rows = Vec::with_capacity(leased.len());
                for Id { id } in leased {
                    let row = statement(SELECT_ONE).bind::<Binary, _>(id);
                    rows.append(&mut row.load(connection)?);
                }
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
        self.pool
            .transaction(move |connection| {
                let mut accepted = Vec::with_capacity(attempts.len());
                for attempt in attempts {
                    let id = attempt.id.as_uuid().as_bytes().as_slice();
                    let held = statement(HOLD)
                        .bind::<BigInt, _>(attempt.due_at.as_micros())
                        .bind::<Integer, _>(attempt.status.number())
                        .bind::<Binary, _>(id)
                        .bind::<Binary, _>(token.as_bytes().as_slice())
                        .execute(connection)?;
                    if held == 0 {
                        continue;
                    }
                    let changed = statement(RECORD)
                        .bind::<Integer, _>(attempt.status.number())
                        .bind::<Integer, _>(i32::from(attempt.counts))
                        .bind::<Text, _>(attempt.error)
                        .bind::<BigInt, _>(now.as_micros())
                        .bind::<Binary, _>(id)
                        .execute(connection)?;
                    if changed > 0 {
                        accepted.push(attempt.id);
                    }
                }
                Ok(accepted)
            })
            .await
    }

    async fn release(
        &self,
        token: Uuid,
        ids: Vec<NotificationId>,
        due_at: UnixMicros,
    ) -> Result<(), DbError> {
        self.pool
            .transaction(move |connection| {
                for id in ids {
                    statement(RELEASE)
                        .bind::<BigInt, _>(due_at.as_micros())
                        .bind::<Binary, _>(id.as_uuid().as_bytes().as_slice())
                        .bind::<Binary, _>(token.as_bytes().as_slice())
                        .execute(connection)?;
                }
                Ok(())
            })
            .await
    }

    async fn mark_published(&self, ids: Vec<NotificationId>) -> Result<(), DbError> {
        self.pool
            .transaction(move |connection| {
                for id in ids {
                    statement(MARK_PUBLISHED)
                        .bind::<Binary, _>(id.as_uuid().as_bytes().as_slice())
                        .execute(connection)?;
                }
                Ok(())
            })
            .await
    }

    async fn mail(&self, id: NotificationId) -> Result<Option<StoredMail>, DbError> {
        self.pool
            .read(move |connection| {
                let rows = statement(SELECT_ONE)
                    .bind::<Binary, _>(id.as_uuid().as_bytes().as_slice())
                    .load(connection)?;
                Ok(mails(rows)?.pop())
            })
            .await
    }

    async fn of_orders(&self, ids: &[OrderId]) -> Result<Vec<OrderMails>, DbError> {
        let ids = ids.to_vec();
        self.pool
            .read(move |connection| {
                let mut orders = Vec::with_capacity(ids.len());
                let mut of_orders = Vec::new();
                for id in ids {
                    let Some(order) = merging::order(connection, id)? else {
                        continue;
                    };
                    orders.push((id, order.mails));
                    let rows = statement(SELECT_OF_ORDER)
                        .bind::<Binary, _>(id.as_uuid().as_bytes().as_slice())
                        .load(connection)?;
                    of_orders.append(&mut mails(rows)?);
                }
                Ok(super::by_order(orders.into_iter(), of_orders))
            })
            .await
    }

    async fn list(
        &self,
        filter: Filter,
        after: Position,
        limit: i64,
    ) -> Result<Vec<StoredMail>, DbError> {
        self.pool
            .read(move |connection| {
                let order_id = filter.order_id.map(|id| id.as_bytes().to_vec());
                let rows = statement(list::page(&filter))
                    .bind::<BigInt, _>(after.created_at.as_micros())
                    .bind::<Binary, _>(after.id.as_uuid().as_bytes().as_slice())
                    .bind::<Nullable<Binary>, _>(order_id)
                    .bind::<Nullable<BigInt>, _>(filter.user_id)
                    .bind::<Nullable<Integer>, _>(filter.status.map(Status::number))
                    .bind::<BigInt, _>(limit)
                    .load(connection)?;
                mails(rows)
            })
            .await
    }
}

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = Binary)]
    id: Vec<u8>,
}

#[derive(QueryableByName)]
struct MailRow {
    #[diesel(sql_type = Binary)]
    notification_id: Vec<u8>,
    #[diesel(sql_type = Binary)]
    order_id: Vec<u8>,
    #[diesel(embed)]
    columns: MailColumns,
}

fn mails(rows: Vec<MailRow>) -> QueryResult<Vec<StoredMail>> {
    rows.into_iter()
        .map(|row| {
            let id = Uuid::from_slice(&row.notification_id).map_err(row::damaged)?;
            let order_id = Uuid::from_slice(&row.order_id).map_err(row::damaged)?;
            row.columns.mail(id, order_id)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use diesel::{Connection as _, SqliteConnection};
    use diesel_migrations::MigrationHarness as _;

    use super::*;

    #[derive(QueryableByName)]
    struct Step {
        #[diesel(sql_type = Text)]
        detail: String,
    }

    fn plan(sql: &str) -> String {
        let mut connection = SqliteConnection::establish(":memory:").unwrap();
        connection
            .run_pending_migrations(crate::store::migrations().sqlite)
            .unwrap();
        let steps: Vec<Step> = diesel::sql_query(format!("EXPLAIN QUERY PLAN {sql}"))
            .load(&mut connection)
            .unwrap();
        let steps: Vec<_> = steps.into_iter().map(|step| step.detail).collect();
        steps.join("\n")
    }

    #[test]
    fn lists_come_sorted_from_an_index() {
        let any = Filter::default();
        let with = |status| Filter {
            status: Some(status),
            ..any
        };
        let order_id = Some(Uuid::nil());
        for (filter, index) in [
            (any, "notifications_latest"),
            (with(Status::Sent), "notifications_latest"),
            (with(Status::Pending), "notifications_not_sent"),
            (with(Status::Failed), "notifications_not_sent"),
            (
                Filter {
                    user_id: Some(1),
                    ..any
                },
                "notifications_user",
            ),
            (Filter { order_id, ..any }, "notifications_order"),
        ] {
            let plan = plan(list::page(&filter));
            assert!(plan.contains(&format!("USING INDEX {index}")), "{plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{plan}");
        }
    }
}
