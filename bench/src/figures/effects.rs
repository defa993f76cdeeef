//! From accepted to all effects, at half of what the whole system keeps up with.
//!
//! The peak is what all services together get through, all on this machine: a
//! backlog of orders, from the first to the last effect.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use ordermesh::load::Door;
use testkit::{rest::Rest, services::SERVICES};
use uuid::Uuid;

use super::Found;
use crate::{
    lab::Lab,
    load::{flat_out, rest, steady},
    mesh::Mesh,
    plot::{Curve, Plot},
    progress::until_settled,
    series::{Series, float},
    spent::{Costs, Meter},
    table::{Goal, Line},
};

const CALLERS: u32 = 64;

/// Orders a second of the curve, step by step.
const RATES: [u32; 5] = [50, 100, 200, 400, 800];

pub(super) async fn measure(lab: &Lab) -> anyhow::Result<Found> {
    let mut peaks = Series::default();
    let mut p99 = Series::default();
    let mut costs = Costs::default();
    for _ in 0..lab.plan.rounds {
        let mut mesh = Mesh::prepare(lab, &[("PAYMENTS__PROVIDER_LATENCY", "0ms")]).await?;
        mesh.begin_all().await?;
        let door = mesh.addresses.rest().to_owned();
        all_in_place(&mesh, &door).await?;
        let begin = Instant::now();
        flat_out(&door, Door::Rest, rest(CALLERS), lab.plan.turn / 2).await?;
        until_settled(&mesh).await?;
        let orders = mesh.count("history", "SELECT count(*) FROM orders").await?;
        let peak = float(orders) / begin.elapsed().as_secs_f64();
        peaks.push(peak);

        let from = last_placed(&mesh).await?;
        // Rates are a few thousand a second.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let rate = (peak / 2.0).max(1.0) as u32;
        let meter = of_all(lab, &mesh).await?;
        let report = steady(&door, rate, lab.plan.turn, Duration::ZERO).await?;
        // Looking whether all is settled is not an order's cost; what the last ones still
        // take after this is left out.
        costs.push(meter.on_each(i64::try_from(report.accepted())?)?);
        until_settled(&mesh).await?;
        let time = percentile(&times(&mesh, from).await?, 99)?;
        println!(
            "  peak {peak:.0} orders/s; at half of it orders are stored, paid and mailed within {time:.1} ms (p99)"
        );
        p99.push(time);
        mesh.end_all().await?;
        lab.forget();
    }
    let mut costs = costs.lines("an order at half of the peak");
    let (plot, by_rate) = by_rate(lab).await?;
    costs.extend(by_rate);
    let effects = [
        Line {
            what: "accepted to stored, paid, mailed and counted, whole system, peak".to_owned(),
            unit: "orders/s".into(),
            ours: peaks,
            other: None,
            goal: Goal::None,
        },
        Line {
            what: "accepted to stored, paid and mailed, p99, at half of the peak".to_owned(),
            unit: "ms".into(),
            ours: p99,
            other: None,
            goal: Goal::AtMost(50.0),
        },
    ];
    Ok(Found {
        lines: effects.into_iter().chain(costs).collect(),
        plots: vec![plot],
    })
}

/// Of everything that an order passes.
async fn of_all(lab: &Lab, mesh: &Mesh<'_>) -> anyhow::Result<Meter> {
    let mut meter = Meter::start(lab).await?;
    for service in SERVICES {
        meter = meter.and(service, mesh.id(service))?;
    }
    Ok(meter)
}

/// How long all effects take at which rate, and what an order costs then.
async fn by_rate(lab: &Lab) -> anyhow::Result<(Plot, Vec<Line>)> {
    let mut mesh = Mesh::prepare(lab, &[("PAYMENTS__PROVIDER_LATENCY", "0ms")]).await?;
    mesh.begin_all().await?;
    let door = mesh.addresses.rest().to_owned();
    all_in_place(&mesh, &door).await?;
    flat_out(&door, Door::Rest, rest(CALLERS), lab.plan.turn / 2).await?;
    until_settled(&mesh).await?;
    let (mut p99, mut p50, mut lines) = (Vec::new(), Vec::new(), Vec::new());
    for rate in RATES {
        let from = last_placed(&mesh).await?;
        let meter = of_all(lab, &mesh).await?;
        let report = steady(&door, rate, lab.plan.turn * 2, Duration::ZERO).await?;
        let costs = meter.on_each(i64::try_from(report.accepted())?)?;
        let cost: f64 = costs.iter().map(|(_, cost)| cost).sum();
        until_settled(&mesh).await?;
        let times = times(&mesh, from).await?;
        let (half, most) = (percentile(&times, 50)?, percentile(&times, 99)?);
        println!(
            "  {rate:>4} orders/s: stored, paid and mailed within {half:.1} ms (p50), {most:.1} ms (p99); \
             {cost:.0} µs of CPU time an order"
        );
        lines.push(Line {
            what: format!("CPU of an order at {rate} orders/s, all parts"),
            unit: "µs".into(),
            ours: [cost].into_iter().collect(),
            other: None,
            goal: Goal::None,
        });
        p50.push((f64::from(rate), half));
        p99.push((f64::from(rate), most));
        lab.forget();
    }
    mesh.end_all().await?;
    let curve = |name: &str, is_minor, points| Curve {
        name: name.to_owned(),
        is_minor,
        points,
    };
    let plot = Plot {
        name: "effects".into(),
        title: "From accepting an order to stored, paid and mailed (thick: p99, thin: p50)".into(),
        across: "orders a second".into(),
        up: "ms".into(),
        curves: vec![
            curve("stored, paid and mailed", false, p99),
            curve("p50", true, p50),
        ],
    };
    Ok((plot, lines))
}

/// Sees an order through, so that every consumer has its partitions by then.
async fn all_in_place(mesh: &Mesh<'_>, door: &str) -> anyhow::Result<()> {
    place(&Rest::new(door)).await?;
    until_settled(mesh).await
}

/// Places an order of one line.
pub(super) async fn place(door: &Rest) -> anyhow::Result<()> {
    let order = serde_json::json!({
        "userId": 42,
        "products": [{ "id": 1, "name": "Keyboard", "price": 999 }],
    });
    let answer = door.post("/order", &order).await?;
    anyhow::ensure!(answer.status == 202, "{}", answer.status);
    Ok(())
}

/// When the last order was placed that history has.
pub(super) async fn last_placed(mesh: &Mesh<'_>) -> anyhow::Result<i64> {
    let sql = "SELECT coalesce(max(placed_at), 0) FROM orders";
    mesh.count("history", sql).await
}

/// How long orders after a moment took until stored, paid and mailed, in microseconds,
/// sorted. By the times, on one clock, that the services write down with it, right before
/// each transaction's end.
pub(super) async fn times(mesh: &Mesh<'_>, from: i64) -> anyhow::Result<Vec<i64>> {
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
    Ok(times)
}

/// So many of a hundred were within this, in milliseconds.
pub(super) fn percentile(times: &[i64], percent: usize) -> anyhow::Result<f64> {
    let last = times.len().saturating_sub(1);
    let time = times.get((times.len() * percent / 100).min(last));
    let time = time.ok_or_else(|| anyhow::anyhow!("no order came"))?;
    Ok(float(*time) / 1e3)
}
