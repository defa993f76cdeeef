//! Memory over half an hour of steady orders: whether it grows.

use std::time::{Duration, Instant};

use testkit::services::SERVICES;

use crate::{
    cpu,
    lab::Lab,
    load::steady,
    mesh::Mesh,
    series::Series,
    table::{Goal, Line},
};

/// Well within what the whole system keeps up with on two cores.
const RATE: u32 = 1_000;
const SAMPLE: Duration = Duration::from_secs(10);
/// Buffers and pools fill up in the beginning.
const SETTLED: f64 = 1.0 / 3.0;
/// What allocators keep varies; a leak of one byte in a thousand orders would
/// not show, one of 10 bytes an order would be 18 MB.
const GROWTH: f64 = 1.05;

pub(super) async fn measure(lab: &Lab) -> anyhow::Result<Vec<Line>> {
    let mut mesh = Mesh::prepare(lab, &[("PAYMENTS__PROVIDER_LATENCY", "0ms")]).await?;
    mesh.begin_all().await?;
    let time = lab
        .plan
        .of(Duration::from_secs(30), Duration::from_mins(30));
    let door = mesh.addresses.rest().to_owned();
    let loading = steady(&door, RATE, time, Duration::ZERO);
    // The first that fails ends the other.
    let (report, memory) = tokio::try_join!(loading, samples(lab, &mesh, time))?;
    mesh.end_all().await?;
    Ok(SERVICES
        .iter()
        .zip(&memory)
        .map(|(service, samples)| line(service, samples, report.accepted()))
        .collect())
}

/// What each service holds, for so long.
async fn samples(lab: &Lab, mesh: &Mesh<'_>, time: Duration) -> anyhow::Result<Vec<Vec<f64>>> {
    let ids = SERVICES.map(|service| mesh.id(service));
    let mut memory = vec![Vec::new(); ids.len()];
    let begin = Instant::now();
    let mut ticks = tokio::time::interval(SAMPLE.min(time / 30));
    let mut told = 0;
    while begin.elapsed() < time {
        ticks.tick().await;
        for (samples, id) in memory.iter_mut().zip(ids) {
            samples.push(cpu::memory(id)?.0);
        }
        let minute = begin.elapsed().as_secs() / 60;
        if minute > told {
            told = minute;
            tell(minute, &memory);
        }
        // The sinks' own memory is not what is looked at.
        lab.forget();
    }
    Ok(memory)
}

/// Says what each service holds now.
fn tell(minute: u64, memory: &[Vec<f64>]) {
    let each: Vec<String> = SERVICES
        .iter()
        .zip(memory)
        .filter_map(|(service, samples)| Some(format!("{service} {:.1}", samples.last()?)))
        .collect();
    println!("  after {minute} min: {} MB", each.join(", "));
}

/// The last third over the one before.
fn line(service: &str, samples: &[f64], orders: u64) -> Line {
    // Counts of samples are small.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss
    )]
    let third = (samples.len() as f64 * SETTLED) as usize;
    let middle: Series = samples.iter().copied().skip(third).take(third).collect();
    let last: Series = samples.iter().copied().skip(2 * third).collect();
    let one = |series: &Series| [series.median()].into_iter().collect::<Series>();
    Line {
        what: format!("memory of {service} after {orders} orders"),
        unit: "MB".into(),
        ours: one(&last),
        other: Some(("a third before".to_owned(), one(&middle))),
        goal: Goal::RatioAtMost(GROWTH),
    }
}
