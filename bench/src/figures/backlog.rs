//! How fast each service works off a backlog, against the limit of its parts.
//!
//! Each runs alone, on the records that the ones before it made. Its limit is
//! measured right before it, on the same parts.

use std::time::{Duration, Instant};

use testkit::{rest::Rest, wait::until};

use crate::{
    Plan,
    lab::Lab,
    limits::{consume, count, mails, rows},
    mesh::{Mesh, stop},
    orders,
    progress::settled,
    series::{Series, float},
    spent::{Cost, Costs, Meter},
    table::{Goal, Line},
};

/// No backlog here takes longer.
const LONGEST: Duration = Duration::from_secs(600);
/// Mails that were sent and told of.
const MAILS_DONE: &str =
    "SELECT (SELECT count(*) FROM notifications) - (SELECT count(*) FROM outbox)";
/// How often is looked.
const LOOK: Duration = Duration::from_millis(20);

/// Ours and the limit's, records a second, and what each of ours cost; round by round.
#[derive(Default)]
struct Pair {
    ours: Series,
    limit: Series,
    costs: Costs,
}

impl Pair {
    fn took(&mut self, (rate, costs): (f64, Vec<Cost>)) {
        self.ours.push(rate);
        self.costs.push(costs);
    }

    /// Ours beside another limit.
    fn beside(&self, limit: Series) -> Self {
        Self {
            ours: self.ours.clone(),
            limit,
            costs: Costs::default(),
        }
    }

    fn line(self, what: &str, unit: &'static str, limit: &str, goal: Goal) -> Line {
        Line {
            what: what.to_owned(),
            unit: unit.into(),
            ours: self.ours,
            other: Some((limit.to_owned(), self.limit)),
            goal,
        }
    }
}

pub(super) async fn measure(lab: &Lab) -> anyhow::Result<Vec<Line>> {
    let orders: i64 = lab.plan.of(20_000, 100_000);
    let mut rates = Rates::default();
    for _ in 0..lab.plan.rounds {
        rates.round(lab, orders).await?;
    }
    Ok(rates.lines(lab.plan))
}

/// What was measured so far.
#[derive(Default)]
struct Rates {
    history: Pair,
    payments: Pair,
    notifier: Pair,
    analytics: Pair,
    /// Analytics on SQLite.
    embedded: Pair,
    /// Orders alone: put there, and read, which is what all but analytics begin with.
    producing: Series,
    reading: Series,
    /// What notifier writes down around a mail.
    mailing: Series,
    /// What analytics' store gets through on SQLite.
    counting: Series,
}

impl Rates {
    /// History's turn, which would be over too soon with as many orders as the others'.
    async fn history(&mut self, lab: &Lab, orders: i64) -> anyhow::Result<()> {
        let mut mesh = Mesh::prepare(lab, &[]).await?;
        let topic = mesh.kafka()?.topic("orders.v1");
        let brokers = lab.kafka.bootstrap_servers();
        let rate = orders::fill(brokers.clone(), topic.clone(), orders).await?;
        self.producing.push(rate);
        self.reading
            .push(consume::rate(brokers, vec![topic], orders).await?);
        self.history.limit.push(rows::history(lab, orders).await?);
        let rows = "SELECT count(*) FROM orders";
        let took = records(lab, &mut mesh, "history", rows, orders).await?;
        self.history.took(took);
        mesh.end_all().await
    }

