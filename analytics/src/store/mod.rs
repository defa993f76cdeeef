//! Where analytics keeps its figures.
//!
//! Invariant: the ids of a batch's events and what they add to every table are
//! written in one transaction, which counts only those whose id was not there
//! before. So an event counts exactly once however often it is delivered, in
//! whatever batches, and by however many instances at once; and because adding
//! is commutative (see [`tally`](crate::tally)), in whatever order.
//!
//! A record under an id that is counted is skipped without looking at its
//! content. Records of one order id have one key, so they stand in one partition
//! and every service meets the same one first: the one that history stores is the
//! one that is counted here. History reports another content under that id as a
//! dead letter; a second report of the same record would help nobody.

mod answers;
mod lines;
mod postgres;
mod rows;
mod sqlite;

use std::{collections::HashSet, ops::RangeInclusive, sync::Arc};

use async_trait::async_trait;
use chassis::db::{Database, DbError, Migrations, PoolSize};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use proto::{id::UserId, money::Currency, time::UnixMicros};
use uuid::Uuid;

pub use answers::{
    Bucket, MoneySums, PairPosition, PairSales, ProductPosition, ProductSales, StageCount, Stats,
    UserStats,
};

use crate::{
    batch::Batch,
    calendar::{Day, Width},
    retention::Horizon,
};

/// Counts events and reads figures. PostgreSQL and SQLite behave alike.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Counts those facts of a batch that are not counted yet, in one
    /// transaction. Returns their ids.
    async fn count(&self, batch: Batch) -> Result<HashSet<Uuid>, DbError>;

    /// The [weight](crate::fact::Fact::weight) from which on a transaction gains
    /// nothing by being larger.
    fn full_weight(&self) -> usize;

    /// The totals.
    async fn stats(&self) -> Result<Stats, DbError>;

    /// The buckets that are not empty, oldest first, that start at `from` or
    /// later and before `until`.
    async fn order_rate(
        &self,
        width: Width,
        from: UnixMicros,
        until: UnixMicros,
    ) -> Result<Vec<Bucket>, DbError>;

    /// At most `limit` products behind a position, by pieces sold, with what they
    /// earned in a currency.
    async fn top_products_by_units(
        &self,
        currency: Currency,
        after: ProductPosition,
        limit: i64,
    ) -> Result<Vec<ProductSales>, DbError>;

    /// As [`Store::top_products_by_units`], by what they earned in the currency;
    /// only products that earned something in it.
    async fn top_products_by_revenue(
        &self,
        currency: Currency,
        after: ProductPosition,
        limit: i64,
    ) -> Result<Vec<ProductSales>, DbError>;

    /// At most `limit` pairs behind a position, by how many orders had both; of
    /// all pairs, or of those with one product.
    async fn product_pairs(
        &self,
        product_id: Option<i64>,
        after: PairPosition,
        limit: i64,
    ) -> Result<Vec<PairSales>, DbError>;

    /// What one user did; `None` when nothing is known.
    async fn user(&self, user: UserId) -> Result<Option<UserStats>, DbError>;

    /// Users of each stage, once a day and summed over the days; stages that
    /// nobody reached may be missing.
    async fn funnel(&self, days: RangeInclusive<Day>) -> Result<Vec<StageCount>, DbError>;

    /// Forgets at most `limit` rows of each kind that lie before the horizon, and
    /// returns how many they were. Figures stay.
    async fn prune(&self, horizon: Horizon, limit: i64) -> Result<usize, DbError>;
}

/// The store on a database that has the tables of [`migrations`].
pub fn on(database: Database, size: PoolSize) -> Arc<dyn Store> {
    match database {
        Database::Postgres(pool) => Arc::new(postgres::PostgresStore::new(pool, size)),
        Database::Sqlite(pool) => Arc::new(sqlite::SqliteStore::new(pool)),
    }
}

/// Analytics' tables.
pub fn migrations() -> Migrations {
    const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");
    const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
    Migrations {
        postgres: POSTGRES,
        sqlite: SQLITE,
    }
}
