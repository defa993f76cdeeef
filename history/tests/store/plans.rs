//! Reads go by index, however many orders there are.

use anyhow::ensure;
use history::{fact::NewOrder, store::Position};
use proto::time::UnixMicros;
use testkit::{
    harness::{Needs, Suite},
    postgres::Server,
};

use crate::fixture::{PAID, open, order, placed, settled, store, user};

/// Enough pages for a planner to prefer an index, few enough to be quick.
const ORDERS: i64 = 20_000;

pub(crate) fn add(suite: Suite) -> Suite {
    suite.test(
        "postgres::reads_never_scan_a_table",
        [Needs::Postgres],
        reads_never_scan_a_table,
    )
}

async fn reads_never_scan_a_table() -> anyhow::Result<()> {
    let server = Server::shared().await?;
    let url = server.fresh_database("plans").await?;
    let history = open(&url).await?;
    let orders: Vec<NewOrder> = (0..ORDERS)
        .map(|number| NewOrder {
            user_id: user(1 + number % 500),
            placed_at: UnixMicros::from_micros(1_600_000_000_000_000 + number),
            ..order()
        })
        .collect();
    for batch in orders.chunks(1_000) {
        let facts = batch
            .iter()
            .flat_map(|order| [placed(order), settled(order, PAID)]);
        store(&history, facts.collect()).await?;
    }
    drop(history);
    server.connect(&url).await?.batch_execute("ANALYZE").await?;
    let before = Scans::count(server, &url).await?;

    let history = open(&url).await?;
    let few: Vec<_> = orders[..5].iter().map(|order| order.order_id).collect();
    // More often than the five times after which PostgreSQL may settle on one
    // plan for all parameters.
    for _ in 0..8 {
        ensure!(history.orders(&few).await?.len() == 5);
        ensure!(history.orders(&few[..1]).await?.len() == 1);
        ensure!(history.list(None, Position::START, 51).await?.len() == 51);
        ensure!(
            history
                .list(Some(user(42)), Position::START, 30)
                .await?
                .len()
                == 30
        );
    }
    drop(history);
    let after = Scans::count(server, &url).await?;
    ensure!(
        after.by_index >= before.by_index + 8 * 4,
        "from {before:?} to {after:?}"
    );
    ensure!(after.whole == before.whole, "from {before:?} to {after:?}");
    Ok(())
}

/// How often PostgreSQL has scanned the tables.
#[derive(Debug)]
struct Scans {
    whole: i64,
    by_index: i64,
}

impl Scans {
    async fn count(server: &Server, url: &str) -> anyhow::Result<Self> {
        let client = server.connect_alone(url).await?;
        let scans = "SELECT sum(seq_scan)::bigint, sum(idx_scan)::bigint
            FROM pg_stat_user_tables WHERE relname IN ('orders', 'payment_outcomes')";
        let row = client.query_one(scans, &[]).await?;
        Ok(Self {
            whole: row.get(0),
            by_index: row.get(1),
        })
    }
}
