//! CPU time of an order in each service, with few and with many orders in store.
//!
//! CPU time of the same work differs by a tenth and more from one minute to the next. So
//! both systems work at the same time, on a backlog of the same length each: what slows
//! one down slows down the other.

use std::time::{Duration, Instant};

use testkit::{rest::Rest, smtp, wait::until};

use super::Found;
use crate::{
    lab::Lab,
    mesh::Mesh,
    orders,
    plot::{Curve, Plot},
    progress::{RECORDS, settled},
    series::float,
    spent::{Cost, Costs, Meter},
    table::{Goal, Line},
};

/// Rounds of the sizes between the least and the most, which are drawn only.
const BETWEEN: u32 = 2;
/// How much dearer an order may be with many in store.
const DEARER: f64 = 1.10;
const LONGEST: Duration = Duration::from_secs(3_600);

pub(super) async fn measure(lab: &Lab) -> anyhow::Result<Found> {
    let few = lab.plan.of(2_000, 10_000);
    let most = lab.plan.of(40_000, lab.plan.store);
    // Worked off for one measurement, and in store for the next.
    let further = lab.plan.of(5_000, 100_000);
    let mut curves = RECORDS.map(|(service, _)| Curve {
        name: service.to_owned(),
        ..Curve::default()
    });
    let mut found = Found::default();
    let mut large = Store::new(lab).await?;
    for size in sizes(few, most, further * i64::from(BETWEEN)) {
        let backlog = size - large.orders;
        let of_backlog = large.grow(backlog).await?;
        let (mut of_few, mut of_many) = Default::default();
        let rounds = if size == most {
            lab.plan.rounds
        } else {
            lab.plan.rounds.min(BETWEEN)
        };
        for _ in 0..rounds {
            let mut small = Store::new(lab).await?;
            small.grow(few).await?;
            let (small, large) = both(&mut small, &mut large, further).await?;
            push(&mut of_few, small);
            push(&mut of_many, large);
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
        let mut backlogs = ByService::<Costs>::default();
        push(&mut backlogs, of_backlog);
        for (costs, (service, _)) in backlogs.iter().zip(RECORDS) {
            let what = format!("an order in {service}, backlog of {backlog}");
            found.lines.extend(costs.lines(&what));
        }
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

/// Ten times as many each, up to the most; each with room for what is worked off there.
fn sizes(few: i64, most: i64, room: i64) -> Vec<i64> {
    let mut sizes: Vec<i64> = std::iter::successors(Some(few), |size| size.checked_mul(10))
        .skip(1)
        .take_while(|size| size + room < most)
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

/// Has both work off so many orders more, each service in both at the same time; gives
/// what an order cost each.
async fn both(
    small: &mut Store<'_>,
    large: &mut Store<'_>,
    more: i64,
) -> anyhow::Result<(ByService<Vec<Cost>>, ByService<Vec<Cost>>)> {
    small.fill(more).await?;
    large.fill(more).await?;
    let (mut of_small, mut of_large) = (ByService::default(), ByService::default());
    for (number, (service, records)) in RECORDS.into_iter().enumerate() {
        (of_small[number], of_large[number]) = tokio::try_join!(
            small.work_off(service, more, records),
            large.work_off(service, more, records)
        )?;
    }
    Ok((of_small, of_large))
}

/// A system, and how many orders it was given.
struct Store<'lab> {
    lab: &'lab Lab,
    mesh: Mesh<'lab>,
    smtp: smtp::Sink,
    orders: i64,
}

impl<'lab> Store<'lab> {
    async fn new(lab: &'lab Lab) -> anyhow::Result<Self> {
        let smtp = smtp::Sink::start().await?;
        let settings = [
            ("PAYMENTS__PROVIDER_LATENCY", "0ms"),
            ("NOTIFIER__SMTP_URL", &smtp.url()),
        ];
        Ok(Self {
            lab,
            mesh: Mesh::prepare(lab, &settings).await?,
            smtp,
            orders: 0,
        })
    }

    /// Puts so many orders more on Kafka.
    async fn fill(&mut self, more: i64) -> anyhow::Result<()> {
        let topic = self.mesh.kafka()?.topic("orders.v1");
        orders::fill(self.lab.kafka.bootstrap_servers(), topic, more).await?;
        self.orders += more;
        Ok(())
    }

    /// Stores so many orders more, a service after the other; gives what an order cost
    /// each.
    async fn grow(&mut self, more: i64) -> anyhow::Result<ByService<Vec<Cost>>> {
        self.fill(more).await?;
        let mut costs = ByService::default();
        for ((service, records), costs) in RECORDS.into_iter().zip(&mut costs) {
            *costs = self.work_off(service, more, records).await?;
        }
        Ok(costs)
    }

    /// Runs a service until it is done with so many orders of so many records each; gives
    /// what an order cost it, and its connections' side of the database.
    async fn work_off(
        &mut self,
        service: &'static str,
        orders: i64,
        records: i64,
    ) -> anyhow::Result<Vec<Cost>> {
        self.mesh.begin(service).await?;
        // Its start is no order's cost.
        let mut meter = Meter::default().and(service, self.mesh.id(service))?;
        self.until_done(service, orders * records, orders).await?;
        let database = self.mesh.database(service);
        for connection in self.lab.postgres.connections(database).await? {
            meter = meter.and_all_of("PostgreSQL", connection);
        }
        let costs = meter.on_each(orders)?;
        self.mesh.end(service).await?;
        self.smtp.clear();
        self.lab.forget();
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
                let sent = i64::try_from(self.smtp.count())?;
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
        assert_eq!(sizes(10, 5_000, 200), [100, 1_000, 5_000]);
        assert_eq!(sizes(10, 1_100, 200), [100, 1_100]);
        assert_eq!(sizes(10, 20, 200), [20]);
    }
}
