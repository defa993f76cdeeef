//! The rows that history and payments write, written straight into the same
//! PostgreSQL: in batches of the same size, over as many connections.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Instant,
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

const INSERT_ORDERS: &str = "
    INSERT INTO orders (order_id, user_id, total, placed_at, stored_at, currency_code, lines,
                        content_hash, trace_id)
    SELECT order_id, user_id, 999, placed_at, placed_at, 'USD', $4, $5, NULL
    FROM unnest($1::uuid[], $2::bigint[], $3::bigint[])
      AS batch (order_id, user_id, placed_at)";

/// What payments says for each batch: intents, outcomes and their sums, marks.
const INTENTS: &str = "
    INSERT INTO payments (payment_id, order_id, user_id, amount, currency_code, content_hash,
        order_placed_at, created_at, status, lease_token, due_at)
    SELECT id, id, user_id, 999, 'USD', $4, placed_at, placed_at, 1, $5, placed_at
    FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) AS batch (id, user_id, placed_at)";
const OUTCOMES: &str = "
    WITH settled AS (
        UPDATE payments SET status = 2, provider_reference = 'mock', settled_at = 1
        WHERE payment_id = ANY($1) AND status = 1 AND lease_token = $2
        RETURNING amount
    )
    INSERT INTO payment_totals AS total
        (shard, currency_code, status, decline_code, payments, amount)
    SELECT $3, 'USD', 2, 0, count(*), sum(amount)::bigint FROM settled
    ON CONFLICT (shard, currency_code, status, decline_code) DO UPDATE
    SET payments = total.payments + EXCLUDED.payments, amount = total.amount + EXCLUDED.amount";
const MARKS: &str = "
    UPDATE payments SET published_at = 1, due_at = NULL, lease_token = NULL
    WHERE payment_id = ANY($1) AND status <> 1 AND published_at IS NULL";

/// A batch's columns.
struct Rows {
    ids: Vec<Uuid>,
    users: Vec<i64>,
    times: Vec<i64>,
}

impl Rows {
    fn new(first: i64, count: i64) -> Self {
        Self {
            ids: (0..count).map(|_| Uuid::now_v7()).collect(),
            users: (first..first + count)
                .map(|number| number % 10_000 + 1)
                .collect(),
            times: (first..first + count).collect(),
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

async fn insert(desk: &Desk, _: i16, rows: Rows) -> anyhow::Result<()> {
    // As long as the real ones: lines of one product, and a hash.
    let (lines, hash) = (vec![1_u8; 24], vec![7_u8; 32]);
    let values: [&(dyn ToSql + Sync); 5] = [&rows.ids, &rows.users, &rows.times, &lines, &hash];
    desk.client.execute(&desk.statements[0], &values).await?;
    Ok(())
}

/// Payments a second, from intent to mark.
pub(crate) async fn payments(lab: &Lab, rows: i64) -> anyhow::Result<f64> {
    let statements = &[INTENTS, OUTCOMES, MARKS];
    flat_out(lab, PAYMENTS_TABLES, statements, rows, PAYMENTS_BATCH, pay).await
}

async fn pay(desk: &Desk, shard: i16, rows: Rows) -> anyhow::Result<()> {
    let (lease, hash) = (Uuid::now_v7(), vec![7_u8; 32]);
    let client = &desk.client;
    let values: [&(dyn ToSql + Sync); 5] = [&rows.ids, &rows.users, &rows.times, &hash, &lease];
    client.execute(&desk.statements[0], &values).await?;
    client
        .execute(&desk.statements[1], &[&rows.ids, &lease, &shard])
        .await?;
    client.execute(&desk.statements[2], &[&rows.ids]).await?;
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
    write: impl AsyncFn(&Desk, i16, Rows) -> anyhow::Result<()> + Copy + Send + Sync + 'static,
) -> anyhow::Result<f64> {
    let database = lab.postgres.fresh_database("limit").await?;
    let client = lab.postgres.connect(&database).await?;
    client.batch_execute(tables).await?;
    let mut desks = Vec::new();
    for _ in 0..CONNECTIONS {
        let client = lab.postgres.connect(&database).await?;
        let mut prepared = Vec::new();
        for statement in statements {
            prepared.push(client.prepare(statement).await?);
        }
        desks.push(Desk {
            client,
            statements: prepared,
        });
    }
    let next = AtomicI64::new(0);
    let begin = Instant::now();
    let working = desks.iter().zip(0_i16..).map(async |(desk, shard)| {
        loop {
            let first = next.fetch_add(batch, Ordering::Relaxed);
            if first >= rows {
                return anyhow::Ok(());
            }
            write(desk, shard, Rows::new(first, batch.min(rows - first))).await?;
        }
    });
    futures::future::try_join_all(working).await?;
    // Far below 2^52.
    #[allow(clippy::cast_precision_loss)]
    Ok(rows as f64 / begin.elapsed().as_secs_f64())
}
