//! A pool of PostgreSQL connections.

use std::{fmt, time::Duration};

use deadpool::managed::{PoolError, Timeouts};
use diesel::result::{ConnectionError, ConnectionResult, QueryResult};
use diesel_async::{
    AsyncConnection as _, AsyncPgConnection, RunQueryDsl as _, SimpleAsyncConnection as _,
    pooled_connection::{
        AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod,
        deadpool::{Object, Pool},
    },
};
use rand::Rng as _;
use secrecy::{ExposeSecret as _, SecretString};

use super::{DbError, PoolSize, PoolUse, statement, traced};

/// The semantic conventions' name for it.
const SYSTEM: &str = "postgresql";

/// How long to wait for a new connection: the server is there or it is away.
const CONNECT: Duration = Duration::from_secs(3);

/// How long to wait for a connection to come free. Nobody holds one longer than
/// [`STATEMENT`], so who waits longer than that waits for a server that is away
/// and not for its turn.
const TURN: Duration = Duration::from_secs(20);

/// Longest that a transaction may take before the pool gives it up. A server
/// that accepts connections and then says nothing must count as away, not hold
/// a worker for ever.
const STATEMENT: Duration = Duration::from_secs(15);

/// How often a conflicting transaction is repeated before the caller sees the
/// conflict. Deadlocks between batches resolve at the first repetition; more
/// than a few mean that something else is wrong.
const CONFLICT_RETRIES: u32 = 8;

/// An `AsyncFn` whose future can move between threads. Stable Rust cannot say
/// so on `AsyncFn` itself.
pub trait AsyncFnSend<Arg, Out>: AsyncFn(Arg) -> Out + Fn(Arg) -> Self::Fut {
    /// The future that a call returns.
    type Fut: Future<Output = Out>;
}

impl<F, Arg, Fut, Out> AsyncFnSend<Arg, Out> for F
where
    F: AsyncFn(Arg) -> Out + Fn(Arg) -> Fut,
    Fut: Future<Output = Out>,
{
    type Fut = Fut;
}

/// A bounded pool of connections to one PostgreSQL database.
#[derive(Clone)]
pub struct PgPool(Pool<AsyncPgConnection>);

impl PgPool {
    /// A pool that connects when first used.
    pub fn new(url: &SecretString, size: PoolSize) -> Result<Self, DbError> {
        let mut config = ManagerConfig::default();
        // Asking each connection whether it lives would cost every batch one
        // round trip; a dead one is noticed by its first statement.
        config.recycling_method = RecyclingMethod::Fast;
        config.custom_setup = Box::new(|url| Box::pin(connect(url)));
        let manager = AsyncDieselConnectionManager::new_with_config(url.expose_secret(), config);
        let pool = Pool::builder(manager)
            .max_size(size.0)
            .timeouts(Timeouts {
                wait: Some(TURN),
                create: Some(CONNECT),
                recycle: Some(CONNECT),
            })
            .runtime(deadpool::Runtime::Tokio1)
            .build()
            .map_err(|error| DbError::Unavailable(error.to_string()))?;
        Ok(Self(pool))
    }

    /// A connection of one's own, until it is dropped.
    pub async fn get(&self) -> Result<Object<AsyncPgConnection>, DbError> {
        self.0.get().await.map_err(|error| match error {
            PoolError::Timeout(_) => {
                DbError::Unavailable("no connection came free in time".to_owned())
            }
            error => DbError::Unavailable(error.to_string()),
        })
    }

    pub(super) fn pool_use(&self) -> PoolUse {
        let status = self.0.status();
        PoolUse {
            used: status.size.saturating_sub(status.available),
            idle: status.available,
            pending: status.waiting,
        }
    }

    /// Runs reading statements outside of a transaction.
    pub async fn read<T, F>(&self, query: F) -> Result<T, DbError>
    where
        F: for<'c> AsyncFnSend<&'c mut AsyncPgConnection, QueryResult<T>, Fut: Send> + Sync,
    {
        traced(SYSTEM, "read", async {
            let mut connection = self.get().await?;
            let result = bounded(query(&mut connection)).await;
            give_back(connection, &result);
            result
        })
        .await
    }

