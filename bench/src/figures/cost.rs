//! CPU time of an order in each service, with few and with many orders in store.

use std::time::{Duration, Instant};

use testkit::wait::until;

use super::float;
use crate::{
    cpu,
    lab::Lab,
    mesh::Mesh,
    orders,
    series::Series,
    table::{Goal, Line},
};

/// Orders worked off for one measurement.
const FURTHER: i64 = 10_000;
/// How much dearer an order may be with many in store.
const DEARER: f64 = 1.10;
const LONGEST: Duration = Duration::from_secs(3_600);
/// In the order in which one makes the next one's records.
const SERVICES: [(&str, &str, i64); 4] = [
    ("history", "SELECT count(*) FROM orders", 1),
    (
        "payments",
        "SELECT count(*) FROM payments WHERE published_at IS NOT NULL",
        1,
    ),
    (
        "notifier",
        "SELECT count(*) FROM notifications WHERE published",
        1,
    ),
    ("analytics", "SELECT count(*) FROM inbox", 3),
];

pub(super) async fn measure(lab: &Lab) -> anyhow::Result<Vec<Line>> {
    let few = lab.plan.of(2_000, 10_000);
    let many = lab.plan.of(20_000, lab.plan.store);
    let (mut of_few, mut of_many) = (costs(), costs());
    let mut small = Store::new(lab).await?;
    small.work_off(few).await?;
    let mut large = Store::new(lab).await?;
    large.work_off(many).await?;
    for _ in 0..lab.plan.rounds {
        for (store, costs) in [(&mut small, &mut of_few), (&mut large, &mut of_many)] {
            for (cost, spent) in costs.iter_mut().zip(store.work_off(FURTHER).await?) {
                cost.push(spent);
            }
        }
        lab.forget();
    }
    let pairs = of_few.into_iter().zip(of_many);
    let lines = SERVICES
        .iter()
        .zip(pairs)
        .map(|((service, _, _), (few_cost, many_cost))| Line {
            what: format!("{service}, CPU of an order, {many} in store"),
            unit: "µs",
            ours: many_cost,
            other: Some((format!("{few} in store"), few_cost)),
            goal: Goal::RatioAtMost(DEARER),
        });
    Ok(lines.collect())
}

fn costs() -> Vec<Series> {
    SERVICES.iter().map(|_| Series::default()).collect()
}

/// A system, and how many orders it has seen.
struct Store<'lab> {
    lab: &'lab Lab,
    mesh: Mesh<'lab>,
    orders: i64,
}

impl<'lab> Store<'lab> {
    async fn new(lab: &'lab Lab) -> anyhow::Result<Self> {
        Ok(Self {
            lab,
            mesh: Mesh::prepare(lab, &[("PAYMENTS__PROVIDER_LATENCY", "0ms")]).await?,
            orders: 0,
        })
    }

    /// Lets each service in turn work off so many orders more; gives what each
    /// spent on one, in microseconds of CPU time.
    async fn work_off(&mut self, more: i64) -> anyhow::Result<Vec<f64>> {
        self.orders += more;
        let mut costs = Vec::new();
        let topic = self.mesh.kafka()?.topic("orders.v1");
        orders::fill(self.lab.kafka.bootstrap_servers(), topic, more).await?;
        for (service, sql, rows) in SERVICES {
            let begin = Instant::now();
            self.mesh.begin(service).await?;
            let all = self.orders * rows;
            let id = self.mesh.id(service);
            until(service, LONGEST, async || {
                // Counting millions of rows takes the database's time.
                let pause = begin.elapsed() / 20;
                tokio::time::sleep(pause.min(Duration::from_secs(5))).await;
                let done = self.mesh.count(service, sql).await?;
                anyhow::ensure!(done >= all, "{done} of {all}");
                anyhow::Ok(())
            })
            .await?;
            costs.push(cpu::time(id)?.as_secs_f64() * 1e6 / float(more));
            self.mesh.end(service).await?;
            self.lab.forget();
        }
        Ok(costs)
    }
}
