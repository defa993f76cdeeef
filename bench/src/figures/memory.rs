//! Memory at full load: the most that each process held.

use ordermesh::load::Door;
use testkit::{
    process::{Process, Spec},
    services,
};

use super::doors::{flat_out, rest};
use crate::{
    cpu,
    lab::Lab,
    mesh::{Mesh, STOP},
    series::Series,
    table::{Goal, Line},
};

const CALLERS: u32 = 512;
const GATEWAY: f64 = 64.0;
const SERVICE: f64 = 96.0;
const ALL_IN_ONE: f64 = 120.0;

pub(super) async fn measure(lab: &Lab) -> anyhow::Result<Vec<Line>> {
    let mut lines = Vec::new();
    let mut mesh = Mesh::prepare(lab, &[("PAYMENTS__PROVIDER_LATENCY", "0ms")]).await?;
    mesh.begin_all().await?;
    let door = mesh.addresses.rest().to_owned();
    flat_out(&door, Door::Rest, rest(CALLERS), lab.plan.turn * 2).await?;
    for service in services::SERVICES {
        let goal = if service == "gateway" {
            GATEWAY
        } else {
            SERVICE
        };
        lines.push(line(service, mesh.id(service), goal)?);
    }
    mesh.end_all().await?;
    lab.forget();

    let (process, door) = all_in_one(lab).await?;
    flat_out(&door, Door::Rest, rest(CALLERS), lab.plan.turn * 2).await?;
    lines.push(line("all in one process", process.id(), ALL_IN_ONE)?);
    process.stop(STOP).await?;
    Ok(lines)
}

fn line(what: &str, id: u32, goal: f64) -> anyhow::Result<Line> {
    let (_, most) = cpu::memory(id)?;
    Ok(Line {
        what: format!("memory of {what}, {CALLERS} callers"),
        unit: "MB".into(),
        ours: [most].into_iter().collect::<Series>(),
        other: None,
        goal: Goal::AtMost(goal),
    })
}

/// `ordermesh up --ephemeral` on ports of its own.
async fn all_in_one(lab: &Lab) -> anyhow::Result<(Process, String)> {
    let addresses = services::Addresses::free()?;
    let log = lab.scratch.path().join("ordermesh.log");
    let mut spec = Spec::new("ordermesh", services::binary("ordermesh")?, log)
        .args(["up", "--ephemeral"])
        .env("NOTIFIER__SMTP_URL", lab.smtp.url());
    for (key, value) in addresses.environment() {
        spec = spec.env(key, value);
    }
    let process = Process::spawn(spec).await?;
    for service in services::SERVICES {
        services::until_ready(&process, &addresses.admin(service)).await?;
    }
    Ok((process, addresses.rest().to_owned()))
}
