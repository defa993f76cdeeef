//! How fast each service works off a backlog, on Kafka and PostgreSQL, and
//! whether a record costs the same however many came before it.
//!
//! Each service runs alone, from its own binary, so that what is measured is its
//! own. Rates depend on the machine; the bounds are far below what a small one
//! reaches.

// Figures are what this is for.
#![allow(clippy::print_stdout)]

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use e2e::{
    footing::{Footing, Kind},
    process::start,
};
use prost::{Message as _, Name as _};
use proto::{
    event::{ContentHash, PlacedLine, PlacedOrder},
    events::v1::OrderPlaced,
    id::{OrderId, ProductId, UserId},
    money::{Currency, Money},
    time::UnixMicros,
};
use rdkafka::{
    ClientConfig,
    message::{Header, OwnedHeaders},
    producer::{FutureProducer, FutureRecord},
};
use testkit::{
    harness::{Needs, Suite},
    process::Scratch,
    rest::Rest,
    wait::until,
};

/// Orders in store, when the cost of further ones is measured.
const FEW: i64 = 5_000;
/// The backlog whose rate is measured; then it is in store.
const MANY: i64 = 50_000;
/// Further orders of one measurement.
const FURTHER: i64 = 5_000;
/// No service may be slower than this, in records a second.
const SLOWEST: f64 = 5_000.0;
/// CPU time of a record may differ by this between few and many in store.
const DIFFERENCE: f64 = 0.20;
/// Further orders are worked off within a second, so that is measured this often
/// and the middle counts.
const TIMES: usize = 3;
const STOP: Duration = Duration::from_secs(25);

fn main() -> ExitCode {
    Suite::new()
        .timeout(Duration::from_secs(400))
        .test(
            "cluster::a backlog is worked off fast, at a constant cost",
            [Needs::Kafka, Needs::Postgres],
            backlog,
        )
        .run()
}

/// One service's figures over one backlog.
struct Figures {
    service: &'static str,
    records: i64,
    seconds: f64,
    /// Of the process, its start included.
    cpu_seconds: f64,
}

impl Figures {
    fn rate(&self) -> f64 {
        count(self.records) / self.seconds
    }

    fn cpu_micros(&self) -> f64 {
        self.cpu_seconds * 1e6 / count(self.records)
    }
}

/// Counts here are far below 2^52.
#[allow(clippy::cast_precision_loss)]
fn count(number: i64) -> f64 {
    number as f64
}

async fn backlog() -> anyhow::Result<()> {
    let mut few = Topic::new().await?;
    few.work_off(FEW).await?;
    let few = few.cost_of_further().await?;
    let mut many = Topic::new().await?;
    let figures = many.work_off(MANY).await?;
    let many = many.cost_of_further().await?;

    println!(
        "service      records   records/s   CPU us/record   further ones on {FEW}   on {MANY}"
    );
    let mut wrong = Vec::new();
    for ((figures, few), many) in figures.iter().zip(few).zip(many) {
        let Figures {
            service, records, ..
        } = figures;
        let rate = figures.rate();
        println!(
            "{service:<10} {records:>9} {rate:>11.0} {:>15.1} {few:>23.1} {many:>10.1}",
            figures.cpu_micros(),
        );
        if rate < SLOWEST {
            wrong.push(format!("{service} works off {rate:.0} a second"));
        }
        if (many / few - 1.0).abs() > DIFFERENCE {
            wrong.push(format!("{service}'s cost depends on what is in store"));
        }
    }
    anyhow::ensure!(wrong.is_empty(), "{}", wrong.join("; "));
    Ok(())
}

/// A system of its own, and how many orders its topic holds.
struct Topic {
    footing: Footing,
    scratch: Scratch,
    orders: i64,
}

impl Topic {
    async fn new() -> anyhow::Result<Self> {
        Ok(Self {
            footing: Footing::prepare(Kind::Cluster, &[("OTEL_SDK_DISABLED", "true")]).await?,
            scratch: Scratch::new("rates")?,
            orders: 0,
        })
    }

    /// Lets each service in turn work off so many orders more, and what the ones
    /// before it made of them.
    async fn work_off(&mut self, more: i64) -> anyhow::Result<Vec<Figures>> {
        preload(&self.footing, more).await?;
        self.orders += more;
        let mut figures = Vec::new();
        // Each with how many rows and how many records an order is.
        for (service, sql, rows, records) in [
            ("history", "SELECT count(*) FROM orders", 1, 1),
            (
                "payments",
                "SELECT count(*) FROM payments WHERE published_at IS NOT NULL",
                1,
                1,
            ),
            // One line an order is one mail; each takes an order and a payment.
            (
                "notifier",
                "SELECT count(*) FROM notifications WHERE published",
                1,
                2,
            ),
            // Orders, payments and mails.
            ("analytics", "SELECT count(*) FROM inbox", 3, 3),
        ] {
            let (footing, scratch) = (&self.footing, &self.scratch);
            let (rows, records) = (self.orders * rows, more * records);
            figures.push(measure(footing, scratch, service, sql, rows, records).await?);
        }
        Ok(figures)
    }

