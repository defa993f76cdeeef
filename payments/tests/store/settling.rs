//! Who settles a payment, and what stands from then on.

use std::sync::Arc;

use anyhow::ensure;
use futures::future::{join_all, try_join_all};
use payments::store::{self, Claim, Lease, Settled};
use proto::event::PlacedOrder;
use proto::events::v1::DeclineCode;
use testkit::postgres::Server;

use crate::database::open;
use crate::orders::{order, with_token};
use crate::steps::{
    CAPTURED, DECLINED, MINUTE, claim, complete, id, opened, ours, settle, settled, stored,
};

pub(super) async fn leases(url: String) -> anyhow::Result<()> {
    let store = open(&url).await?;
    let order = order();
    let (zombie, _) = claim(&*store, std::slice::from_ref(&order), MINUTE).await?;
    let (owner, claims) = claim(&*store, std::slice::from_ref(&order), MINUTE).await?;
    ensure!(opened(&claims).len() == 1, "a claim waits for no lease");
    ensure!(
        !settle(&*store, &order, DECLINED, zombie).await?,
        "late results are refused"
    );
    ensure!(stored(&*store, &order).await?.outcome.is_none());
    ensure!(settle(&*store, &order, CAPTURED, owner).await?);
    Ok(())
}

pub(super) async fn settled_together(url: String) -> anyhow::Result<()> {
    let store = open(&url).await?;
    let order = order();
    let (zombie, _) = claim(&*store, std::slice::from_ref(&order), MINUTE).await?;
    let (owner, _) = claim(&*store, std::slice::from_ref(&order), MINUTE).await?;
    let charges = vec![
        (settled(&order, DECLINED), zombie),
        (settled(&order, CAPTURED), owner),
        (settled(&order, DECLINED), zombie),
    ];
    ensure!(store.settle(charges).await? == [false, true, false]);
    let outcome = stored(&*store, &order).await?.outcome;
    ensure!(outcome == Some(settled(&order, CAPTURED).outcome));
    ensure!(store.stats().await?.captured == 1);
    Ok(())
}

pub(super) async fn come_together(url: String) -> anyhow::Result<()> {
    let store = store::gathered(open(&url).await?, 10);
    let orders: Vec<PlacedOrder> = (0..40).map(|_| order()).collect();
    complete(&*store, &orders[3], CAPTURED).await?;
    let callers = orders.chunks(3).map(async |orders| {
        let (lease, claims) = claim(&*store, orders, MINUTE).await?;
        let open: Vec<_> = opened(&claims)
            .into_iter()
            .map(|open| open.payment.order_id)
            .collect();
        let charges = orders
            .iter()
            .map(|order| (settled(order, DECLINED), lease))
            .collect();
        let ours = store.settle(charges).await?;
        for (order, is_ours) in orders.iter().zip(ours) {
            ensure!(is_ours == open.contains(&order.order_id));
        }
        store
            .mark_published(orders.iter().map(id).collect())
            .await?;
        anyhow::Ok(open.len())
    });
    let opened: usize = try_join_all(callers).await?.into_iter().sum();
    ensure!(opened == 39, "all but the one that was published: {opened}");
    let (_, claims) = claim(&*store, &orders, MINUTE).await?;
    ensure!(claims.iter().all(|claim| matches!(claim, Claim::Published)));
    let stats = store.stats().await?;
    ensure!(stats.captured == 1 && stats.declined[&DeclineCode::ExpiredCard] == 39);
    Ok(())
}

pub(super) async fn settled_once(url: String) -> anyhow::Result<()> {
    let store = open(&url).await?;
    let order = order();
    let (lease, _) = claim(&*store, std::slice::from_ref(&order), MINUTE).await?;
    ensure!(settle(&*store, &order, CAPTURED, lease).await?);
    let before = stored(&*store, &order).await?;
    ensure!(before.outcome == Some(settled(&order, CAPTURED).outcome));

    ensure!(
        !settle(&*store, &order, DECLINED, lease).await?,
        "not by the same lease"
    );
    let (later, _) = claim(&*store, std::slice::from_ref(&order), MINUTE).await?;
    ensure!(
        !settle(&*store, &order, DECLINED, later).await?,
        "nor by a later one"
    );
    store.mark_published(vec![id(&order)]).await?;
    ensure!(
        !settle(&*store, &order, DECLINED, later).await?,
        "nor once published"
    );
    ensure!(stored(&*store, &order).await? == before);
    ensure!(store.stats().await?.captured == 1);
    Ok(())
}

