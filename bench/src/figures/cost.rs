//! CPU time of an order in each service, with few and with many orders in store.

use std::time::{Duration, Instant};

use testkit::wait::until;

use super::{Found, backlog, float};
use crate::{
    cpu,
    lab::Lab,
    mesh::Mesh,
    orders,
    plot::{Curve, Plot},
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
    ("notifier", backlog::MAILS_DONE, 1),
    ("analytics", "SELECT count(*) FROM inbox", 3),
];

pub(super) async fn measure(lab: &Lab) -> anyhow::Result<Found> {
    let few = lab.plan.of(2_000, 10_000);
    let sizes = sizes(few, lab.plan.of(20_000, lab.plan.store));
    let mut curves: Vec<Curve> = SERVICES
        .iter()
        .map(|(service, _, _)| Curve {
            name: (*service).to_owned(),
            ..Curve::default()
        })
        .collect();
    let mut found = Found::default();
    let mut large = Store::new(lab).await?;
    for size in sizes {
        let mut small = Store::new(lab).await?;
        small.work_off(few).await?;
        large.work_off(size - large.orders).await?;
        let (mut of_few, mut of_many) = (costs(), costs());
        for _ in 0..lab.plan.rounds {
            for (store, costs) in [(&mut small, &mut of_few), (&mut large, &mut of_many)] {
                for (cost, spent) in costs.iter_mut().zip(store.work_off(FURTHER).await?) {
                    cost.push(spent);
                }
            }
        }
        found.lines.clear();
        for (number, (few_cost, many_cost)) in of_few.into_iter().zip(of_many).enumerate() {
            let (service, _, _) = SERVICES[number];
            println!(
                "  {service}, {size} in store: {:.1} µs, beside {:.1} µs",
                many_cost.median(),
                few_cost.median()
            );
            curves[number]
                .points
                .push((float(size), many_cost.median()));
            found.lines.push(Line {
                what: format!("{service}, CPU of an order, {size} in store"),
                unit: "µs".into(),
                ours: many_cost,
                other: Some((format!("{few} in store"), few_cost)),
                goal: Goal::RatioAtMost(DEARER),
            });
        }
    }
    found.plots.push(Plot {
        name: "cost".into(),
        title: "CPU time of an order in each service".into(),
        across: "orders in store".into(),
        up: "µs".into(),
        curves,
    });
    Ok(found)
}

/// Ten times as many each, up to the most.
fn sizes(few: i64, most: i64) -> Vec<i64> {
    let mut sizes: Vec<i64> = std::iter::successors(Some(few), |size| size.checked_mul(10))
        .skip(1)
        .take_while(|size| *size < most)
        .collect();
    sizes.push(most);
    sizes
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_end_at_the_most() {
        assert_eq!(sizes(10, 5_000), [100, 1_000, 5_000]);
        assert_eq!(sizes(10, 20), [20]);
    }
}
