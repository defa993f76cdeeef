//! Memory over half an hour of steady orders: whether it grows.
//!
//! Under load a service's memory goes up and down with what it has in hand. What it
//! does not give back shows at rest; so the load pauses twice, and what each service
//! holds at rest at the end is set against what it held at rest before.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use testkit::{services::SERVICES, wait::until};
use tokio::time::{interval, sleep};

use crate::{
    cpu,
    lab::Lab,
    load::steady,
    mesh::Mesh,
    progress::until_settled,
    series::Series,
    table::{Goal, Line},
};

/// Well within what the whole system keeps up with on two cores.
const RATE: u32 = 1_000;
/// In the first one buffers and pools fill up.
const PARTS: u32 = 3;
const MINUTE: Duration = Duration::from_secs(60);
/// How far apart two readings at rest are. The allocator keeps unused pages for a
/// second, or for longer while little goes on.
const APART: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(120);
/// Two readings that differ by no more are of a service at rest, in MB.
const STILL: f64 = 0.5;
/// What allocators keep varies; a leak of one byte in a thousand orders would
/// not show, one of 10 bytes an order would be 6 MB in the last part.
const GROWTH: f64 = 1.05;

/// MB of each service.
type Memory = [f64; SERVICES.len()];

pub(super) async fn measure(lab: &Lab) -> anyhow::Result<Vec<Line>> {
    let mut mesh = Mesh::prepare(lab, &[("PAYMENTS__PROVIDER_LATENCY", "0ms")]).await?;
    mesh.begin_all().await?;
    let time = lab
        .plan
        .of(Duration::from_secs(30), Duration::from_mins(30));
    let part = time / PARTS;
    let door = mesh.addresses.rest().to_owned();
    let mut orders = 0;
    let (mut before, mut last) = (Memory::default(), Memory::default());
    for _ in 0..PARTS {
        let loading = steady(&door, RATE, part, Duration::ZERO);
        // The first that fails ends the other.
        let (report, ()) = tokio::try_join!(loading, watch(lab, &mesh, part))?;
        orders += report.accepted();
        until_settled(&mesh).await?;
        before = std::mem::replace(&mut last, at_rest(&mesh).await?);
        println!("  at rest after {orders} orders: {}", told(&last));
    }
    mesh.end_all().await?;
    let each = SERVICES.iter().zip(last.into_iter().zip(before));
    Ok(each
        .map(|(service, (last, before))| line(service, last, before, orders))
        .collect())
}

/// Says every minute what each service holds, for so long.
async fn watch(lab: &Lab, mesh: &Mesh<'_>, time: Duration) -> anyhow::Result<()> {
    let end = Instant::now() + time;
    let mut minutes = interval(MINUTE);
    // The first tick is now.
    minutes.tick().await;
    while Instant::now() + MINUTE <= end {
        minutes.tick().await;
        println!("  under load: {}", told(&memory(mesh)?));
        // The sinks' own memory is not what is looked at.
        lab.forget();
    }
    Ok(())
}

/// What each service holds when it holds the same for a while.
async fn at_rest(mesh: &Mesh<'_>) -> anyhow::Result<Memory> {
    let before = Cell::new(memory(mesh)?);
    until("services to come to rest", LONGEST, async || {
        sleep(APART).await;
        let now = memory(mesh)?;
        let before = before.replace(now);
        let mut pairs = now.iter().zip(&before);
        let is_still = pairs.all(|(now, before)| (now - before).abs() <= STILL);
        anyhow::ensure!(is_still, "{}", told(&now));
        anyhow::Ok(now)
    })
    .await
}

fn memory(mesh: &Mesh<'_>) -> anyhow::Result<Memory> {
    let mut memory = Memory::default();
    for (service, memory) in SERVICES.iter().zip(&mut memory) {
        *memory = cpu::memory(mesh.id(service))?.0;
    }
    Ok(memory)
}

fn told(memory: &Memory) -> String {
    let each: Vec<String> = SERVICES
        .iter()
        .zip(memory)
        .map(|(service, memory)| format!("{service} {memory:.1}"))
        .collect();
    format!("{} MB", each.join(", "))
}

fn line(service: &str, last: f64, before: f64, orders: u64) -> Line {
    let one = |memory| [memory].into_iter().collect::<Series>();
    Line {
        what: format!("memory of {service} at rest, after {orders} orders"),
        unit: "MB".into(),
        ours: one(last),
        other: Some(("a third before".to_owned(), one(before))),
        goal: Goal::RatioAtMost(GROWTH),
    }
}