pub(super) async fn token_is_forgotten(url: String) -> anyhow::Result<()> {
    let store = open(&url).await?;
    let order = with_token(order(), "tok_secret");
    let (lease, claims) = claim(&*store, std::slice::from_ref(&order), MINUTE).await?;
    ensure!(
        opened(&claims)[0].token == order.payment_token,
        "needed for the charge"
    );
    ensure!(settle(&*store, &order, CAPTURED, lease).await?);
    let (_, claims) = claim(&*store, std::slice::from_ref(&order), MINUTE).await?;
    ensure!(opened(&claims)[0].token.is_none(), "and not afterwards");
    Ok(())
}

pub(super) async fn marks(url: String) -> anyhow::Result<()> {
    let store = open(&url).await?;
    let order = order();
    store.mark_published(vec![id(&order)]).await?;
    let (lease, _) = claim(&*store, std::slice::from_ref(&order), MINUTE).await?;
    store.mark_published(vec![id(&order)]).await?;
    ensure!(
        settle(&*store, &order, CAPTURED, lease).await?,
        "a pending payment stays open"
    );
    for _ in 0..2 {
        store.mark_published(vec![id(&order), id(&order)]).await?;
        let (_, claims) = claim(&*store, std::slice::from_ref(&order), MINUTE).await?;
        ensure!(matches!(claims[..], [Claim::Published]));
    }
    Ok(())
}

pub(super) async fn overlapping(url: String) -> anyhow::Result<()> {
    let store = open(&url).await?;
    let orders: Vec<PlacedOrder> = (0..60).map(|_| order()).collect();
    let orders = Arc::new(orders);
    let workers = (0..8).map(|worker| {
        let (store, orders) = (Arc::clone(&store), Arc::clone(&orders));
        tokio::spawn(async move {
            let mut settled_here = 0;
            for round in 0..4 {
                // Windows that overlap, some in the opposite order.
                let start = (worker * 7 + round * 13) % 40;
                let mut batch = orders[start..start + 20].to_vec();
                if worker % 2 == 1 {
                    batch.reverse();
                }
                let (lease, claims) = claim(&*store, &batch, MINUTE).await?;
                let charges: Vec<(Settled, Lease)> = batch
                    .iter()
                    .zip(&claims)
                    .filter(|(_, claim)| matches!(claim, Claim::Open(_)))
                    .map(|(order, _)| (settled(order, CAPTURED), lease))
                    .collect();
                settled_here += ours(&store.settle(charges).await?);
            }
            anyhow::Ok(settled_here)
        })
    });
    let mut by_workers = 0;
    for worker in join_all(workers).await {
        by_workers += worker??;
    }
    // Whatever was taken over at the last moment is still pending.
    let (lease, _) = claim(&*store, &orders, MINUTE).await?;
    let rest = orders
        .iter()
        .map(|order| (settled(order, CAPTURED), lease))
        .collect();
    let rest = ours(&store.settle(rest).await?);
    ensure!(
        by_workers + rest == 60,
        "{by_workers} and {rest}: each once"
    );
    let stats = store.stats().await?;
    ensure!((stats.captured, stats.pending) == (60, 0), "{stats:?}");
    Ok(())
}

/// Statistics in which no payment is pending make the index of those that are look empty.
pub(super) async fn by_id() -> anyhow::Result<()> {
    const PAYMENTS: usize = 2_000;
    let server = Server::shared().await?;
    let url = server.fresh_database("by_id").await?;
    let store = open(&url).await?;
    for _ in 0..2 {
        let orders: Vec<PlacedOrder> = (0..PAYMENTS).map(|_| order()).collect();
        let (lease, _) = claim(&*store, &orders, MINUTE).await?;
        for orders in orders.chunks(100) {
            let captured = orders.iter().map(|one| (settled(one, CAPTURED), lease));
            let captured = store.settle(captured.collect()).await?;
            ensure!(ours(&captured) == orders.len());
        }
        server.connect(&url).await?.batch_execute("ANALYZE").await?;
    }
    drop(store);
    let (table, index) = ("payments", "payments_not_captured");
    let (updated, walked) = server.changed_and_read(&url, table, index).await?;
    let all = i64::try_from(2 * PAYMENTS)?;
    ensure!(updated >= all, "{updated} of {all} payments settled");
    ensure!(walked == 0, "{walked} entries of pending payments read");
    Ok(())
}
