//! How fast the store counts a backlog, and what a record costs.
//!
//! ```text
//! cargo run -p analytics --example throughput -- [durable] [LINES]
//! ```
//!
//! Starts a PostgreSQL server of its own and counts backlogs of 5,000 to 200,000
//! records from 12 partitions at once: orders of two lines (or fewer orders of so
//! many), then their payments. Prints records a second and the processor time of this process
//! and of the server, then how long the answers take on what was counted.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program for people, whose numbers are right"
)]

use std::{
    env, fs,
    sync::Arc,
    time::{Duration, Instant},
};

use analytics::{
    batch::{Batch, Shard, split},
    calendar::{Day, Width},
    fact::{Fact, Placed},
    retention::Retention,
    store::{self, PairPosition, ProductPosition, Store},
};
use anyhow::Context as _;
use chassis::db::{Database, PoolSize};
use futures::future::try_join_all;
use proto::{
    event::{self, PaymentResult, PlacedLine, SettledPayment},
    id::{OrderId, PaymentId, ProductId, UserId},
    money::{Currency, Money},
    time::UnixMicros,
};
use rand::Rng as _;
use testkit::{postgres::Server, process::shutdown_all};

const PARTITIONS: usize = 12;
const BATCH: usize = 500;
/// As the handler has it.
const WEIGHT: usize = 20_000;
const USERS: i64 = 10_000;
const PRODUCTS: i64 = 1_000;
const POOL: PoolSize = PoolSize(8);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let durable = env::args().any(|argument| argument == "durable");
    let lines = env::args().find_map(|argument| argument.parse().ok());
    let lines: usize = lines.unwrap_or(2);
    let server = if durable {
        Server::builder().durable().launch().await?
    } else {
        Server::launch().await?
    };
    println!(
        "{:>10} {:>9} {:>10} {:>14} {:>10}",
        "", "records", "a second", "us cpu/record", "of server"
    );
    // The first run warms up connections and caches.
    for records in [5_000, 5_000, 50_000, 200_000] {
        let records = records * 2 / lines;
        let url = server.fresh_database("throughput").await?;
        let database = Database::open(&url.parse()?, POOL, store::migrations()).await?;
        let store = store::on(database, POOL);
        quiet(&server, &url, &store).await?;
        let orders: Vec<Placed> = (0..records).map(|_| order(lines)).collect();
        let payments = orders.iter().map(payment).collect();
        let orders = orders.into_iter().map(Fact::Placed).collect();
        measure(&server, &store, "orders", event::ORDERS, orders).await?;
        measure(&server, &store, "payments", event::PAYMENTS, payments).await?;
        answers(&*store).await?;
    }
    server.stop().await?;
    shutdown_all().await;
    Ok(())
}

/// A quiet time before the backlog, in which each order is paid at once: plans are
/// made for tables that are all but empty, and kept.
async fn quiet(server: &Server, url: &str, store: &Arc<dyn Store>) -> anyhow::Result<()> {
    let client = server.connect(url).await?;
    client.simple_query("VACUUM ANALYZE").await?;
    for _ in 0..40 {
        let orders: Vec<Placed> = (0..2 * PARTITIONS).map(|_| order(2)).collect();
        let payments = orders.iter().map(payment).collect();
        let orders = orders.into_iter().map(Fact::Placed).collect();
        count(store, event::ORDERS, orders).await?;
        count(store, event::PAYMENTS, payments).await?;
    }
    Ok(())
}

async fn measure(
    server: &Server,
    store: &Arc<dyn Store>,
    what: &str,
    topic: &'static str,
    facts: Vec<Fact>,
) -> anyhow::Result<()> {
    let records = facts.len();
    let (own, servers) = processor_time(server).await?;
    let start = Instant::now();
    count(store, topic, facts).await?;
    let took = start.elapsed().as_secs_f64();
    let (own_now, servers_now) = processor_time(server).await?;
    let number = f64::from(u32::try_from(records)?);
    println!(
        "{what:>10} {records:>9} {:>10.0} {:>14.1} {:>10.1}",
        number / took,
        (own_now - own + servers_now - servers) * 1e6 / number,
        (servers_now - servers) * 1e6 / number,
    );
    Ok(())
}

