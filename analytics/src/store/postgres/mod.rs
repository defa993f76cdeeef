//! Figures in PostgreSQL.
//!
//! Invariant: transactions take tables in one order and rows of a table in key
//! order, so none waits for another in a circle. Where they can wait at all:
//!
//! - in the inbox for a transaction that brings the same event (a redelivery to
//!   a new owner of the partition while the old one still works): the unique
//!   index holds the second one until the first has ended, and then shows it the
//!   row, or that there is none;
//! - among the halves of orders for the transaction that brings the other half,
//!   if both run at the same moment;
//! - among the funnel's users for one that brings the same user's first event of
//!   the day.
//!
//! Everything else is sharded by topic and partition, so nobody else writes it. Facts
//! of several partitions that are counted together go where the first one does.
//!
//! What a batch costs is bounded: one statement for each table it has something
//! for, each with the rows of the whole batch.

mod count;
mod halves;
mod read;
mod upsert;

use std::{collections::HashSet, ops::RangeInclusive};

use async_trait::async_trait;
use chassis::db::{DbError, PgPool, PoolSize, statement};
use diesel::sql_types::{BigInt, Integer};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use proto::{id::UserId, money::Currency, time::UnixMicros};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::{
    Bucket, PairPosition, PairSales, ProductPosition, ProductSales, StageCount, Stats, Store,
    UserStats,
};
use crate::{
    batch::Batch,
    calendar::{Day, Width},
    retention::Horizon,
};

/// A full batch of a topic's records, roughly; several of these at once keep the
/// database busier than one that is larger.
const FULL_WEIGHT: usize = 2_000;

/// Rows that another transaction holds are left for the next round, so pruning
/// waits for nobody.
const PRUNE_INBOX: &str = "
    DELETE FROM inbox WHERE ctid = ANY (ARRAY (
        SELECT ctid FROM inbox WHERE seen_day < $1
        ORDER BY seen_day LIMIT $2 FOR UPDATE SKIP LOCKED))";

const PRUNE_PENDING: &str = "
    DELETE FROM pending_orders WHERE ctid = ANY (ARRAY (
        SELECT ctid FROM pending_orders WHERE seen_day < $1
        ORDER BY seen_day LIMIT $2 FOR UPDATE SKIP LOCKED))";

const PRUNE_FUNNEL: &str = "
    DELETE FROM funnel_users WHERE ctid = ANY (ARRAY (
        SELECT ctid FROM funnel_users WHERE day < $1
        ORDER BY day LIMIT $2 FOR UPDATE SKIP LOCKED))";

/// Connections that counting leaves for answers: a backlog on all partitions
/// must not make callers wait for it.
const KEPT_FOR_READING: usize = 2;

/// Figures in PostgreSQL.
#[derive(Debug)]
pub(super) struct PostgresStore {
    pool: PgPool,
    /// Batches that may be counted at once. The others wait here without a limit:
    /// waiting for a connection of the pool would soon count as its being away.
    writers: Semaphore,
}

impl PostgresStore {
    pub(super) fn new(pool: PgPool, size: PoolSize) -> Self {
        let writers = size.0.saturating_sub(KEPT_FOR_READING).max(1);
        Self {
            pool,
            writers: Semaphore::new(writers),
        }
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn count(&self, batch: Batch) -> Result<HashSet<Uuid>, DbError> {
        let _turn = self
            .writers
            .acquire()
            .await
            .map_err(|closed| DbError::Unavailable(closed.to_string()))?;
        self.pool
            .transaction(async |connection: &mut AsyncPgConnection| {
                count::batch(connection, &batch).await
            })
            .await
    }

    fn full_weight(&self) -> usize {
        FULL_WEIGHT
    }

    async fn stats(&self) -> Result<Stats, DbError> {
        self.pool.read(read::stats).await
    }

    async fn order_rate(
        &self,
        width: Width,
        from: UnixMicros,
        until: UnixMicros,
    ) -> Result<Vec<Bucket>, DbError> {
        self.pool
            .read(async |connection: &mut AsyncPgConnection| {
                read::order_rate(connection, width, from, until).await
            })
            .await
    }

    async fn top_products_by_units(
        &self,
        currency: Currency,
        after: ProductPosition,
        limit: i64,
    ) -> Result<Vec<ProductSales>, DbError> {
        self.pool
            .read(async |connection: &mut AsyncPgConnection| {
                read::products(connection, read::PRODUCTS_BY_UNITS, currency, after, limit).await
            })
            .await
    }

    async fn top_products_by_revenue(
        &self,
        currency: Currency,
        after: ProductPosition,
        limit: i64,
    ) -> Result<Vec<ProductSales>, DbError> {
        self.pool
            .read(async |connection: &mut AsyncPgConnection| {
                let by_revenue = read::PRODUCTS_BY_REVENUE;
                read::products(connection, by_revenue, currency, after, limit).await
            })
            .await
    }

    async fn product_pairs(
        &self,
        product_id: Option<i64>,
        after: PairPosition,
        limit: i64,
    ) -> Result<Vec<PairSales>, DbError> {
        self.pool
            .read(async |connection: &mut AsyncPgConnection| {
                read::pairs(connection, product_id, after, limit).await
            })
            .await
    }

    async fn user(&self, user: UserId) -> Result<Option<UserStats>, DbError> {
        self.pool
            .read(async |connection: &mut AsyncPgConnection| read::user(connection, user).await)
            .await
    }

    async fn funnel(&self, days: RangeInclusive<Day>) -> Result<Vec<StageCount>, DbError> {
        self.pool
            .read(async |connection: &mut AsyncPgConnection| read::funnel(connection, &days).await)
            .await
    }

    async fn prune(&self, horizon: Horizon, limit: i64) -> Result<usize, DbError> {
        self.pool
            .transaction(async |connection: &mut AsyncPgConnection| {
                let mut pruned = 0;
                for (sql, day) in [
                    (PRUNE_INBOX, horizon.inbox),
                    (PRUNE_PENDING, horizon.inbox),
                    (PRUNE_FUNNEL, horizon.funnel),
                ] {
                    pruned += statement(sql)
                        .bind::<Integer, _>(day.number())
                        .bind::<BigInt, _>(limit)
                        .execute(&mut *connection)
                        .await?;
                }
                Ok(pruned)
            })
            .await
    }
}
