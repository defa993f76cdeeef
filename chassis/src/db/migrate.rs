//! Schema migrations at start, safe with several instances starting at once.
//!
//! Invariant: at any time at most one instance migrates a database. PostgreSQL
//! instances queue for an advisory lock, SQLite ones for a lock on a file beside
//! the database; the operating system frees both when the holder dies.

use std::{fs::File, path::Path};

use diesel::{SqliteConnection, sql_types::BigInt};
use diesel_async::{AsyncMigrationHarness, RunQueryDsl as _};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness as _};

use super::{DbError, PgPool, SqlitePool, statement};

/// Key of the advisory lock: "ordermsh" in ASCII. Locks are per database, and
/// each service has its own, so one key serves all.
const LOCK: i64 = 0x6f72_6465_726d_7368;

/// A service's migrations, embedded by `diesel_migrations::embed_migrations!`.
pub struct Migrations {
    /// For PostgreSQL.
    pub postgres: EmbeddedMigrations,
    /// For SQLite.
    pub sqlite: EmbeddedMigrations,
}

impl std::fmt::Debug for Migrations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Migrations")
    }
}

pub(super) async fn postgres(pool: &PgPool, migrations: EmbeddedMigrations) -> Result<(), DbError> {
    let mut connection = pool.get().await?;
    statement("SELECT pg_advisory_lock($1)")
        .bind::<BigInt, _>(LOCK)
        .execute(&mut connection)
        .await?;
    // The harness blocks its thread, so it gets one where that is allowed.
    let (result, mut connection) = tokio::task::spawn_blocking(move || {
        tokio::runtime::Handle::current().block_on(async move {
            let mut harness = AsyncMigrationHarness::new(connection);
            let result = harness
                .run_pending_migrations(migrations)
                .map(drop)
                .map_err(|error| failed(&*error));
            (result, harness.into_inner())
        })
    })
    .await
    .map_err(|error| DbError::Unavailable(error.to_string()))?;
    statement("SELECT pg_advisory_unlock($1)")
        .bind::<BigInt, _>(LOCK)
        .execute(&mut connection)
        .await?;
    result
}

pub(super) async fn sqlite(
    pool: &SqlitePool,
    path: &Path,
    migrations: EmbeddedMigrations,
) -> Result<(), DbError> {
    let lock = path.with_extension("migrate.lock");
    pool.on_writer(move |connection: &mut SqliteConnection| {
        let unavailable =
            |error: std::io::Error| DbError::Unavailable(format!("{}: {error}", lock.display()));
        let file = File::create(&lock).map_err(unavailable)?;
        file.lock().map_err(unavailable)?;
        connection
            .run_pending_migrations(migrations)
            .map(drop)
            .map_err(|error| failed(&*error))
    })
    .await
}

fn failed(error: &(dyn std::error::Error + Send + Sync)) -> DbError {
    DbError::Unavailable(format!("a migration failed: {error}"))
}
