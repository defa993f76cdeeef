//! What PostgreSQL does to answer, where that is not left to its planner.

use analytics::fact::Fact;
use anyhow::Context as _;
use testkit::postgres::Server;

use crate::{
    events::{order, payment},
    world::World,
};

/// More than the executions after which PostgreSQL keeps a plan (five).
const ROUNDS: i64 = 20;

/// While orders are paid at once their table is all but empty, and a scan of it is
/// the cheapest plan there is: one that must not be kept for a backlog.
pub(crate) async fn halves() -> anyhow::Result<()> {
    let server = Server::shared().await?;
    let url = server.fresh_database("plans").await?;
    let world = World::open(&url).await?;
    let client = server.connect(&url).await?;
    client.simple_query("VACUUM ANALYZE pending_orders").await?;
    drop(client);
    for user in 1..=ROUNDS {
        let order = order(user, &[(1, 10, 1)]);
        let payment = payment(&order, true);
        world.count(&[Fact::Placed(order)]).await?;
        world.count(&[payment]).await?;
    }
    drop(world);
    let scans = "SELECT idx_scan, seq_scan FROM pg_stat_user_tables
                 WHERE relname = 'pending_orders'";
    let client = server.connect_alone(&url).await?;
    let row = client.query_one(scans, &[]).await?;
    let by_key: i64 = row.get::<_, Option<i64>>(0).context("no index")?;
    let by_table: i64 = row.get(1);
    anyhow::ensure!(
        by_key + by_table >= ROUNDS,
        "{by_key} by key, {by_table} by table"
    );
    // ANALYZE and building the index may have looked at the whole table.
    anyhow::ensure!(by_table < ROUNDS / 2, "{by_table} scans of the whole table");
    Ok(())
}
