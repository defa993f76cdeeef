//! Where notifier keeps halves of orders, and mails.
//!
//! Invariants:
//!
//! - The row of an order takes its content once and its outcome once, in either
//!   order, and never changes either. Whoever adds the second half finds the
//!   first in the same statement (the row is locked by it), so exactly one
//!   transaction completes a pair, and that one writes the mails.
//! - A mail that has come to its end never leaves it. While it is pending, only
//!   the holder of its lease may change it; a late result is refused by the
//!   lease's token.

mod list;
mod merge;
mod postgres;
mod row;
mod sqlite;

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use chassis::db::{Database, DbError, Migrations};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use proto::{
    id::{NotificationId, OrderId, UserId},
    time::UnixMicros,
};
use uuid::Uuid;

pub use merge::Verdict;

use crate::{
    compose::Composer,
    fact::Fact,
    mail::{Status, StoredMail},
};

/// Stores halves and mails. PostgreSQL and SQLite behave alike.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Merges facts in one transaction and writes the mails of the orders they
    /// complete. Says of each what became of it, in their order.
    async fn merge(&self, facts: Vec<Fact>, now: UnixMicros) -> Result<Merged, DbError>;

    /// Takes mails that are due: pending ones to be sent, and ended ones whose
    /// event is not published. They are the token's until then.
    async fn lease(&self, lease: Lease) -> Result<Vec<StoredMail>, DbError>;

    /// Records attempts at leased mails. Tells which were accepted; the others
    /// are no longer this token's.
    async fn record(
        &self,
        token: Uuid,
        attempts: Vec<Attempt>,
        now: UnixMicros,
    ) -> Result<Vec<NotificationId>, DbError>;

    /// Gives leased mails back, to be taken by anybody from then on.
    async fn release(
        &self,
        token: Uuid,
        ids: Vec<NotificationId>,
        due_at: UnixMicros,
    ) -> Result<(), DbError>;

    /// The events of these mails are published.
    async fn mark_published(&self, ids: Vec<NotificationId>) -> Result<(), DbError>;

    /// One mail with its text.
    async fn mail(&self, id: NotificationId) -> Result<Option<StoredMail>, DbError>;

    /// The mails of these orders, without their text. Unknown ids are left out.
    async fn of_orders(&self, ids: &[OrderId]) -> Result<Vec<OrderMails>, DbError>;

    /// At most `limit` mails behind a position, newest first, without their text.
    async fn list(
        &self,
        filter: Filter,
        after: Position,
        limit: i64,
    ) -> Result<Vec<StoredMail>, DbError>;
}

/// What became of merged facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// Of each fact, in their order.
    pub verdicts: Vec<Verdict>,
    /// How many mails were written.
    pub mails: usize,
}

/// A wish for mails to work on.
#[derive(Debug, Clone, Copy)]
pub struct Lease {
    /// Proves who holds them; new for every lease.
    pub token: Uuid,
    /// Mails due by now are taken.
    pub now: UnixMicros,
    /// When others may take them.
    pub until: UnixMicros,
    /// At most so many.
    pub limit: i64,
}

/// How an attempt to send a mail went.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Which mail.
    pub id: NotificationId,
    /// How it stands now.
    pub status: Status,
    /// What went wrong; empty when nothing did. Holds no private data.
    pub error: String,
    /// When to try again; for a mail that ended, when somebody else may publish
    /// its event.
    pub due_at: UnixMicros,
    /// Whether it counts: a mail that was put back untried does not.
    pub counts: bool,
}

/// The mails of one order.
#[derive(Debug, Clone)]
pub struct OrderMails {
    /// The order.
    pub order_id: OrderId,
    /// Its mails, without their text.
    pub mails: Vec<StoredMail>,
    /// Whether these are all it will ever have, and each is at its end.
    pub complete: bool,
}

/// Which mails a list holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Filter {
    /// Only about this order.
    pub order_id: Option<Uuid>,
    /// Only of this user.
    pub user_id: Option<i64>,
    /// Only those that stand so.
    pub status: Option<Status>,
}

impl Filter {
    /// The filter of a request.
    pub fn new(order_id: Option<OrderId>, user_id: Option<UserId>, status: Option<Status>) -> Self {
        Self {
            order_id: order_id.map(|id| *id.as_uuid()),
            user_id: user_id.map(UserId::get),
            status,
        }
    }
}

/// A place in a list, newest first: behind it come older mails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// When the mail was written.
    pub created_at: UnixMicros,
    /// Its id.
    pub id: NotificationId,
}

impl Position {
    /// Before the first mail.
    pub const START: Self = Self {
        created_at: UnixMicros::from_micros(i64::MAX),
        id: NotificationId::from_uuid(Uuid::max()),
    };
}

/// Puts mails to their orders. `count` is how many an order will ever have, once
/// that is known.
fn by_order(
    orders: impl Iterator<Item = (OrderId, Option<i32>)>,
    mails: Vec<StoredMail>,
) -> Vec<OrderMails> {
    let mut of_order: HashMap<OrderId, Vec<StoredMail>> = HashMap::new();
    for mail in mails {
        of_order.entry(mail.order_id).or_default().push(mail);
    }
    orders
        .map(|(order_id, count)| {
            let mails = of_order.remove(&order_id).unwrap_or_default();
            let all_here = count.is_some_and(|count| usize::try_from(count) == Ok(mails.len()));
            let complete = all_here && mails.iter().all(|mail| mail.status != Status::Pending);
            OrderMails {
                order_id,
                mails,
                complete,
            }
        })
        .collect()
}

const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");
const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");

/// The tables, for [`Database::open`].
pub fn migrations() -> Migrations {
    Migrations {
        postgres: POSTGRES,
        sqlite: SQLITE,
    }
}

/// The store of a database that is open and migrated.
pub fn store_of(database: Database, composer: Arc<Composer>) -> Arc<dyn Store> {
    match database {
        Database::Postgres(pool) => Arc::new(postgres::PostgresStore::new(pool, composer)),
        Database::Sqlite(pool) => Arc::new(sqlite::SqliteStore::new(pool, composer)),
    }
}
