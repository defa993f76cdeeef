//! From accepted to all effects, at half of what the whole system keeps up with.
//!
//! The peak is what all services together get through, all on this machine: a
//! backlog of orders, from the first to the last effect.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicI64, Ordering},
    time::{Duration, Instant},
};

use ordermesh::load::{self, Door, Mode, Options};
use testkit::{services::SERVICES, wait::until};
use uuid::Uuid;

use super::{
    doors::{flat_out, rest},
    float,
};
use crate::{
    cpu,
    lab::Lab,
    mesh::Mesh,
    series::Series,
    table::{Goal, Line},
};

const CALLERS: u32 = 64;
const LONGEST: Duration = Duration::from_secs(300);

pub(super) async fn measure(lab: &Lab) -> anyhow::Result<Vec<Line>> {
    let mut peaks = Series::default();
    let mut p99 = Series::default();
    let mut costs: Vec<(&str, Series)> = Vec::new();
    for _ in 0..lab.plan.rounds {
        let mut mesh = Mesh::prepare(lab, &[("PAYMENTS__PROVIDER_LATENCY", "0ms")]).await?;
        mesh.begin_all().await?;
        let door = mesh.addresses.rest().to_owned();
        let begin = Instant::now();
        flat_out(&door, Door::Rest, rest(CALLERS), lab.plan.turn / 2).await?;
        until_settled(&mesh).await?;
        let orders = mesh.count("history", "SELECT count(*) FROM orders").await?;
        let peak = float(orders) / begin.elapsed().as_secs_f64();
        peaks.push(peak);

        let from = mesh
            .count("history", "SELECT coalesce(max(placed_at), 0) FROM orders")
            .await?;
        // Rates are a few thousand a second.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let rate = (peak / 2.0).max(1.0) as u32;
        let options = Options {
            target: door,
            duration: lab.plan.turn,
            ..Options::new(
                Door::Rest,
                Mode::Open {
                    rate,
                    ramp: Duration::from_secs(1),
                },
            )
        };
        let before = spent(lab, &mesh).await?;
        let report = load::run(options, |_| {}).await?;
        // Looking whether all is settled costs the database more than all orders do.
        let after = spent(lab, &mesh).await?;
        costs.resize_with(before.len(), Default::default);
        for (cost, (before, after)) in costs.iter_mut().zip(before.iter().zip(after)) {
            cost.0 = after.0;
            let micros = after.1.saturating_sub(before.1).as_secs_f64() * 1e6;
            cost.1
                .push(micros / float(i64::try_from(report.accepted())?));
        }
        until_settled(&mesh).await?;
        let time = slowest_effects(&mesh, from).await?;
        println!("  peak {peak:.0} orders/s; at half of it all effects within {time:.1} ms (p99)");
        p99.push(time);
        mesh.end_all().await?;
        lab.forget();
    }
    let costs = costs.into_iter().map(|(part, cost)| Line {
        what: format!("CPU of an order at half of the peak, {part}"),
        unit: "µs".into(),
        ours: cost,
        other: None,
        goal: Goal::None,
    });
    let effects = [
        Line {
            what: "accepted to all effects, whole system, peak".to_owned(),
            unit: "orders/s".into(),
            ours: peaks,
            other: None,
            goal: Goal::None,
        },
        Line {
            what: "accepted to all effects, p99, at half of the peak".to_owned(),
            unit: "ms".into(),
            ours: p99,
            other: None,
            goal: Goal::AtMost(50.0),
        },
    ];
    Ok(effects.into_iter().chain(costs).collect())
}

/// CPU time that each part has spent so far.
async fn spent(lab: &Lab, mesh: &Mesh<'_>) -> anyhow::Result<Vec<(&'static str, Duration)>> {
    let mut parts = Vec::new();
    for service in SERVICES {
        parts.push((service, cpu::time(mesh.id(service))?));
    }
    for broker in lab.kafka.brokers() {
        parts.push(("Kafka", cpu::time(broker.process_id().await?)?));
    }
    let postgres = lab.postgres.process_id().await?;
    parts.push(("PostgreSQL", cpu::time_with_children(postgres)?));
    Ok(parts)
}

/// Waits until every order that history has is paid and mailed, all of that is
/// counted, and no more come.
async fn until_settled(mesh: &Mesh<'_>) -> anyhow::Result<()> {
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

/// How long 99 of 100 orders after a moment took until stored, paid and mailed, in
/// milliseconds. By the services' own times of writing, on one clock.
async fn slowest_effects(mesh: &Mesh<'_>, from: i64) -> anyhow::Result<f64> {
    let client = mesh.connect("history").await?;
    let sql = "SELECT order_id, placed_at, stored_at FROM orders WHERE placed_at > $1";
    let mut orders: HashMap<Uuid, (i64, i64)> = HashMap::new();
    for row in client.query(sql, &[&from]).await? {
        orders.insert(row.get(0), (row.get(1), row.get(2)));
    }
    for (service, sql) in [
        ("payments", "SELECT order_id, published_at FROM payments"),
        (
            "notifier",
            "SELECT order_id, max(sent_at) FROM notifications GROUP BY order_id",
        ),
    ] {
        for row in mesh.connect(service).await?.query(sql, &[]).await? {
            if let Some((_, last)) = orders.get_mut(&row.get::<_, Uuid>(0)) {
                *last = (*last).max(row.get(1));
            }
        }
    }
    let mut times: Vec<i64> = orders
        .values()
        .map(|(placed, last)| last - placed)
        .collect();
    times.sort_unstable();
    let p99 = times.get(times.len() * 99 / 100).copied();
    let p99 = p99.ok_or_else(|| anyhow::anyhow!("no order came"))?;
    Ok(float(p99) / 1e3)
}
