//! Memory at full load: the most that each process held while orders came and were
//! worked off.

use std::time::Duration;

use ordermesh::load::{Door, Report};
use testkit::{
    process::{Process, Spec},
    services,
    wait::until,
};

use crate::{
    cpu,
    lab::Lab,
    load::{flat_out, rest, saturate},
    mesh::{Mesh, stop},
    progress::{admins, handled},
    series::Series,
    table::{Goal, Line},
};

const CALLERS: u32 = 512;
const GATEWAY: f64 = 64.0;
const SERVICE: f64 = 96.0;
const ALL_IN_ONE: f64 = 120.0;
/// Enough to see the most; it varies little.
const ROUNDS: u32 = 3;
/// Orders that each service has worked off by then: many times what it has in hand.
const MANY: i64 = 20_000;
const LONGEST: Duration = Duration::from_secs(300);

pub(super) async fn measure(lab: &Lab) -> anyhow::Result<Vec<Line>> {
    let mut most = services::SERVICES.map(|_| Series::default());
    let mut together = Series::default();
    for _ in 0..lab.plan.rounds.min(ROUNDS) {
        let mut mesh = Mesh::prepare(lab, &[("PAYMENTS__PROVIDER_LATENCY", "0ms")]).await?;
        mesh.begin_all().await?;
        let door = mesh.addresses.rest();
        let report = flat_out(door, Door::Rest, rest(CALLERS), lab.plan.turn).await?;
        until_handled(&mesh.addresses, &report).await?;
        for (service, most) in services::SERVICES.iter().zip(&mut most) {
            most.push(cpu::memory(mesh.id(service))?.1);
        }
        mesh.end_all().await?;
        lab.forget();

        let (process, addresses) = all_in_one(lab).await?;
        let door = addresses.rest();
        // The embedded broker refuses what is above its bound.
        let report = saturate(door, Door::Rest, rest(CALLERS), lab.plan.turn).await?;
        anyhow::ensure!(report.failed() == 0, "{:?}", report.faults());
        until_handled(&addresses, &report).await?;
        together.push(cpu::memory(process.id())?.1);
        stop(&process).await?;
    }
    let each = services::SERVICES.iter().zip(most).map(|(service, most)| {
        let is_gateway = *service == "gateway";
        line(service, most, if is_gateway { GATEWAY } else { SERVICE })
    });
    let together = line("all in one process", together, ALL_IN_ONE);
    Ok(each.chain([together]).collect())
}

/// Waits until each service is done with many of the orders that were accepted, or all.
async fn until_handled(addresses: &services::Addresses, report: &Report) -> anyhow::Result<()> {
    let orders = i64::try_from(report.accepted())?.min(MANY);
    let admins = admins(addresses);
    until("orders to be worked off", LONGEST, async || {
        let handled = handled(&admins).await?;
        let all = handled.iter().all(|(_, done)| *done >= orders);
        anyhow::ensure!(all, "{handled:?} of {orders} orders");
        anyhow::Ok(())
    })
    .await
}

fn line(what: &str, most: Series, goal: f64) -> Line {
    Line {
        what: format!("memory of {what}, {CALLERS} callers"),
        unit: "MB".into(),
        ours: most,
        other: None,
        goal: Goal::AtMost(goal),
    }
}

/// `ordermesh up --ephemeral` on ports of its own.
async fn all_in_one(lab: &Lab) -> anyhow::Result<(Process, services::Addresses)> {
    let addresses = services::Addresses::free()?;
    let log = lab.scratch.path().join("ordermesh.log");
    let mut spec = Spec::new("ordermesh", services::binary("ordermesh")?, log)
        .args(["up", "--ephemeral"])
        .env("NOTIFIER__SMTP_URL", lab.smtp.url())
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", lab.otlp.endpoint());
    for (key, value) in addresses.environment() {
        spec = spec.env(key, value);
    }
    let process = Process::spawn(spec).await?;
    for service in services::SERVICES {
        services::until_ready(&process, &addresses.admin(service)).await?;
    }
    Ok((process, addresses))
}
