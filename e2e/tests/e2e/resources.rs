//! What clients and neighbours take from a process, it gets back: tasks, file
//! handles and memory return to their level.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Context as _;
use chassis::kafka::KafkaOptions;
use e2e::{
    clients::channel,
    footing::{Footing, Kind, SERVICES},
    orders::{example, new_user},
    process::start,
};
use futures::future::try_join_all;
use http::StatusCode;
use proto::orders::v1::{WatchOrderRequest, order_service_client::OrderServiceClient};
use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer as _},
};
use testkit::{
    harness::Test,
    process::{Process, Scratch},
    rest::Rest,
    wait::until,
};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use crate::on_cluster;

pub(crate) fn tests() -> Vec<Test> {
    vec![
        on_cluster("a thousand cut streams leave nothing behind", streams),
        on_cluster("a hundred rebalances leave nothing behind", rebalances),
    ]
}

/// Streams of each round; a round ends before the next one begins.
const AT_ONCE: u64 = 100;
const ROUNDS: u64 = 10;
/// Connections that a round's gRPC streams share.
const CONNECTIONS: u64 = 5;
const REBALANCES: u64 = 100;
/// History's on a footing: six each of orders.v1 and payments.v1, three of its
/// replays.
const PARTITIONS: usize = 6 + 6 + 3;
/// How far above its level each may stay: a connection more to a neighbour, a
/// page that the allocator keeps.
const TASKS: u64 = 5;
const HANDLES: u64 = 5;
const MEMORY: u64 = 8 * 1024 * 1024;
const WITHIN: Duration = Duration::from_secs(20);

/// What a process holds.
#[derive(Debug)]
struct Level {
    tasks: u64,
    handles: u64,
    memory: u64,
}

impl Level {
    async fn of(footing: &Footing, service: &str) -> anyhow::Result<Self> {
        let metrics = metrics(footing, service).await?;
        let value = |name| metrics.get(name).copied().context(name);
        Ok(Self {
            tasks: value("ordermesh_runtime_tasks")?,
            handles: value("process_open_fds")?,
            memory: value("process_resident_memory_bytes")?,
        })
    }

    async fn until_back(&self, footing: &Footing, service: &str) -> anyhow::Result<()> {
        let what = format!("{service} to return to {self:?}");
        until(&what, WITHIN, async || {
            let now = Self::of(footing, service).await?;
            let back = now.tasks <= self.tasks + TASKS
                && now.handles <= self.handles + HANDLES
                && now.memory <= self.memory + MEMORY;
            anyhow::ensure!(back, "{now:?}");
            println!("{service}: {self:?} before, {now:?} after");
            anyhow::Ok(())
        })
        .await?;
        Ok(())
    }
}

/// A service's metrics without labels, by name, as whole numbers.
async fn metrics(footing: &Footing, service: &str) -> anyhow::Result<BTreeMap<String, u64>> {
    let admin = Rest::new(&footing.addresses.admin(service));
    let answer = admin.get("/metrics").await?;
    anyhow::ensure!(answer.status == StatusCode::OK, "{answer:?}");
    let text = String::from_utf8(answer.body.to_vec())?;
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    Ok(lines
        .filter_map(|(name, value)| {
            let value: f64 = value.parse().ok()?;
            // Counts and bytes: far below 2^53.
            Some((name.to_owned(), format!("{value:.0}").parse().ok()?))
        })
        .collect())
}

async fn all_services(footing: &Footing, scratch: &Scratch) -> anyhow::Result<Vec<Process>> {
    try_join_all(SERVICES.map(|service| start(footing, service, scratch))).await
}

async fn streams() -> anyhow::Result<()> {
    let footing = Footing::prepare(Kind::Cluster, &[]).await?;
    let scratch = Scratch::new("streams")?;
    let _services = all_services(&footing, &scratch).await?;
    let answer = footing.rest.post("/order", &example(new_user())).await?;
    anyhow::ensure!(answer.status == StatusCode::ACCEPTED, "{answer:?}");
    let idle = Level::of(&footing, "gateway").await?;
    // So that connections to neighbours and buffers are there.
    watch_and_cut(&footing).await?;
    let before = until("the first streams' tasks to end", WITHIN, async || {
        let now = Level::of(&footing, "gateway").await?;
        anyhow::ensure!(now.tasks <= idle.tasks + TASKS, "{now:?}, {idle:?} idle");
        anyhow::Ok(now)
    })
    .await?;
    for _ in 0..ROUNDS {
        let during = watch_and_cut(&footing).await?;
        assert!(during >= before.tasks + AT_ONCE, "{during} tasks at most");
    }
    before.until_back(&footing, "gateway").await
}