    async fn round(&mut self, lab: &Lab, orders: i64) -> anyhow::Result<()> {
        self.history(lab, orders * 4).await?;
        let mut mesh = Mesh::prepare(lab, &[("PAYMENTS__PROVIDER_LATENCY", "0ms")]).await?;
        let kafka = mesh.kafka()?;
        let topics = ["orders.v1", "payments.v1", "notifications.v1"].map(|name| kafka.topic(name));
        let brokers = lab.kafka.bootstrap_servers();
        orders::fill(brokers.clone(), topics[0].clone(), orders).await?;

        self.payments.limit.push(rows::payments(lab, orders).await?);
        let rows = "SELECT count(*) FROM payments WHERE published_at IS NOT NULL";
        let took = records(lab, &mut mesh, "payments", rows, orders).await?;
        self.payments.took(took);

        lab.forget();
        let count = usize::try_from(orders)?;
        self.notifier.limit.push(mails::rate(lab, count).await?);
        self.mailing.push(rows::notifier(lab, orders).await?);
        lab.forget();
        let took = mails_sent(lab, &mut mesh, orders).await?;
        self.notifier.took(took);
        lab.forget();

        // Orders, their payments, their mails.
        let all = orders * 3;
        let limit = consume::rate(brokers, topics.to_vec(), all).await?;
        self.analytics.limit.push(limit);
        self.embedded.limit.push(limit);
        self.counting.push(count::rate(lab, orders).await?);
        let rows = "SELECT count(*) FROM inbox";
        let took = records(lab, &mut mesh, "analytics", rows, all).await?;
        self.analytics.took(took);
        self.embedded.ours.push(on_sqlite(lab, &mesh, all).await?);
        mesh.end_all().await?;
        println!(
            "  records/s: history {:.0}, payments {:.0}, notifier {:.0} mails/s, analytics {:.0}, \
             on SQLite {:.0}",
            last(&self.history.ours),
            last(&self.payments.ours),
            last(&self.notifier.ours),
            last(&self.analytics.ours),
            last(&self.embedded.ours),
        );
        Ok(())
    }

    fn lines(self, plan: Plan) -> Vec<Line> {
        let Self {
            history,
            payments,
            notifier,
            analytics,
            embedded,
            producing,
            reading,
            mailing,
            counting,
        } = self;
        let costs: Vec<Line> = [
            ("a record of history", &history),
            ("a payment", &payments),
            ("a mail", &notifier),
            ("an event in analytics", &analytics),
        ]
        .into_iter()
        .flat_map(|(what, pair)| pair.costs.lines(&format!("{what}, backlog")))
        .collect();
        let seven_tenths = Goal::RatioAtLeast(0.7);
        let rows = "the same bulk insert";
        let statements = "the same statements without Kafka";
        let sink = "the mail sink flat out";
        let raw = "consume and decode";
        // One after the other on the same cores: what is left to reach.
        let then_rows = reading.after(&history.limit);
        let then_events = reading.after(&payments.limit).after(&producing);
        // Payments are read as well as orders.
        let then_mails = reading.after(&reading).after(&mailing);
        let then_mails = then_mails.after(&notifier.limit).after(&producing);
        let then_counting = embedded.beside(embedded.limit.after(&counting));
        let mut lines = vec![
            alone("limit: encode and produce, one thread", producing),
            alone("limit: consume and decode, one thread", reading),
        ];
        for (what, unit, pair, limit, parts, named) in [
            (
                "history, backlog",
                "records/s",
                history,
                rows,
                then_rows,
                "read, then the rows",
            ),
            (
                "payments, backlog",
                "records/s",
                payments,
                statements,
                then_events,
                "read, then the statements, then produce",
            ),
            (
                "notifier, backlog",
                "mails/s",
                notifier,
                sink,
                then_mails,
                "read, then its statements, then the mails, then produce",
            ),
        ] {
            let all = pair.beside(parts);
            // What guards against a change for the worse has to be within reach, of a small
            // backlog and on any machine.
            let in_short = (Goal::None, Goal::RatioAtLeast(0.5));
            let (one, together) = plan.of(in_short, (seven_tenths, Goal::None));
            lines.push(pair.line(what, unit, limit, one));
            lines.push(all.line(what, unit, named, together));
        }
        for (what, pair, goal) in [
            (
                "analytics, backlog, SQLite",
                embedded,
                // Of few records most are fetched by the time that the first is read.
                plan.of(Goal::None, Goal::RatioAtLeast(0.5)),
            ),
            (
                "analytics, backlog, PostgreSQL",
                analytics,
                Goal::AtLeast(20_000.0),
            ),
        ] {
            lines.push(pair.line(what, "records/s", raw, goal));
        }
        lines.push(then_counting.line(
            "analytics, backlog, SQLite",
            "records/s",
            "read, then its store alone",
            Goal::None,
        ));
        lines.extend(costs);
        lines
    }
}

