//! A store on a database of its own.

use std::{sync::Arc, time::Duration};

use analytics::{
    batch::{Batch, Shard},
    fact::Fact,
    retention::Retention,
    store::{self, Store},
};
use chassis::db::{Database, PoolSize, statement};
use diesel::{QueryableByName, RunQueryDsl as _, sql_types::BigInt};
use diesel_async::AsyncPgConnection;
use proto::time::UnixMicros;

/// When these tests happen: a noon in 2027.
pub(crate) const NOW: UnixMicros = UnixMicros::from_micros(1_800_014_400_000_000);

pub(crate) const SHARD: &str = proto::event::ORDERS;

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) store: Arc<dyn Store>,
    database: Database,
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

impl World {
    pub(crate) async fn open(url: &str) -> anyhow::Result<Self> {
        let size = PoolSize(8);
        let database = Database::open(&url.parse()?, size, store::migrations()).await?;
        Ok(Self {
            store: store::on(database.clone(), size),
            database,
        })
    }

    /// Counts facts in one transaction, now.
    pub(crate) async fn count(&self, facts: &[Fact]) -> anyhow::Result<usize> {
        self.count_in(facts, Shard::of(SHARD, 0), NOW).await
    }

    pub(crate) async fn count_in(
        &self,
        facts: &[Fact],
        shard: Shard,
        now: UnixMicros,
    ) -> anyhow::Result<usize> {
        let facts = facts.iter().cloned().map(Arc::new).collect();
        let days = Retention::default().funnel_days(now);
        Ok(self
            .store
            .count(Batch::new(facts, shard, now, days))
            .await?
            .len())
    }

    /// How many rows a table has.
    pub(crate) async fn rows(&self, table: &str) -> anyhow::Result<i64> {
        let sql: &'static str = format!("SELECT count(*) AS number FROM {table}").leak();
        let number: Number = match &self.database {
            Database::Postgres(pool) => {
                pool.read(async |connection: &mut AsyncPgConnection| {
                    diesel_async::RunQueryDsl::get_result(statement(sql), connection).await
                })
                .await?
            }
            Database::Sqlite(pool) => {
                pool.read(move |connection| statement(sql).get_result(connection))
                    .await?
            }
        };
        Ok(number.number)
    }

    /// Runs a statement past the store.
    pub(crate) async fn execute(&self, sql: &'static str) -> anyhow::Result<()> {
        match &self.database {
            Database::Postgres(pool) => {
                pool.transaction(async |connection: &mut AsyncPgConnection| {
                    diesel_async::RunQueryDsl::execute(statement(sql), connection).await
                })
                .await?;
            }
            Database::Sqlite(pool) => {
                pool.transaction(move |connection| statement(sql).execute(connection))
                    .await?;
            }
        }
        Ok(())
    }
}

pub(crate) fn days_ago(days: u64) -> UnixMicros {
    NOW.saturating_sub(Duration::from_hours(24 * days))
}
