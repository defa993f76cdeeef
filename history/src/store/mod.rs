//! Where history keeps orders.
//!
//! Invariant: two sets that only grow, orders and payment outcomes, each keyed
//! by order id. A row is inserted if it is absent and never changed, and an
//! order's state is what the join of the two shows. Inserting into a set
//! commutes with every other insertion and repeating it changes nothing, so the
//! same events give the same state in whatever order, batches or repetition they
//! come; and a status that is final can never be left again, because no
//! statement here could take an outcome away.

mod batch;
mod lines;
mod postgres;
mod row;
mod sqlite;

use std::sync::Arc;

use async_trait::async_trait;
use chassis::db::{Database, DbError, Migrations};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use proto::{
    event::ContentHash,
    events::v1::OrderLine,
    id::{OrderId, UserId},
    time::UnixMicros,
};
use uuid::Uuid;

use crate::{
    fact::{Fact, Outcome},
    trace::TraceId,
};

/// Stores facts and reads orders. PostgreSQL and SQLite behave alike.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Stores facts that are new, in one transaction, and says of each what
    /// became of it, in their order.
    async fn apply(&self, facts: Vec<Fact>, stored_at: UnixMicros)
    -> Result<Vec<Verdict>, DbError>;

    /// The orders of these ids that are stored, in no particular order, each
    /// once.
    async fn orders(&self, ids: &[OrderId]) -> Result<Vec<StoredOrder>, DbError>;

    /// At most `limit` orders behind a position, newest first; of one user, or
    /// of all.
    async fn list(
        &self,
        user_id: Option<UserId>,
        after: Position,
        limit: i64,
    ) -> Result<Vec<StoredOrder>, DbError>;
}

/// What became of a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is stored, now or since before.
    Stands,
    /// Another content stands under its event's id; nothing was changed.
    Conflicts,
}

/// A place in the list of orders, newest first: by when an order was placed,
/// then by its id. Behind it come smaller ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// When the order was placed.
    pub placed_at: UnixMicros,
    /// Its id.
    pub order_id: OrderId,
}

impl Position {
    /// Before the first order: no order is placed later than the year 9999.
    pub const START: Self = Self {
        placed_at: UnixMicros::from_micros(i64::MAX),
        order_id: OrderId::from_uuid(Uuid::max()),
    };
}

/// An order as it is stored.
///
/// Numbers and texts rather than the types that events are checked by: what was
/// valid when it was written must stay readable, also when a currency is given
/// up or a limit is lowered.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredOrder {
    /// Its id.
    pub order_id: OrderId,
    /// Who ordered.
    pub user_id: i64,
    /// What was ordered, in the order of the request.
    pub lines: Vec<OrderLine>,
    /// ISO 4217 code.
    pub currency_code: String,
    /// The sum over all lines, in minor units of the currency.
    pub total: i64,
    /// When the gateway accepted it.
    pub placed_at: UnixMicros,
    /// When it was stored here.
    pub stored_at: UnixMicros,
    /// SHA-256 of the request's content.
    pub content_hash: ContentHash,
    /// The trace of the request that placed it.
    pub trace_id: Option<TraceId>,
    /// How its payment ended; absent while it has not.
    pub outcome: Option<Outcome>,
}

impl StoredOrder {
    /// Where it stands in the list.
    pub const fn position(&self) -> Position {
        Position {
            placed_at: self.placed_at,
            order_id: self.order_id,
        }
    }
}

/// The store on a database that has history's tables.
pub fn on(database: Database) -> Arc<dyn Store> {
    match database {
        Database::Postgres(pool) => Arc::new(postgres::PostgresStore::new(pool)),
        Database::Sqlite(pool) => Arc::new(sqlite::SqliteStore::new(pool)),
    }
}

/// History's tables.
pub fn migrations() -> Migrations {
    const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");
    const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
    Migrations {
        postgres: POSTGRES,
        sqlite: SQLITE,
    }
}