    /// CPU time of a record of each service, in microseconds, with what is in
    /// store now.
    async fn cost_of_further(&mut self) -> anyhow::Result<Vec<f64>> {
        let mut costs: Vec<Vec<f64>> = Vec::new();
        for _ in 0..TIMES {
            for (index, figures) in self.work_off(FURTHER).await?.iter().enumerate() {
                match costs.get_mut(index) {
                    Some(costs) => costs.push(figures.cpu_micros()),
                    None => costs.push(vec![figures.cpu_micros()]),
                }
            }
        }
        let middle = costs.into_iter().map(|mut costs| {
            costs.sort_by(f64::total_cmp);
            costs[TIMES / 2]
        });
        Ok(middle.collect())
    }
}

async fn measure(
    footing: &Footing,
    scratch: &Scratch,
    service: &'static str,
    sql: &str,
    rows: i64,
    records: i64,
) -> anyhow::Result<Figures> {
    // From the start of its process: it begins before it says that it is ready.
    let begin = Instant::now();
    let process = start(footing, service, scratch).await?;
    until(
        &format!("{service} to be through"),
        Duration::from_secs(120),
        async || {
            let done = footing.count(service, sql).await?;
            anyhow::ensure!(done >= rows, "{done} of {rows}");
            anyhow::Ok(())
        },
    )
    .await?;
    let seconds = begin.elapsed().as_secs_f64();
    let cpu_seconds = cpu_seconds(process.id())?;
    let status = Rest::new(&footing.addresses.admin(service))
        .get("/status")
        .await?
        .json();
    assert_eq!(status["ready"], true, "{status}");
    process.stop(STOP).await?;
    Ok(Figures {
        service,
        records,
        seconds,
        cpu_seconds,
    })
}

/// CPU time of a process's threads so far. Linux counts it in nanoseconds
/// (Documentation/scheduler/sched-stats.rst); `stat` has steps of 10 ms.
fn cpu_seconds(id: u32) -> anyhow::Result<f64> {
    let mut nanos = 0;
    for thread in std::fs::read_dir(format!("/proc/{id}/task"))? {
        let schedstat = std::fs::read_to_string(thread?.path().join("schedstat"))?;
        let on_cpu = schedstat.split_whitespace().next().context("schedstat")?;
        nanos += on_cpu.parse::<i64>()?;
    }
    Ok(count(nanos) / 1e9)
}

async fn preload(footing: &Footing, orders: i64) -> anyhow::Result<()> {
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", footing.brokers())
        .set("linger.ms", "5")
        .set("partitioner", "murmur2_random")
        .create()?;
    let topic = footing.topic("orders.v1");
    let mut sent = Vec::new();
    for number in 1..=orders {
        let order = order(number)?;
        let (key, value) = (order.key(), OrderPlaced::from(&order).encode_to_vec());
        let full_name = OrderPlaced::full_name();
        let headers = OwnedHeaders::new()
            .insert(Header {
                key: "ce_id",
                value: Some(&key),
            })
            .insert(Header {
                key: "ce_type",
                value: Some(&full_name),
            });
        let record = FutureRecord::to(&topic)
            .key(&key)
            .payload(&value)
            .headers(headers);
        sent.push(producer.send_result(record).map_err(|(error, _)| error)?);
    }
    for delivery in futures::future::join_all(sent).await {
        delivery?.map_err(|(error, _)| error)?;
    }
    Ok(())
}

fn order(number: i64) -> anyhow::Result<PlacedOrder> {
    Ok(PlacedOrder {
        order_id: OrderId::random(),
        user_id: UserId::try_from(number % 10_000 + 1)?,
        lines: vec![PlacedLine {
            product_id: ProductId::try_from(number % 500 + 1)?,
            name: format!("Product {}", number % 500 + 1),
            unit_price: 999,
            quantity: 1,
        }],
        total: Money::new(999, Currency::USD),
        email: "buyer@customers.example".parse()?,
        payment_token: None,
        placed_at: UnixMicros::now(),
        content_hash: ContentHash([7; 32]),
    })
}