/// Counts facts from all partitions at once.
async fn count(
    store: &Arc<dyn Store>,
    topic: &'static str,
    facts: Vec<Fact>,
) -> anyhow::Result<()> {
    let facts: Vec<_> = facts.into_iter().map(Arc::new).collect();
    let partitions = facts.chunks(facts.len().div_ceil(PARTITIONS)).enumerate();
    let work: Vec<_> = partitions
        .map(|(partition, facts)| {
            let (store, facts) = (Arc::clone(store), facts.to_vec());
            tokio::spawn(async move {
                let shard = Shard::of(topic, i32::try_from(partition)?);
                let batches = facts.chunks(BATCH).flat_map(|facts| split(facts, WEIGHT));
                for facts in batches {
                    let now = UnixMicros::now();
                    let days = Retention::default().funnel_days(now);
                    let batch = Batch::new(facts.to_vec(), shard, now, days);
                    store.count(batch).await?;
                }
                anyhow::Ok(())
            })
        })
        .collect();
    for worked in try_join_all(work).await? {
        worked?;
    }
    Ok(())
}

async fn answers(store: &dyn Store) -> anyhow::Result<()> {
    let now = UnixMicros::now();
    let month = now.saturating_sub(Duration::from_hours(30 * 24));
    let (top, pair) = (ProductPosition::START, PairPosition::START);
    let usd = Currency::USD;
    let mut took = Vec::new();
    let mut start = Instant::now();
    let mut lap = |what| {
        took.push(format!("{what} {:.1?}", start.elapsed()));
        start = Instant::now();
    };
    store.stats().await?;
    lap("stats");
    store.order_rate(Width::Day, month, now).await?;
    lap("a month by days");
    store.top_products_by_units(usd, top, 10).await?;
    lap("top by units");
    store.top_products_by_revenue(usd, top, 10).await?;
    lap("by revenue");
    store.product_pairs(None, pair, 10).await?;
    lap("pairs");
    store.product_pairs(Some(1), pair, 10).await?;
    lap("of one product");
    store.user(UserId::try_from(1)?).await?;
    lap("user");
    store.funnel(Day::of(month)..=Day::of(now)).await?;
    lap("funnel");
    println!("{:>10} {}", "", took.join(", "));
    Ok(())
}

fn order(lines: usize) -> Placed {
    let mut random = rand::rng();
    let lines: Vec<_> = (0..lines)
        .map(|_| {
            let product = random.random_range(1..=PRODUCTS);
            PlacedLine {
                product_id: ProductId::try_from(product).unwrap(),
                name: format!("Product number {product}"),
                unit_price: 999,
                quantity: 1,
            }
        })
        .collect();
    Placed {
        order_id: OrderId::random(),
        user_id: UserId::try_from(random.random_range(1..=USERS)).unwrap(),
        total: Money::new(lines.iter().map(PlacedLine::amount).sum(), Currency::USD),
        lines,
        placed_at: UnixMicros::now(),
    }
}

fn payment(order: &Placed) -> Fact {
    Fact::Settled(SettledPayment {
        payment_id: PaymentId::of(order.order_id),
        order_id: order.order_id,
        user_id: order.user_id,
        amount: order.total,
        result: PaymentResult::Captured,
        settled_at: order.placed_at,
        order_placed_at: order.placed_at,
    })
}

/// Seconds, of this process and of the server with all its children, dead ones
/// included (proc(5): utime to cstime, in hundredths of a second).
async fn processor_time(server: &Server) -> anyhow::Result<(f64, f64)> {
    let postmaster = server.process_id().await?.to_string();
    let mut servers = ticks(&fs::read_to_string(format!("/proc/{postmaster}/stat"))?, 4)?;
    for entry in fs::read_dir("/proc")? {
        let Ok(stat) = fs::read_to_string(entry?.path().join("stat")) else {
            continue;
        };
        // A process may end while it is looked at.
        if fields(&stat).nth(1) == Some(&*postmaster) {
            servers += ticks(&stat, 2)?;
        }
    }
    let own = ticks(&fs::read_to_string("/proc/self/stat")?, 2)?;
    Ok((f64::from(own) / 100.0, f64::from(servers) / 100.0))
}

/// Fields after the name, which may hold spaces itself: state, parent, ...
fn fields(stat: &str) -> impl Iterator<Item = &str> {
    let (_, rest) = stat.rsplit_once(')').unwrap_or_default();
    rest.split_whitespace()
}

/// The sum of some fields from utime on.
fn ticks(stat: &str, number: usize) -> anyhow::Result<u32> {
    fields(stat)
        .skip(11)
        .take(number)
        .map(|ticks| ticks.parse::<u32>().context("proc"))
        .sum()
}
