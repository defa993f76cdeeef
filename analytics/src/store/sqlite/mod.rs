//! Figures in SQLite.
//!
//! Invariant: all writing goes through one connection, so nothing here can meet
//! another transaction's half-done work. Statements are prepared once and run row by
//! row: without a network, that is what a batch statement would do as well.

mod count;
mod read;
mod upsert;

use std::{collections::HashSet, ops::RangeInclusive};

use async_trait::async_trait;
use chassis::db::{DbError, SqlitePool, statement};
use diesel::{
    RunQueryDsl as _,
    sql_types::{BigInt, Integer},
};
use proto::{id::UserId, money::Currency, time::UnixMicros};
use tokio::sync::Mutex;
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

const PRUNE_INBOX: &str = "
    DELETE FROM inbox WHERE arrival IN (SELECT arrival FROM inbox WHERE seen_day < ?1 LIMIT ?2)";

const PRUNE_INBOX_BEFORE: &str = "
    DELETE FROM inbox_before WHERE id IN (
        SELECT id FROM inbox_before WHERE seen_day < ?1 LIMIT ?2)";

const PRUNE_PENDING: &str = "
    DELETE FROM pending_orders WHERE order_id IN (
        SELECT order_id FROM pending_orders WHERE seen_day < ?1 LIMIT ?2)";

const PRUNE_FUNNEL: &str = "
    DELETE FROM funnel_users WHERE (day, stage, user_id) IN (
        SELECT day, stage, user_id FROM funnel_users WHERE day < ?1 LIMIT ?2)";

/// Some tenths of a second. There is one writer, so nothing is gained by two that are
/// smaller; and a row that many batches add to is written once.
const FULL_WEIGHT: usize = 60_000;

/// Figures in SQLite.
#[derive(Debug)]
pub(super) struct SqliteStore {
    pool: SqlitePool,
    /// Who writes; others wait here, and not each in a thread of its own.
    turn: Mutex<()>,
}

impl SqliteStore {
    pub(super) fn new(pool: SqlitePool) -> Self {
        Self {
            pool,
            turn: Mutex::new(()),
        }
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn count(&self, batch: Batch) -> Result<HashSet<Uuid>, DbError> {
        let _turn = self.turn.lock().await;
        self.pool
            .transaction(move |connection| count::batch(connection, &batch))
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
            .read(move |connection| read::order_rate(connection, width, from, until))
            .await
    }

    async fn top_products_by_units(
        &self,
        currency: Currency,
        after: ProductPosition,
        limit: i64,
    ) -> Result<Vec<ProductSales>, DbError> {
        let by_units = read::PRODUCTS_BY_UNITS;
        self.pool
            .read(move |connection| read::products(connection, by_units, currency, after, limit))
            .await
    }

    async fn top_products_by_revenue(
        &self,
        currency: Currency,
        after: ProductPosition,
        limit: i64,
    ) -> Result<Vec<ProductSales>, DbError> {
        let by_revenue = read::PRODUCTS_BY_REVENUE;
        self.pool
            .read(move |connection| read::products(connection, by_revenue, currency, after, limit))
            .await
    }

    async fn product_pairs(
        &self,
        product_id: Option<i64>,
        after: PairPosition,
        limit: i64,
    ) -> Result<Vec<PairSales>, DbError> {
        self.pool
            .read(move |connection| read::pairs(connection, product_id, after, limit))
            .await
    }

    async fn user(&self, user: UserId) -> Result<Option<UserStats>, DbError> {
        self.pool
            .read(move |connection| read::user(connection, user))
            .await
    }

    async fn funnel(&self, days: RangeInclusive<Day>) -> Result<Vec<StageCount>, DbError> {
        self.pool
            .read(move |connection| read::funnel(connection, &days))
            .await
    }

    async fn prune(&self, horizon: Horizon, limit: i64) -> Result<usize, DbError> {
        let _turn = self.turn.lock().await;
        self.pool
            .transaction(move |connection| {
                let mut pruned = 0;
                for (sql, day) in [
                    (PRUNE_INBOX, horizon.inbox),
                    (PRUNE_INBOX_BEFORE, horizon.inbox),
                    (PRUNE_PENDING, horizon.inbox),
                    (PRUNE_FUNNEL, horizon.funnel),
                ] {
                    pruned += statement(sql)
                        .bind::<Integer, _>(day.number())
                        .bind::<BigInt, _>(limit)
                        .execute(connection)?;
                }
                Ok(pruned)
            })
            .await
    }
}
