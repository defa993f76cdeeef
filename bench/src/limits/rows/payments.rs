//! Payments' three statements: claim, settle, mark.

use proto::time::UnixMicros;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::{Desk, Rows, flat_out};
use crate::lab::Lab;

/// The service's own (`PAYMENTS__BATCH_MAX`).
const BATCH: usize = 128;
const TABLES: &str =
    include_str!("../../../../payments/migrations/postgres/2026-01-01-000000_payments/up.sql");
const CLAIM: &str = concat!(
    include_str!("../../../../payments/src/store/claim.sql"),
    "*"
);
const SETTLE: &str = include_str!("../../../../payments/src/store/settle.sql");
const MARK_PUBLISHED: &str = include_str!("../../../../payments/src/store/mark_published.sql");

/// Payments a second, from intent to mark.
pub(crate) async fn rate(lab: &Lab, rows: i64) -> anyhow::Result<f64> {
    let statements = &[CLAIM, SETTLE, MARK_PUBLISHED];
    flat_out(lab, TABLES, statements, rows, BATCH, pay).await
}

async fn pay(desk: &Desk, shard: i16, rows: &Rows) -> anyhow::Result<()> {
    let size = rows.payments.len();
    let (lease, now) = (Uuid::now_v7(), UnixMicros::now().as_micros());
    let (leases, due_at) = (vec![lease; size], vec![now + 30_000_000; size]);
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
        &leases,
        &due_at,
        &now,
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
        &leases,
        &shard,
    ];
    let settled = desk.client.query(&desk.statements[1], &values).await?;
    anyhow::ensure!(settled.len() == size, "{} of {size}", settled.len());
    let values: [&(dyn ToSql + Sync); 2] = [&rows.payments, &now];
    desk.client.execute(&desk.statements[2], &values).await?;
    Ok(())
}
