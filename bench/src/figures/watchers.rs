//! What people who watch cost the gateway: open consoles, and open pages of orders
//! that are not paid yet.

use std::time::Duration;

use anyhow::Context as _;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use ordermesh::load::Door;
use testkit::{rest::Rest, wait::until};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};

use crate::{
    cpu,
    lab::Lab,
    load::{flat_out, rest},
    mesh::Mesh,
    series::Series,
    table::{Goal, Line},
};

const CONSOLES: usize = 200;
const PAGES: usize = 1_000;
const CALLERS: u32 = 512;
/// What they may cost, in MB, and of the accepted orders a second.
const MOST_MEMORY: f64 = 100.0;
const LEAST_RATE: f64 = 0.9;
const TOKEN: &str = "bench-operator-token";
/// Streams that are being opened at once.
const AT_ONCE: usize = 200;
const LONGEST: Duration = Duration::from_secs(30);

pub(super) async fn measure(lab: &Lab) -> anyhow::Result<Vec<Line>> {
    let mut mesh = Mesh::prepare(lab, &[("GATEWAY__OPERATOR_TOKEN", TOKEN)]).await?;
    // No payments: so the pages of orders stay open.
    for service in ["history", "analytics", "gateway"] {
        mesh.begin(service).await?;
    }
    let door = mesh.addresses.rest().to_owned();
    let orders = place(&Rest::new(&door)).await?;
    flat_out(&door, Door::Rest, rest(CALLERS), lab.plan.turn).await?;
    let mut watched = Series::default();
    let mut alone = Series::default();
    let mut memory = Series::default();
    for round in 0..lab.plan.rounds * 2 {
        // Who is first alternates.
        for has_watchers in [round % 2 == 0, round % 2 == 1] {
            let before = cpu::memory(mesh.id("gateway"))?.0;
            let watchers = if has_watchers {
                Some(Watchers::open(&door, &orders).await?)
            } else {
                None
            };
            let turn = flat_out(&door, Door::Rest, rest(CALLERS), lab.plan.turn);
            let rate = turn.await?.accepted_per_second();
            println!("  watched: {has_watchers}, {rate:.0} /s");
            let rates = if let Some(watchers) = watchers {
                let after = cpu::memory(mesh.id("gateway"))?.0;
                println!("  memory: {before:.0} MB, then {after:.0} MB");
                memory.push(after - before);
                watchers.close().await?;
                &mut watched
            } else {
                &mut alone
            };
            rates.push(rate);
            until_read(&mesh, &door).await?;
        }
        lab.forget();
    }
    mesh.end_all().await?;
    let who = format!("{CONSOLES} consoles and {PAGES} orders watched");
    Ok(vec![
        Line {
            what: format!("accepted orders, REST, {CALLERS} connections, {who}"),
            unit: "/s".into(),
            ours: watched,
            other: Some(("nobody watching".to_owned(), alone)),
            goal: Goal::RatioAtLeast(LEAST_RATE),
        },
        Line {
            what: format!("memory of gateway, {who}, on top"),
            unit: "MB".into(),
            ours: memory,
            other: None,
            goal: Goal::AtMost(MOST_MEMORY),
        },
    ])
}

/// Places the orders that are watched; gives the paths of their events.
async fn place(rest: &Rest) -> anyhow::Result<Vec<String>> {
    let order = serde_json::json!({
        "userId": 42,
        "products": [{ "id": 1, "name": "Keyboard", "price": 999 }],
    });
    let mut paths = Vec::with_capacity(PAGES);
    for _ in 0..PAGES {
        let placed = rest.post("/order", &order).await?.json();
        let id = placed["orderId"].as_str().context("orderId")?;
        paths.push(format!("/orders/{id}/events"));
    }
    Ok(paths)
}

/// Waits until history and analytics have read all that was placed.
async fn until_read(mesh: &Mesh<'_>, door: &str) -> anyhow::Result<()> {
    let rest = Rest::new(door);
    until("the backlog to be read", LONGEST * 4, async || {
        let orders = mesh.count("history", "SELECT count(*) FROM orders").await?;
        let stats = rest.get("/analytics/stats").await?.json();
        anyhow::ensure!(stats["orders"].as_i64() == Some(orders), "{stats}");
        anyhow::Ok(())
    })
    .await
}

/// Open streams, read as browsers read them.
struct Watchers(JoinSet<anyhow::Result<()>>);

impl Watchers {
    /// Opens all, and waits until each was sent something.
    async fn open(door: &str, orders: &[String]) -> anyhow::Result<Self> {
        let consoles = std::iter::repeat_n("/ops/live", CONSOLES);
        let paths = consoles.chain(orders.iter().map(String::as_str));
        let begun = stream::iter(paths)
            .map(async |path| begin(door, path).await.with_context(|| path.to_owned()));
        let begun: Vec<TcpStream> = begun.buffer_unordered(AT_ONCE).try_collect().await?;
        Ok(Self(begun.into_iter().map(read).collect()))
    }

    /// Ends them; an error if one has ended before.
    async fn close(mut self) -> anyhow::Result<()> {
        if let Some(ended) = self.0.try_join_next() {
            ended??;
        }
        self.0.shutdown().await;
        Ok(())
    }
}

async fn begin(door: &str, path: &str) -> anyhow::Result<TcpStream> {
    let mut stream = TcpStream::connect(door).await?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: {door}\r\naccept: text/event-stream\r\n\
         authorization: Bearer {TOKEN}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    let begun = async {
        while !answer.windows(7).any(|bytes| bytes == b"event: ") {
            anyhow::ensure!(stream.read_buf(&mut answer).await? > 0, "it ended");
        }
        Ok(())
    };
    let begun = tokio::time::timeout(LONGEST, begun).await;
    begun
        .context("no event")?
        .with_context(|| String::from_utf8_lossy(&answer).into_owned())?;
    Ok(stream)
}

async fn read(mut stream: TcpStream) -> anyhow::Result<()> {
    let mut bytes = vec![0; 16 * 1024];
    while stream.read(&mut bytes).await? > 0 {}
    anyhow::bail!("a stream ended")
}