/// Watches orders that never come, over gRPC and as server-sent events, and hangs
/// up. Gives how many tasks the gateway had meanwhile.
async fn watch_and_cut(footing: &Footing) -> anyhow::Result<u64> {
    let grpc = footing.addresses.grpc("gateway");
    let mut watched = Vec::new();
    for _ in 0..CONNECTIONS {
        let client = OrderServiceClient::new(channel(&grpc)?);
        let streams = (0..AT_ONCE / 2 / CONNECTIONS).map(|_| {
            let mut client = client.clone();
            async move {
                let order_id = uuid::Uuid::now_v7().to_string();
                client.watch_order(WatchOrderRequest { order_id }).await
            }
        });
        watched.extend(try_join_all(streams).await?);
    }
    let mut events = Vec::new();
    for _ in 0..AT_ONCE / 2 {
        let mut stream = TcpStream::connect(footing.addresses.rest()).await?;
        let id = uuid::Uuid::now_v7();
        let request = format!("GET /orders/{id}/events HTTP/1.1\r\nhost: shop\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        events.push(stream);
    }
    until_watched(footing, AT_ONCE).await?;
    // Once more: one answer may have counted the tasks before the last watcher came.
    let during = Level::of(footing, "gateway").await?;
    drop((watched, events));
    until_watched(footing, 0).await?;
    Ok(during.tasks)
}

/// Waits until so many callers watch an order.
async fn until_watched(footing: &Footing, callers: u64) -> anyhow::Result<()> {
    until(&format!("{callers} watchers"), WITHIN, async || {
        let metrics = metrics(footing, "gateway").await?;
        let watchers = metrics["ordermesh_gateway_watchers"];
        anyhow::ensure!(watchers == callers, "{watchers}");
        anyhow::Ok(())
    })
    .await
}

async fn rebalances() -> anyhow::Result<()> {
    // Members learn of a rebalance with their next heartbeat.
    let settings = [("KAFKA__HEARTBEAT_INTERVAL_MS", "100")];
    let footing = Footing::prepare(Kind::Cluster, &settings).await?;
    let scratch = Scratch::new("rebalances")?;
    let _services = all_services(&footing, &scratch).await?;
    let kafka = footing.kafka()?;
    until_all_owned(&footing).await?;
    // The first ones make what later ones use again.
    come_and_go(&footing, &kafka).await?;
    let count = async || {
        let metrics = metrics(&footing, "history").await?;
        anyhow::Ok(metrics["ordermesh_consumer_rebalances_total"])
    };
    let (before, first) = (Level::of(&footing, "history").await?, count().await?);
    while count().await? < first + REBALANCES {
        come_and_go(&footing, &kafka).await?;
    }
    before.until_back(&footing, "history").await?;
    // And it still works.
    let answer = footing.rest.post("/order", &example(new_user())).await?;
    let id = answer.json()["orderId"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let order = footing.rest.get(&format!("/orders/{id}?wait=20s")).await?;
    assert_eq!(order.status, StatusCode::OK, "{order:?}");
    Ok(())
}

/// A second member of history's group takes its share of the partitions, and
/// leaves.
async fn come_and_go(footing: &Footing, kafka: &KafkaOptions) -> anyhow::Result<()> {
    let member: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", footing.brokers())
        .set("group.id", kafka.group("history"))
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("heartbeat.interval.ms", "100")
        .set("enable.auto.commit", "false")
        .create()?;
    let topic = footing.topic("orders.v1");
    tokio::task::spawn_blocking(move || {
        member.subscribe(&[&topic])?;
        let begin = std::time::Instant::now();
        while member.assignment()?.count() == 0 {
            anyhow::ensure!(begin.elapsed() < WITHIN, "it got no partition");
            let _ = member.poll(Duration::from_millis(50));
        }
        anyhow::Ok(())
    })
    .await??;
    until_all_owned(footing).await
}

/// Waits until history works on every partition that it consumes.
async fn until_all_owned(footing: &Footing) -> anyhow::Result<()> {
    until("history to have every partition", WITHIN, async || {
        let now = partitions(footing).await?;
        anyhow::ensure!(now == PARTITIONS, "{now} of {PARTITIONS}");
        anyhow::Ok(())
    })
    .await
}

/// How many partitions history works on.
async fn partitions(footing: &Footing) -> anyhow::Result<usize> {
    let admin = Rest::new(&footing.addresses.admin("history"));
    let status = admin.get("/status").await?.json();
    Ok(status["partitions"].as_array().map_or(0, Vec::len))
}
