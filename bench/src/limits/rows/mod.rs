//! The rows that services write, written straight into the same PostgreSQL: by the
//! services' own statements, in batches of the same size, over as many connections.

mod history;
mod notifier;
mod payments;

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};

use proto::{
    id::{OrderId, PaymentId},
    time::UnixMicros,
};
use testkit::postgres::Client;
use tokio_postgres::Statement;
use uuid::Uuid;

use crate::{lab::Lab, series::float};

pub(crate) use self::{
    history::rate as history, notifier::rate as notifier, payments::rate as payments,
};

/// The services' own (`DATABASE_POOL`).
const CONNECTIONS: usize = 8;
/// A service's connections plan each execution anew (`chassis::db`).
const SESSION: &str = "SET plan_cache_mode = force_custom_plan";

/// A batch of orders, made before the clock runs.
struct Rows {
    orders: Vec<Uuid>,
    /// In their order, as payments writes them.
    payments: Vec<Uuid>,
    users: Vec<i64>,
    totals: Vec<i64>,
    times: Vec<i64>,
    currencies: Vec<&'static str>,
    hashes: Vec<&'static [u8]>,
    none: Vec<Option<&'static str>>,
}

impl Rows {
    fn new(first: i64, count: i64) -> Self {
        let ids: Vec<OrderId> = (0..count).map(|_| OrderId::random()).collect();
        let mut payments: Vec<Uuid> = ids.iter().map(|id| *PaymentId::of(*id).as_uuid()).collect();
        payments.sort_unstable();
        let users = (first..first + count).map(|number| number % 10_000 + 1);
        let size = ids.len();
        Self {
            orders: ids.iter().map(|id| *id.as_uuid()).collect(),
            payments,
            users: users.collect(),
            totals: vec![999; size],
            times: vec![UnixMicros::now().as_micros(); size],
            currencies: vec!["USD"; size],
            hashes: vec![[7_u8; 32].as_slice(); size],
            none: vec![None; size],
        }
    }
}

/// Statements of one connection, prepared once.
struct Desk {
    client: Client,
    statements: Vec<Statement>,
}

/// Each connection writes one batch after the other until all rows are there;
/// gives rows a second.
async fn flat_out(
    lab: &Lab,
    tables: &str,
    statements: &'static [&'static str],
    rows: i64,
    batch: i64,
    write: impl AsyncFn(&Desk, i16, &Rows) -> anyhow::Result<()> + Copy + Send + Sync + 'static,
) -> anyhow::Result<f64> {
    let database = lab.postgres.fresh_database("limit").await?;
    let client = lab.postgres.connect(&database).await?;
    client.batch_execute(tables).await?;
    let mut desks = Vec::new();
    for _ in 0..CONNECTIONS {
        let client = lab.postgres.connect(&database).await?;
        client.batch_execute(SESSION).await?;
        let mut prepared = Vec::new();
        for statement in statements {
            prepared.push(client.prepare(statement).await?);
        }
        desks.push(Desk {
            client,
            statements: prepared,
        });
    }
    let batches = (0..rows).step_by(usize::try_from(batch)?);
    let batches: Vec<Rows> = batches
        .map(|first| Rows::new(first, batch.min(rows - first)))
        .collect();
    let next = AtomicUsize::new(0);
    let begin = Instant::now();
    let working = desks.iter().zip(0_i16..).map(async |(desk, shard)| {
        while let Some(rows) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
            write(desk, shard, rows).await?;
        }
        anyhow::Ok(())
    });
    futures::future::try_join_all(working).await?;
    Ok(float(rows) / begin.elapsed().as_secs_f64())
}
