//! How far services are with their orders: by their metrics, and by what their databases
//! hold.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use testkit::{rest::Rest, services::Addresses, wait::until};

use crate::mesh::Mesh;

/// In the order in which one makes the next one's records, and how many each has of an
/// order, or more where that has several mails.
pub(crate) const RECORDS: [(&str, i64); 4] = [
    ("payments", 1),
    ("history", 2),
    ("notifier", 2),
    ("analytics", 3),
];
/// What is settled at all is settled by then.
const LONGEST: Duration = Duration::from_secs(300);

/// Records that a service is done with, as its metrics tell. A dead letter is no work
/// done, and fails.
pub(crate) async fn settled(admin: &Rest) -> anyhow::Result<i64> {
    let answer = admin.get("/metrics").await?;
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    let count = |is_dead: bool| -> i64 {
        let lines = text.lines();
        let lines = lines.filter(|line| line.starts_with("ordermesh_consumer_records_total{"));
        lines
            .filter(|line| line.contains("outcome=\"dead\"") == is_dead)
            .filter_map(|line| line.rsplit(' ').next()?.parse::<i64>().ok())
            .sum()
    };
    let dead = count(true);
    anyhow::ensure!(dead == 0, "{dead} dead letters");
    Ok(count(false))
}

/// A service, the records that it has of an order, and where its metrics are.
pub(crate) type Admin = (&'static str, i64, Rest);

/// Where to ask what services are done with.
pub(crate) fn admins(addresses: &Addresses) -> [Admin; RECORDS.len()] {
    RECORDS.map(|(service, records)| (service, records, Rest::new(&addresses.admin(service))))
}

/// How many orders each service is done with.
pub(crate) async fn handled(admins: &[Admin]) -> anyhow::Result<Vec<(&'static str, i64)>> {
    let mut handled = Vec::with_capacity(admins.len());
    for (service, records, admin) in admins {
        handled.push((*service, settled(admin).await? / records));
    }
    Ok(handled)
}

/// Waits until every order that history has is paid and mailed, all of that is
/// counted, and no more come.
pub(crate) async fn until_settled(mesh: &Mesh<'_>) -> anyhow::Result<()> {
    // Asking databases again and again would take more of the machine than orders do.
    until_handled(mesh).await?;
    let before = AtomicI64::new(-1);
    until("every effect", LONGEST, async || {
        let orders = mesh.count("history", "SELECT count(*) FROM orders").await?;
        let paid = "SELECT count(*) FROM payments WHERE published_at IS NOT NULL";
        let paid = mesh.count("payments", paid).await?;
        let mailed = "SELECT count(*) FROM orders WHERE mails IS NOT NULL AND NOT EXISTS
            (SELECT FROM notifications JOIN outbox USING (notification_id)
             WHERE notifications.order_id = orders.order_id)";
        let mailed = mesh.count("notifier", mailed).await?;
        let counted = mesh
            .count("analytics", "SELECT count(*) FROM inbox")
            .await?;
        let was = before.swap(orders, Ordering::Relaxed);
        anyhow::ensure!(
            orders > 0
                && orders == was
                && paid == orders
                && mailed == orders
                && counted >= orders * 3,
            "{orders} orders, {paid} paid, {mailed} mailed, {counted} events counted"
        );
        anyhow::Ok(())
    })
    .await
}

/// Waits until services are done with all records, as their metrics tell, and no more
/// come.
async fn until_handled(mesh: &Mesh<'_>) -> anyhow::Result<()> {
    let admins = admins(&mesh.addresses);
    let before = AtomicI64::new(-1);
    until("every record", LONGEST, async || {
        let handled = handled(&admins).await?;
        let orders = handled.first().map_or(0, |(_, orders)| *orders);
        let was = before.swap(orders, Ordering::Relaxed);
        anyhow::ensure!(
            orders > 0 && orders == was && handled.iter().all(|(_, done)| *done >= orders),
            "orders handled: {handled:?}"
        );
        anyhow::Ok(())
    })
    .await
}