fn alone(what: &str, rate: Series) -> Line {
    Line {
        what: what.to_owned(),
        unit: "records/s".into(),
        ours: rate,
        other: None,
        goal: Goal::None,
    }
}

fn last(series: &Series) -> f64 {
    series.samples().last().copied().unwrap_or(f64::NAN)
}

/// Starts a service and waits until all records are settled; gives records a
/// second, from the first to the last, and what each cost. The database must then hold
/// every row.
async fn records(
    lab: &Lab,
    mesh: &mut Mesh<'_>,
    service: &'static str,
    sql: &str,
    all: i64,
) -> anyhow::Result<(f64, Vec<Cost>)> {
    let meter = Meter::start(lab).await?;
    mesh.begin(service).await?;
    let meter = meter.and_all_of(service, mesh.id(service));
    let admin = Rest::new(&mesh.addresses.admin(service));
    let rate = paced(all, async || settled(&admin).await).await?;
    let costs = meter.on_each(all)?;
    let rows = mesh.count(service, sql).await?;
    anyhow::ensure!(rows == all, "{service} has {rows} rows of {all}");
    mesh.end(service).await?;
    Ok((rate, costs))
}

async fn on_sqlite(lab: &Lab, mesh: &Mesh<'_>, all: i64) -> anyhow::Result<f64> {
    let folder = lab.scratch.path().join(uuid::Uuid::now_v7().to_string());
    std::fs::create_dir_all(&folder)?;
    let url = format!("sqlite://{}", folder.join("analytics.db").display());
    // From the beginning once more.
    mesh.forget_group("analytics").await?;
    let more = [("ANALYTICS__DATABASE_URL", url.as_str())];
    let process = mesh.another("analytics", &more).await?;
    let address = mesh.addresses.admin("analytics");
    testkit::services::until_ready(&process, &address).await?;
    let admin = Rest::new(&address);
    let rate = paced(all, async || settled(&admin).await).await?;
    stop(&process).await?;
    Ok(rate)
}

async fn mails_sent(
    lab: &Lab,
    mesh: &mut Mesh<'_>,
    mails: i64,
) -> anyhow::Result<(f64, Vec<Cost>)> {
    let meter = Meter::start(lab).await?;
    mesh.begin("notifier").await?;
    let meter = meter.and_all_of("notifier", mesh.id("notifier"));
    let rate = paced(mails, async || Ok(i64::try_from(lab.smtp.count())?)).await?;
    // Their events, which analytics counts later, and their marks.
    until("the mails to be recorded", LONGEST, async || {
        let recorded = mesh.count("notifier", MAILS_DONE).await?;
        anyhow::ensure!(recorded == mails, "{recorded}");
        anyhow::Ok(())
    })
    .await?;
    let costs = meter.on_each(mails)?;
    mesh.end("notifier").await?;
    Ok((rate, costs))
}

/// Looks until all are done; gives how many were done a second, since the first.
async fn paced(all: i64, done: impl AsyncFn() -> anyhow::Result<i64>) -> anyhow::Result<f64> {
    let mut first: Option<(Instant, i64)> = None;
    let begin = Instant::now();
    loop {
        let now = done().await?;
        if now > 0 {
            let (since, before) = *first.get_or_insert((Instant::now(), now));
            if now >= all {
                return Ok(float(now - before) / since.elapsed().as_secs_f64());
            }
        }
        anyhow::ensure!(
            begin.elapsed() < LONGEST,
            "{now} of {all} after {LONGEST:?}"
        );
        tokio::time::sleep(LOOK).await;
    }
}
