//! CPU time of an order in each service, with few and with many orders in store.

use std::time::{Duration, Instant};

use testkit::{rest::Rest, wait::until};

use super::{
    Found,
    backlog::{RECORDS, settled},
};
use crate::{
    lab::Lab,
    mesh::Mesh,
    orders,
    plot::{Curve, Plot},
    series::float,
    spent::{Cost, Costs, Meter},
    table::{Goal, Line},
};

/// Orders worked off for one measurement, which are in store for the next. A service's
/// start is part of it.
const FURTHER: i64 = 40_000;
/// Rounds of the sizes between the least and the most, which are drawn only.
const BETWEEN: u32 = 2;
/// How much dearer an order may be with many in store.
const DEARER: f64 = 1.10;
const LONGEST: Duration = Duration::from_secs(3_600);
pub(super) async fn measure(lab: &Lab) -> anyhow::Result<Found> {
    let few = lab.plan.of(2_000, 10_000);
    let most = lab.plan.of(20_000, lab.plan.store);
    let mut curves = RECORDS.map(|(service, _)| Curve {
        name: service.to_owned(),
        ..Curve::default()
    });
    let mut found = Found::default();
    let mut large = Store::new(lab).await?;
    for size in sizes(few, most) {
        let more = size - large.orders;
        anyhow::ensure!(
            more > 0,
            "the rounds before have made more orders than {size}"
        );
        large.work_off(more).await?;
        let (mut of_few, mut of_many) = Default::default();
        let rounds = if size == most {
            lab.plan.rounds
        } else {
            lab.plan.rounds.min(BETWEEN)
        };
        for _ in 0..rounds {
            let mut small = Store::new(lab).await?;
            small.work_off(few).await?;
            push(&mut of_few, small.work_off(FURTHER).await?);
            push(&mut of_many, large.work_off(FURTHER).await?);
        }
        for (number, (service, _)) in RECORDS.iter().enumerate() {
            let (beside, cost) = (of_few[number].of(service), of_many[number].of(service));
            println!(
                "  {service}, {size} in store: {:.1} µs, beside {:.1} µs",
                cost.median(),
                beside.median()
            );
            let point = (float(size), cost.median());
            curves[number].points.push(point);
        }
        // Those of the last size count.
        found.lines = lines(few, &of_few, size, &of_many);
    }
    found.plots.push(Plot {
        name: "cost".into(),
        title: "CPU time of an order in each service".into(),
        across: "orders in store".into(),
        up: "µs".into(),
        curves: curves.into(),
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

/// What an order cost while each service was at work.
type ByService<T> = [T; RECORDS.len()];

fn push(costs: &mut ByService<Costs>, more: ByService<Vec<Cost>>) {
    for (costs, more) in costs.iter_mut().zip(more) {
        costs.push(more);
    }
}

/// A line for each service, and one for what its statements cost the database.
fn lines(few: i64, of_few: &ByService<Costs>, many: i64, of_many: &ByService<Costs>) -> Vec<Line> {
    let mut lines = Vec::new();
    for ((service, _), (of_few, of_many)) in RECORDS.iter().zip(of_few.iter().zip(of_many)) {
        for (part, goal) in [
            (*service, Goal::RatioAtMost(DEARER)),
            ("PostgreSQL", Goal::None),
        ] {
            lines.push(Line {
                what: format!("{service}, CPU of an order, {part}, {many} in store"),
                unit: "µs".into(),
                ours: of_many.of(part),
                other: Some((format!("{few} in store"), of_few.of(part))),
                goal,
            });
        }
    }
    lines
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

    /// Lets each service in turn work off so many orders more; gives what an order
    /// cost it, and the others meanwhile.
    async fn work_off(&mut self, more: i64) -> anyhow::Result<ByService<Vec<Cost>>> {
        let mut costs = ByService::default();
        let topic = self.mesh.kafka()?.topic("orders.v1");
        orders::fill(self.lab.kafka.bootstrap_servers(), topic, more).await?;
        for ((service, records), costs) in RECORDS.into_iter().zip(&mut costs) {
            let meter = Meter::start(self.lab).await?;
            self.mesh.begin(service).await?;
            let meter = meter.and_all_of(service, self.mesh.id(service));
            self.until_done(service, more * records, more).await?;
            *costs = meter.on_each(more)?;
            self.mesh.end(service).await?;
            self.lab.forget();
        }
        self.orders += more;
        Ok(costs)
    }

    /// Waits until a service is done with so many records, and notifier with so many
    /// mails.
    async fn until_done(
        &self,
        service: &'static str,
        records: i64,
        mails: i64,
    ) -> anyhow::Result<()> {
        let begin = Instant::now();
        let admin = Rest::new(&self.mesh.addresses.admin(service));
        let progress = until(service, LONGEST, async || {
            // Being asked takes a service's time, too.
            let pause = begin.elapsed() / 20;
            tokio::time::sleep(pause.min(Duration::from_secs(5))).await;
            let done = settled(&admin).await?;
            anyhow::ensure!(done >= records, "{done} of {records} records");
            if service == "notifier" {
                let sent = i64::try_from(self.lab.smtp.count())?;
                anyhow::ensure!(sent >= mails, "{sent} of {mails} mails");
            }
            anyhow::Ok(())
        });
        tokio::select! {
            done = progress => done,
            error = self.mesh.ended(service) => Err(error),
        }
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
