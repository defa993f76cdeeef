//! SQLite: one file, one writer, readers beside it.
//!
//! Invariant: at most one connection of this process writes, and every write is
//! an immediate transaction, so two of our own transactions never fail each
//! other. Another process at the same file is waited for (`busy_timeout`).

use std::{fs::OpenOptions, io::ErrorKind, path::Path, sync::Arc, time::Duration};

use diesel::{
    Connection as _, QueryResult, SqliteConnection,
    connection::SimpleConnection as _,
    r2d2::{ConnectionManager, CustomizeConnection, Error as R2d2Error, Pool},
};

use super::{DbError, PoolSize, PoolUse, traced};

/// The semantic conventions' name for it.
const SYSTEM: &str = "sqlite";

/// How long to wait for a connection. A writer waits for the writer before it.
const ACQUIRE: Duration = Duration::from_secs(10);

/// A writer and a pool of readers over one SQLite file.
#[derive(Clone, Debug)]
pub struct SqlitePool {
    writer: Pool<ConnectionManager<SqliteConnection>>,
    readers: Pool<ConnectionManager<SqliteConnection>>,
}

/// Set on every connection. WAL lets readers go on beside the writer;
/// `synchronous=FULL` makes a commit survive a power cut (sqlite.org/wal.html);
/// 2 MiB of page cache a connection keeps five services' memory small. A page that is
/// written again and again reaches the file once in 4,000 pages of log, 16 MiB.
const PRAGMAS: &str = "
    PRAGMA busy_timeout = 5000;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA foreign_keys = ON;
    PRAGMA cache_size = -2048;
    PRAGMA wal_autocheckpoint = 4000;
    PRAGMA temp_store = MEMORY;
";

#[derive(Debug)]
struct Customize;

impl CustomizeConnection<SqliteConnection, R2d2Error> for Customize {
    fn on_acquire(&self, connection: &mut SqliteConnection) -> Result<(), R2d2Error> {
        connection
            .batch_execute(PRAGMAS)
            .map_err(R2d2Error::QueryError)
    }
}

impl SqlitePool {
    /// Opens the file, making it and its folder when they are missing.
    pub async fn open(path: &Path, size: PoolSize) -> Result<Self, DbError> {
        let path = path.to_owned();
        blocking(move || {
            if let Some(folder) = path
                .parent()
                .filter(|folder| !folder.as_os_str().is_empty())
            {
                std::fs::create_dir_all(folder).map_err(|error| {
                    DbError::Unavailable(format!("cannot make {}: {error}", folder.display()))
                })?;
            }
            try_out(&path)?;
            // All pools of a process share one thread for their upkeep.
            let upkeep = Arc::new(scheduled_thread_pool::ScheduledThreadPool::new(1));
            let pool = |size: u32| {
                Pool::builder()
                    .max_size(size)
                    .min_idle(Some(1))
                    .connection_timeout(ACQUIRE)
                    .thread_pool(Arc::clone(&upkeep))
                    .connection_customizer(Box::new(Customize))
                    .test_on_check_out(false)
                    .build(ConnectionManager::new(path.to_string_lossy()))
                    .map_err(|error| DbError::Unavailable(format!("{}: {error}", path.display())))
            };
            Ok(Self {
                // The writer comes first: it switches the file to WAL.
                writer: pool(1)?,
                readers: pool(u32::try_from(size.0.clamp(1, 4)).unwrap_or(4))?,
            })
        })
        .await
    }

    /// Runs reading statements on a reader.
    pub async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&mut SqliteConnection) -> QueryResult<T> + Send + 'static,
    ) -> Result<T, DbError> {
        let pool = self.readers.clone();
        let read = blocking(move || {
            let mut connection = pool.get().map_err(away)?;
            Ok(query(&mut connection)?)
        });
        traced(SYSTEM, "read", read).await
    }

    /// Runs a transaction on the writer.
    pub async fn transaction<T: Send + 'static>(
        &self,
        body: impl FnOnce(&mut SqliteConnection) -> QueryResult<T> + Send + 'static,
    ) -> Result<T, DbError> {
        let pool = self.writer.clone();
        let transaction = blocking(move || {
            let mut connection = pool.get().map_err(away)?;
            Ok(connection.immediate_transaction(body)?)
        });
        traced(SYSTEM, "transaction", transaction).await
    }

    /// Runs something on the writer outside of a transaction.
    pub(super) async fn on_writer<T: Send + 'static>(
        &self,
        body: impl FnOnce(&mut SqliteConnection) -> Result<T, DbError> + Send + 'static,
    ) -> Result<T, DbError> {
        let pool = self.writer.clone();
        blocking(move || body(&mut *pool.get().map_err(away)?)).await
    }

    pub(super) fn pool_use(&self) -> PoolUse {
        let states = [self.writer.state(), self.readers.state()];
        let all: u32 = states.iter().map(|state| state.connections).sum();
        let idle: u32 = states.iter().map(|state| state.idle_connections).sum();
        PoolUse {
            used: all.saturating_sub(idle) as usize,
            idle: idle as usize,
            pending: 0,
        }
    }

    pub(super) async fn ping(&self) -> Result<(), DbError> {
        self.read(|connection| connection.batch_execute("SELECT 1"))
            .await
    }
}

/// Opens the file once as a pool would, because a pool tries in silence until its
/// time is up, and then only says that it is.
fn try_out(path: &Path) -> Result<(), DbError> {
    let opened = SqliteConnection::establish(&path.to_string_lossy())
        .map_err(|error| error.to_string())
        .and_then(|mut connection| {
            let set = connection.batch_execute(PRAGMAS);
            set.map_err(|error| error.to_string())
        });
    opened.map_err(|error| {
        // SQLite has few words for what the operating system says clearly.
        let because = match OpenOptions::new().read(true).append(true).open(path) {
            Err(because) if because.kind() != ErrorKind::NotFound => format!(" ({because})"),
            _ => String::new(),
        };
        DbError::Unavailable(format!("{}: {error}{because}", path.display()))
    })
}

fn away(error: impl std::fmt::Display) -> DbError {
    DbError::Unavailable(error.to_string())
}

/// SQLite blocks its thread; this keeps it off the runtime's own.
async fn blocking<T: Send + 'static>(
    body: impl FnOnce() -> Result<T, DbError> + Send + 'static,
) -> Result<T, DbError> {
    match tokio::task::spawn_blocking(body).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(away("the runtime is shutting down")),
    }
}
