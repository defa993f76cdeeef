//! History's one statement.

use proto::time::UnixMicros;
use tokio_postgres::types::ToSql;

use super::{Desk, Rows, flat_out};
use crate::lab::Lab;

/// The service's own (`HISTORY__BATCH_MAX`).
const BATCH: usize = 500;
const TABLES: &str = include_str!("../../../../history/migrations/postgres/0001_orders/up.sql");
const INSERT_ORDERS: &str = include_str!("../../../../history/src/store/insert_orders.sql");

/// Order rows a second.
pub(crate) async fn rate(lab: &Lab, rows: i64) -> anyhow::Result<f64> {
    let statements = &[INSERT_ORDERS];
    flat_out(lab, TABLES, statements, rows, BATCH, insert).await
}

async fn insert(desk: &Desk, _: i16, rows: &Rows) -> anyhow::Result<()> {
    // As long as the real ones: lines of one product.
    let lines = vec![[1_u8; 24].as_slice(); rows.orders.len()];
    // The trace's id is the order's; see `orders`.
    let traces: Vec<&[u8]> = rows
        .orders
        .iter()
        .map(|id| id.as_bytes().as_slice())
        .collect();
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
        &traces,
    ];
    desk.client.execute(&desk.statements[0], &values).await?;
    Ok(())
}
