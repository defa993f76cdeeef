//! Where payments are kept.
//!
//! Invariants, whoever calls and in whatever order:
//!
//! - There is one payment an order. [`Store::claim`] inserts it if it is absent
//!   and never changes what it says.
//! - A payment is settled at most once, and only by the bearer of its latest
//!   lease; its totals are counted in the transaction that settles it.
//! - A payment is open (claimed again by handlers, due for the sweeper) until
//!   [`Store::mark_published`], and never afterwards.
//!
//! Each call is one transaction, so a crash falls between two calls, and what
//! then stands in the store says what is left to do.

mod gathered;
mod list;
mod postgres;
mod rows;
mod sqlite;
mod totals;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use chassis::{
    db::{Database, DbError, Migrations},
    page::PageRequest,
};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use proto::{
    id::{PaymentId, UserId},
    payments::v1::PaymentStatus,
    time::UnixMicros,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use gathered::gathered;
pub use totals::Stats;

use crate::payment::{Intent, OpenPayment, Outcome, Payment};

/// The schema, for both databases.
pub fn migrations() -> Migrations {
    const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");
    const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
    Migrations {
        postgres: POSTGRES,
        sqlite: SQLITE,
    }
}

/// The store over a database that is connected and migrated.
pub fn on(database: Database) -> Arc<dyn Store> {
    match database {
        Database::Postgres(pool) => Arc::new(postgres::PgStore::new(pool)),
        Database::Sqlite(pool) => Arc::new(sqlite::SqliteStore::new(pool)),
    }
}

/// The right to work on payments.
///
/// The token is what counts: whoever claims a payment after us replaces it, and
/// our late result is refused. `until` only tells the sweeper how long to keep
/// its hands off, so clocks of different machines need not agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    token: Uuid,
    until: UnixMicros,
}

impl Lease {
    /// A lease of its own for each attempt, from now on.
    pub fn of(length: Duration) -> Self {
        Self {
            token: Uuid::now_v7(),
            until: UnixMicros::now().saturating_add(length),
        }
    }

    /// When the sweeper may take over.
    pub const fn until(&self) -> UnixMicros {
        self.until
    }
}

/// What became of an intent.
#[derive(Debug, Clone)]
pub enum Claim {
    /// It is ours to bring to an end. It may be settled already.
    Open(Box<OpenPayment>),
    /// There is nothing left to do.
    Published,
    /// The order's id is taken by an order with other content.
    Conflict,
}

/// A charge that came to its end, to be written down.
#[derive(Debug, Clone)]
pub struct Settled {
    /// Of which payment.
    pub payment_id: PaymentId,
    /// How it ended.
    pub outcome: Outcome,
}

/// A payment that the sweeper could not bring to its end.
#[derive(Debug, Clone, Copy)]
pub struct Postponed {
    /// Which.
    pub payment_id: PaymentId,
    /// When to try again; `None`: not without an operator.
    pub due_at: Option<UnixMicros>,
}

/// Which payments a list holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Filter {
    /// Only this user's.
    pub user_id: Option<UserId>,
    /// Only those that stand so.
    pub status: Option<PaymentStatus>,
}

impl Filter {
    /// The status as it is stored; 0 for any.
    fn status_code(&self) -> i16 {
        rows::code(self.status.map_or(0, |status| status as i32))
    }
}

/// Where a page of payments ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    created_at: i64,
    payment_id: Uuid,
}

impl Cursor {
    /// After the newest payment there can be.
    const NEWEST: Self = Self {
        created_at: i64::MAX,
        payment_id: Uuid::max(),
    };

    /// Right after this payment.
    pub fn after(payment: &Payment) -> Self {
        Self {
            created_at: payment.created_at.as_micros(),
            payment_id: *payment.payment_id.as_uuid(),
        }
    }
}

/// Keeps payments.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Writes intents that are absent and leases all that are not yet published,
    /// also those that are leased already. The intents are of distinct orders; the
    /// claims come in their order.
    async fn claim(&self, intents: Vec<(Intent, Lease)>) -> Result<Vec<Claim>, DbError>;

    /// Settles payments and forgets their tokens. Says of each, in their order,
    /// whether its lease settled it; else it was taken over, or was settled before.
    async fn settle(&self, settled: Vec<(Settled, Lease)>) -> Result<Vec<bool>, DbError>;

    /// Closes settled payments whose event is on the broker. Needs no lease:
    /// that the event is there is true whoever says it.
    async fn mark_published(&self, payments: Vec<PaymentId>) -> Result<(), DbError>;

    /// Leases up to `limit` open payments that nobody touched for as long as
    /// their lease was, longest due first.
    async fn lease_due(&self, lease: Lease, limit: usize) -> Result<Vec<OpenPayment>, DbError>;

    /// Puts payments off that this lease still holds.
    async fn postpone(&self, postponed: Vec<Postponed>, lease: Lease) -> Result<(), DbError>;

    /// The payments of these ids that exist, in no particular order.
    async fn get(&self, payments: Vec<PaymentId>) -> Result<Vec<Payment>, DbError>;

    /// Payments after the page's cursor, newest first; see
    /// [`PageRequest::rows_to_read`].
    async fn list(
        &self,
        filter: Filter,
        page: &PageRequest<Cursor>,
    ) -> Result<Vec<Payment>, DbError>;

    /// Counts and sums over all payments.
    async fn stats(&self) -> Result<Stats, DbError>;
}
