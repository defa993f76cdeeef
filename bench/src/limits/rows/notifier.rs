//! Notifier's eight statements: both halves of an order, its mail, its end; then
//! the mail's lease, its text, its record, its mark.

use proto::{
    events::v1::NotificationKind,
    id::{NotificationId, OrderId},
    time::UnixMicros,
};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::{Desk, Rows, flat_out};
use crate::lab::Lab;

/// Merged at once, by the service, where a backlog is (`NOTIFIER__BATCH_MAX`).
const BATCH: usize = 100;
/// Leased at once (`NOTIFIER__SENDS_AT_ONCE`, half of it for a round, eight times).
const LEASED: usize = 256;
const TABLES: &str = concat!(
    include_str!("../../../../notifier/migrations/postgres/0001_notifications/up.sql"),
    include_str!("../../../../notifier/migrations/postgres/0002_outbox/up.sql"),
);

macro_rules! own {
    ($name:literal) => {
        include_str!(concat!(
            "../../../../notifier/src/store/postgres/",
            $name,
            ".sql"
        ))
    };
}

const STATEMENTS: [&str; 8] = [
    own!("merge_placed"),
    own!("merge_settled"),
    own!("insert_mails"),
    own!("close_orders"),
    own!("lease"),
    "SELECT * FROM notifications JOIN bodies USING (notification_id)
     WHERE notification_id = ANY ($1)",
    own!("record"),
    own!("mark_published"),
];

/// Mails a second, from an order's first half to its mail's mark.
pub(crate) async fn rate(lab: &Lab, rows: i64) -> anyhow::Result<f64> {
    flat_out(lab, TABLES, &STATEMENTS, rows, BATCH, mail).await
}

async fn mail(desk: &Desk, _: i16, rows: &Rows) -> anyhow::Result<()> {
    merge(desk, rows).await?;
    send(desk, rows.orders.len()).await
}

/// As the service does: each half in a transaction of its own, the second with the
/// mails.
async fn merge(desk: &Desk, rows: &Rows) -> anyhow::Result<()> {
    let size = rows.orders.len();
    // As long as the real ones.
    let placed = vec![[7_u8; 90].as_slice(); size];
    let captured = vec![0_i32; size];
    let ids: Vec<Uuid> = rows
        .orders
        .iter()
        .map(|id| {
            let order = OrderId::from_uuid(*id);
            let kind = NotificationKind::OrderConfirmation;
            *NotificationId::of(order, kind, Some(0)).as_uuid()
        })
        .collect();
    let message_ids: Vec<String> = ids.iter().map(|id| format!("<{id}@example>")).collect();
    let (text, html) = ("x".repeat(400), "x".repeat(1_000));
    let now = UnixMicros::now().as_micros();
    let client = &desk.client;
    let [placing, settling, writing, closing, ..] = &*desk.statements else {
        anyhow::bail!("eight statements");
    };
    let values: [&(dyn ToSql + Sync); 4] = [&rows.orders, &rows.users, &rows.hashes, &placed];
    client.query(placing, &values).await?;
    client.batch_execute("BEGIN").await?;
    let values: [&(dyn ToSql + Sync); 3] = [&rows.orders, &rows.users, &captured];
    client.query(settling, &values).await?;
    let values: [&(dyn ToSql + Sync); 12] = [
        &ids,
        &rows.orders,
        &rows.users,
        &vec![1_i32; size],
        &vec![Some(0_i32); size],
        &vec!["buyer@customers.example"; size],
        &message_ids,
        &vec!["Your order of a product"; size],
        &vec![text.as_str(); size],
        &vec![html.as_str(); size],
        &rows.none,
        &now,
    ];
    client.execute(writing, &values).await?;
    let values: [&(dyn ToSql + Sync); 2] = [&rows.orders, &vec![1_i32; size]];
    client.execute(closing, &values).await?;
    client.batch_execute("COMMIT").await?;
    Ok(())
}

/// The outbox's part of so many mails, whosever they are.
async fn send(desk: &Desk, mails: usize) -> anyhow::Result<()> {
    let [.., leasing, reading, recording, marking] = &*desk.statements else {
        anyhow::bail!("eight statements");
    };
    let mut left = mails;
    while left > 0 {
        let (token, now) = (Uuid::now_v7(), UnixMicros::now().as_micros());
        let until = now + 30_000_000;
        let limit = i64::try_from(left.min(LEASED))?;
        let values: [&(dyn ToSql + Sync); 4] = [&token, &until, &now, &limit];
        let leased = desk.client.query(leasing, &values).await?;
        // Others may have some of them under way.
        let ids: Vec<Uuid> = leased.iter().map(|row| row.get("id")).collect();
        desk.client.query(reading, &[&ids]).await?;
        left -= ids.len();
        let values: [&(dyn ToSql + Sync); 7] = [
            &ids,
            &vec![1_i32; ids.len()],
            &vec![1_i32; ids.len()],
            &vec![""; ids.len()],
            &vec![until; ids.len()],
            &token,
            &now,
        ];
        desk.client.query(recording, &values).await?;
        desk.client.execute(marking, &[&ids]).await?;
    }
    Ok(())
}
