//! The rows that history and payments write, written straight into the same
//! PostgreSQL: by the services' own statements, in batches of the same size, over
//! as many connections.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};

use proto::{
    id::{OrderId, PaymentId},
    time::UnixMicros,
};
use testkit::postgres::Client;
use tokio_postgres::{Statement, types::ToSql};
use uuid::Uuid;

use crate::lab::Lab;

/// The services' own (`DATABASE_POOL`).
const CONNECTIONS: usize = 8;
/// The services' own (`BATCH_MAX`).
const HISTORY_BATCH: i64 = 500;
const PAYMENTS_BATCH: i64 = 128;

const HISTORY_TABLES: &str =
    include_str!("../../../history/migrations/postgres/0001_orders/up.sql");
const PAYMENTS_TABLES: &str =
    include_str!("../../../payments/migrations/postgres/2026-01-01-000000_payments/up.sql");

/// The services' own words.
const INSERT_ORDERS: &str = include_str!("../../../history/src/store/insert_orders.sql");
const CLAIM: &str = concat!(
    include_str!("../../../payments/src/store/claim.sql"),
    "*"
);
const SETTLE: &str = include_str!("../../../payments/src/store/settle.sql");
const MARK_PUBLISHED: &str = include_str!("../../../payments/src/store/mark_published.sql");

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

/// Order rows a second.
pub(crate) async fn history(lab: &Lab, rows: i64) -> anyhow::Result<f64> {
    let statements = &[INSERT_ORDERS];
    flat_out(lab, HISTORY_TABLES, statements, rows, HISTORY_BATCH, insert).await
}

async fn insert(desk: &Desk, _: i16, rows: &Rows) -> anyhow::Result<()> {
    // As long as the real ones: lines of one product.
    let lines = vec![[1_u8; 24].as_slice(); rows.orders.len()];
    let no_traces: Vec<Option<&[u8]>> = vec![None; rows.orders.len()];
    let stored_at = UnixMicros::now().as_micros();
    let values: [&(dyn ToSql + Sync); 9] = [
        &stored_at,
        &rows.orders,
        &rows.users,
        &rows.totals,
        &rows.times,
        &rows.currencies,
        &lines,
        &rows.hashes,
        &no_traces,
    ];
    desk.client.execute(&desk.statements[0], &values).await?;
    Ok(())
}

/// Payments a second, from intent to mark.
pub(crate) async fn payments(lab: &Lab, rows: i64) -> anyhow::Result<f64> {
    let statements = &[CLAIM, SETTLE, MARK_PUBLISHED];
    flat_out(lab, PAYMENTS_TABLES, statements, rows, PAYMENTS_BATCH, pay).await
}

async fn pay(desk: &Desk, shard: i16, rows: &Rows) -> anyhow::Result<()> {
    let size = rows.payments.len();
    let (lease, now) = (Uuid::now_v7(), UnixMicros::now().as_micros());
    let due_at = now + 30_000_000;
    let values: [&(dyn ToSql + Sync); 12] = [
        &rows.payments,
        &rows.orders,
        &rows.users,
        &rows.totals,
        &rows.currencies,
        &rows.hashes,
        &rows.times,
        &rows.none,
        &rows.none,
        &now,
        &lease,
        &due_at,
    ];
    let claimed = desk.client.query(&desk.statements[0], &values).await?;
    anyhow::ensure!(claimed.len() == size, "{} of {size}", claimed.len());
    let captured: Vec<i16> = vec![2; size];
    let not_declined: Vec<i16> = vec![0; size];
    let references = vec!["mock-0123456789abcdef"; size];
    let values: [&(dyn ToSql + Sync); 7] = [
        &rows.payments,
        &captured,
        &not_declined,
        &references,
        &rows.times,
        &lease,
        &shard,
    ];
    let settled = desk.client.query(&desk.statements[1], &values).await?;
    anyhow::ensure!(settled.len() == size, "{} of {size}", settled.len());
    let values: [&(dyn ToSql + Sync); 2] = [&rows.payments, &now];
    desk.client.execute(&desk.statements[2], &values).await?;
    Ok(())
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
    // Far below 2^52.
    #[allow(clippy::cast_precision_loss)]
    Ok(rows as f64 / begin.elapsed().as_secs_f64())
}
