//! How fast the store counts a backlog, and what a record costs.
//!
//! ```text
//! cargo run --release -p analytics --example throughput -- [durable]
//! ```
//!
//! Starts a PostgreSQL server of its own and counts backlogs of 5,000 and 50,000
//! records from 12 partitions at once: orders of two lines, then their payments.
//! Prints records a second and the processor time of this process and of the
//! server together, then how long the answers take on what was counted.

#![allow(clippy::print_stdout, reason = "this is a program for people")]

use std::{
    collections::HashMap,
    env, fs,
    sync::Arc,
    time::{Duration, Instant},
};

use analytics::{
    batch::{Batch, Shard},
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
use testkit::postgres::Server;

const PARTITIONS: usize = 12;
const BATCH: usize = 500;
const USERS: i64 = 10_000;
const PRODUCTS: i64 = 1_000;
const POOL: PoolSize = PoolSize(8);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let durable = env::args().any(|argument| argument == "durable");
    let server = if durable {
        Server::builder().durable().launch().await?
    } else {
        Server::launch().await?
    };
    println!("{:>22} {:>9} {:>10} {:>12} {:>10}", "", "records", "records/s", "cpu us/record", "of server");
    // The first run warms up connections and caches.
    for records in [5_000, 5_000, 50_000, 200_000] {
        let url = server.fresh_database("throughput").await?;
        let database = Database::open(&url.parse()?, POOL, store::migrations()).await?;
        let store = store::on(database, POOL);
        let orders: Vec<Placed> = (0..records).map(|_| order()).collect();
        let payments = orders.iter().map(payment).collect();
        let orders = orders.into_iter().map(Fact::Placed).collect();
        measure(&server, &store, "orders of two lines", event::ORDERS, orders).await?;
        measure(&server, &store, "payments", event::PAYMENTS, payments).await?;
        answers(&*store).await?;
    }
    server.stop().await
}

/// Counts facts from all partitions at once.
async fn measure(
    server: &Server,
    store: &Arc<dyn Store>,
    what: &str,
    topic: &'static str,
    facts: Vec<Fact>,
) -> anyhow::Result<()> {
    let records = facts.len();
    let facts: Vec<_> = facts.into_iter().map(Arc::new).collect();
    let (own, servers) = processor_time(server).await?;
    let start = Instant::now();
    let partitions = facts.chunks(records.div_ceil(PARTITIONS)).enumerate();
    let work: Vec<_> = partitions
        .map(|(partition, facts)| {
            let (store, facts) = (Arc::clone(store), facts.to_vec());
            tokio::spawn(async move {
                let shard = Shard::of(topic, i32::try_from(partition)?);
                for facts in facts.chunks(BATCH) {
                    let now = UnixMicros::now();
                    let days = Retention::default().funnel_days(now);
                    store.count(Batch::new(facts.to_vec(), shard, now, days)).await?;
                }
                anyhow::Ok(())
            })
        })
        .collect();
    for worked in try_join_all(work).await? {
        worked?;
    }
    let took = start.elapsed();
    let (own_now, servers_now) = processor_time(server).await?;
    let each = |time: Duration| time.as_secs_f64() * 1e6 / records as f64;
    println!(
        "{what:>22} {records:>9} {:>10.0} {:>12.1} {:>10.1}",
        records as f64 / took.as_secs_f64(),
        each(own_now - own + servers_now - servers),
        each(servers_now - servers),
    );
    Ok(())
}

async fn answers(store: &dyn Store) -> anyhow::Result<()> {
    let now = UnixMicros::now();
    let month = now.saturating_sub(Duration::from_hours(30 * 24));
    let mut took = HashMap::new();
    let mut time = |what: &'static str, start: Instant| took.insert(what, start.elapsed());
    let start = Instant::now();
    store.stats().await?;
    time("stats", start);
    let start = Instant::now();
    store.order_rate(Width::Day, month, now).await?;
    time("month by days", start);
    let start = Instant::now();
    store.top_products_by_units(Currency::USD, ProductPosition::START, 10).await?;
    time("top by units", start);
    let start = Instant::now();
    store.top_products_by_revenue(Currency::USD, ProductPosition::START, 10).await?;
    time("top by revenue", start);
    let start = Instant::now();
    store.product_pairs(None, PairPosition::START, 10).await?;
    time("pairs", start);
    let start = Instant::now();
    store.product_pairs(Some(1), PairPosition::START, 10).await?;
    time("pairs of one", start);
    let start = Instant::now();
    store.user(UserId::try_from(1)?).await?;
    time("user", start);
    let start = Instant::now();
    store.funnel(Day::of(month)..=Day::of(now)).await?;
    time("funnel", start);
    println!("{took:.1?}");
    Ok(())
}

fn order() -> Placed {
    let mut random = rand::rng();
    let lines: Vec<_> = (0..2)
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
        total: Money::new(999 * 2, Currency::USD),
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

/// Of this process, and of the server with all its children, dead ones included
/// (proc(5): utime to cstime are fields 14 to 17, in hundredths of a second).
async fn processor_time(server: &Server) -> anyhow::Result<(Duration, Duration)> {
    let postmaster = server.process_id().await?.to_string();
    let mut servers = ticks(&fs::read_to_string(format!("/proc/{postmaster}/stat"))?, 11..15)?;
    for entry in fs::read_dir("/proc")? {
        let Ok(stat) = fs::read_to_string(entry?.path().join("stat")) else {
            continue;
        };
        if fields(&stat).nth(1) == Some(&*postmaster) {
            servers += ticks(&stat, 11..13)?;
        }
    }
    let own = ticks(&fs::read_to_string("/proc/self/stat")?, 11..13)?;
    Ok((Duration::from_millis(own * 10), Duration::from_millis(servers * 10)))
}

/// Fields after the name, which may hold spaces itself: state, parent, ...
fn fields(stat: &str) -> impl Iterator<Item = &str> {
    let (_, rest) = stat.rsplit_once(')').unwrap_or_default();
    rest.split_whitespace()
}

fn ticks(stat: &str, wanted: std::ops::Range<usize>) -> anyhow::Result<u64> {
    fields(stat)
        .skip(wanted.start)
        .take(wanted.len())
        .map(|ticks| ticks.parse::<u64>().context("proc"))
        .sum()
}
