//! Databases: PostgreSQL in production, SQLite embedded, told apart by the
//! URL's scheme.
//!
//! Invariant: whatever a transaction's closure wrote is there as a whole or not
//! at all, and the closure may run more than once. A conflict with another
//! transaction (deadlock, serialization failure, `SQLITE_BUSY`) is retried here,
//! so callers see only two kinds of failure: the database is away, or the
//! statement is wrong.

mod error;
mod migrate;
mod postgres;
mod sqlite;
mod statement;
mod together;
mod url;

use tracing::Instrument as _;

use crate::telemetry;

pub use error::DbError;
pub use migrate::Migrations;
pub use postgres::{AsyncFnSend, PgPool};
pub use sqlite::SqlitePool;
pub use statement::{Bound, Statement, statement};
pub use together::{GATHER, Together};
pub use url::{DatabaseUrl, InvalidDatabaseUrl};

/// How busy a pool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolUse {
    /// Connections that are lent out.
    pub used: usize,
    /// Connections that wait to be.
    pub idle: usize,
    /// Callers who wait for one; SQLite's pools do not tell.
    pub pending: usize,
}

/// A query within a span of its own.
async fn traced<T>(
    system: &'static str,
    operation: &'static str,
    query: impl Future<Output = Result<T, DbError>>,
) -> Result<T, DbError> {
    let span = telemetry::span::database(system, operation);
    let result = query.instrument(span.clone()).await;
    if let Err(error) = &result {
        telemetry::span::fail(&span, error.kind(), error.kind());
    }
    result
}

/// A database that is connected and migrated.
#[derive(Clone, Debug)]
pub enum Database {
    /// PostgreSQL.
    Postgres(PgPool),
    /// SQLite.
    Sqlite(SqlitePool),
}

/// How many connections a pool may hold.
#[derive(Debug, Clone, Copy)]
pub struct PoolSize(pub usize);

impl Default for PoolSize {
    /// One connection per partition worker that has a transaction open, and a
    /// few for queries. PostgreSQL allows 100 in all by default, which five
    /// services with a few instances each share.
    fn default() -> Self {
        Self(8)
    }
}

impl Database {
    /// Connects and runs the migrations that are missing. Waits for nothing: a
    /// database that is away is an error that [`DbError::is_unavailable`] tells.
    pub async fn open(
        url: &DatabaseUrl,
        size: PoolSize,
        migrations: Migrations,
    ) -> Result<Self, DbError> {
        match url {
            DatabaseUrl::Postgres(url) => {
                let pool = PgPool::new(url, size)?;
                migrate::postgres(&pool, migrations.postgres).await?;
                Ok(Self::Postgres(pool))
            }
            DatabaseUrl::Sqlite(path) => {
                let pool = SqlitePool::open(path, size).await?;
                migrate::sqlite(&pool, path, migrations.sqlite).await?;
                Ok(Self::Sqlite(pool))
            }
        }
    }

    /// How busy its pool is; SQLite's is that of its writer and its readers.
    pub fn pool_use(&self) -> PoolUse {
        match self {
            Self::Postgres(pool) => pool.pool_use(),
            Self::Sqlite(pool) => pool.pool_use(),
        }
    }

    /// One trivial round trip, to learn whether the database answers.
    pub async fn ping(&self) -> Result<(), DbError> {
        match self {
            Self::Postgres(pool) => pool.ping().await,
            Self::Sqlite(pool) => pool.ping().await,
        }
    }
}