    /// Runs a transaction, again when another one was in its way. The closure
    /// must have no effect outside of its connection.
    pub async fn transaction<T, F>(&self, body: F) -> Result<T, DbError>
    where
        T: Send,
        F: for<'c> AsyncFnSend<&'c mut AsyncPgConnection, QueryResult<T>, Fut: Send> + Sync,
    {
        let transaction = self.repeated(async |connection: &mut Object<AsyncPgConnection>| {
            AsyncPgConnection::transaction(connection, &body).await
        });
        traced(SYSTEM, "transaction", transaction).await
    }

    /// Runs one writing statement, again when another one was in its way. A
    /// statement is a transaction by itself, at one round trip in place of three.
    pub async fn write<T, F>(&self, statement: F) -> Result<T, DbError>
    where
        T: Send,
        F: for<'c> AsyncFnSend<&'c mut AsyncPgConnection, QueryResult<T>, Fut: Send> + Sync,
    {
        let write = self.repeated(async |connection: &mut Object<AsyncPgConnection>| {
            statement(connection).await
        });
        traced(SYSTEM, "write", write).await
    }

    async fn repeated<T, F>(&self, body: F) -> Result<T, DbError>
    where
        F: for<'c> AsyncFnSend<&'c mut Object<AsyncPgConnection>, QueryResult<T>, Fut: Send>,
    {
        let mut attempt = 0;
        loop {
            let mut connection = self.get().await?;
            let result = bounded(body(&mut connection)).await;
            give_back(connection, &result);
            match result {
                Err(error) if error.is_conflict() && attempt < CONFLICT_RETRIES => {
                    attempt += 1;
                    let pause = rand::rng().random_range(1..=1_u64 << attempt.min(6));
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                }
                result => return result,
            }
        }
    }

    pub(super) async fn ping(&self) -> Result<(), DbError> {
        self.read(async |connection: &mut AsyncPgConnection| {
            statement("SELECT 1").execute(connection).await.map(drop)
        })
        .await
    }
}

/// Plans each execution for the table as it is then. A plan that is kept for all
/// parameters (`plan_cache_mode = auto` makes one at a statement's sixth
/// execution) is made when a new service's tables are all but empty; it reads
/// them from end to end, and goes on doing so when they have millions of rows.
async fn connect(url: &str) -> ConnectionResult<AsyncPgConnection> {
    let mut connection = AsyncPgConnection::establish(url).await?;
    connection
        .batch_execute("SET plan_cache_mode = force_custom_plan")
        .await
        .map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(connection)
}

/// A connection whose query did not come back may still be busy with it, so it
/// does not go back into the pool.
fn give_back<T>(connection: Object<AsyncPgConnection>, result: &Result<T, DbError>) {
    if matches!(result, Err(DbError::Unavailable(_))) {
        drop(Object::take(connection));
    }
}

async fn bounded<T>(query: impl Future<Output = QueryResult<T>>) -> Result<T, DbError> {
    match tokio::time::timeout(STATEMENT, query).await {
        Ok(result) => result.map_err(Into::into),
        Err(_) => Err(DbError::Unavailable(format!(
            "no answer within {} s",
            STATEMENT.as_secs()
        ))),
    }
}

impl fmt::Debug for PgPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgPool")
            .field("status", &self.0.status())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use diesel::sql_types::{Array, BigInt};

    use super::*;

    async fn count(pool: &PgPool, ids: &[i64]) -> Result<usize, DbError> {
        pool.transaction(async |connection: &mut AsyncPgConnection| {
            statement("SELECT unnest($1)")
                .bind::<Array<BigInt>, _>(ids)
                .execute(connection)
                .await
        })
        .await
    }

    #[test]
    fn transactions_borrow_what_they_write_and_can_be_spawned() {
        fn spawnable<F: Future + Send>(_: F) {}
        let url = SecretString::from("postgres://nobody@127.0.0.1:1/x");
        let pool = PgPool::new(&url, PoolSize(1)).unwrap();
        spawnable(count(&pool, &[1]));
    }
}
