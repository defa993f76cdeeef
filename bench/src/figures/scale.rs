//! One instance of a service against four: what a second of CPU time gets done.
//!
//! On a machine with two cores four instances cannot be four times as fast; but
//! none may cost more for there being others.

use std::time::Duration;

use testkit::{ports, wait::until};

use crate::{
    cpu,
    lab::Lab,
    mesh::{Mesh, stop},
    orders,
    series::{Series, float},
    table::{Goal, Line},
};

const MANY: usize = 4;
const LONGEST: Duration = Duration::from_secs(300);

pub(super) async fn measure(lab: &Lab) -> anyhow::Result<Vec<Line>> {
    let orders: i64 = lab.plan.of(20_000, 100_000);
    let mut lines = Vec::new();
    for (service, sql) in [
        ("history", "SELECT count(*) FROM orders"),
        (
            "payments",
            "SELECT count(*) FROM payments WHERE published_at IS NOT NULL",
        ),
    ] {
        let (mut one, mut many) = (Series::default(), Series::default());
        for _ in 0..lab.plan.rounds {
            one.push(per_cpu_second(lab, service, sql, orders, 1).await?);
            many.push(per_cpu_second(lab, service, sql, orders, MANY).await?);
        }
        lines.push(Line {
            what: format!("{service}, {MANY} instances"),
            unit: "records a CPU second".into(),
            ours: many,
            other: Some(("1 instance".to_owned(), one)),
            goal: Goal::RatioAtLeast(0.85),
        });
    }
    Ok(lines)
}

async fn per_cpu_second(
    lab: &Lab,
    service: &str,
    sql: &str,
    orders: i64,
    instances: usize,
) -> anyhow::Result<f64> {
    let mesh = Mesh::prepare(lab, &[("PAYMENTS__PROVIDER_LATENCY", "0ms")]).await?;
    let section = service.to_ascii_uppercase();
    let keys = [
        format!("{section}__GRPC_ADDRESS"),
        format!("{section}__ADMIN_ADDRESS"),
    ];
    let mut processes = Vec::new();
    for _ in 0..instances {
        let values = [free()?, free()?];
        let more = [
            (keys[0].as_str(), values[0].as_str()),
            (keys[1].as_str(), values[1].as_str()),
        ];
        let process = mesh.another(service, &more).await?;
        testkit::services::until_ready(&process, &values[1]).await?;
        processes.push(process);
    }
    // Starting is not working, nor is the first use of memory and connections: both cost
    // each process once.
    work_off(lab, &mesh, service, sql, orders / 5).await?;
    let before = cpu_seconds(&processes)?;
    work_off(lab, &mesh, service, sql, orders).await?;
    let spent = cpu_seconds(&processes)? - before;
    for process in processes {
        stop(&process).await?;
    }
    Ok(float(orders) / spent)
}

/// Puts so many orders more on Kafka, and waits until all are done.
async fn work_off(
    lab: &Lab,
    mesh: &Mesh<'_>,
    service: &str,
    sql: &str,
    orders: i64,
) -> anyhow::Result<()> {
    let all = mesh.count(service, sql).await? + orders;
    let topic = mesh.kafka()?.topic("orders.v1");
    orders::fill(lab.kafka.bootstrap_servers(), topic, orders).await?;
    until("the backlog", LONGEST, async || {
        let rows = mesh.count(service, sql).await?;
        anyhow::ensure!(rows == all, "{rows} of {all}");
        anyhow::Ok(())
    })
    .await
}

fn free() -> std::io::Result<String> {
    Ok(format!("127.0.0.1:{}", ports::free()?))
}

fn cpu_seconds(processes: &[testkit::process::Process]) -> anyhow::Result<f64> {
    let times = processes.iter().map(|process| cpu::time(process.id()));
    let times = times.collect::<anyhow::Result<Vec<_>>>()?;
    Ok(times.iter().map(Duration::as_secs_f64).sum())
}
