//! What the sweeper gets, and what it leaves.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use futures::future::try_join_all;
use payments::payment::OpenPayment;
use payments::store::{Lease, Postponed};
use proto::event::PlacedOrder;
use proto::time::UnixMicros;

use crate::database::open;
use crate::orders::order;
use crate::steps::{CAPTURED, MINUTE, claim, id, opened, settle};

pub(super) async fn due(url: String) -> anyhow::Result<()> {
    let store = open(&url).await?;
    let now = Duration::ZERO;
    let [pending, charged, published, held] = std::array::from_fn(|_| order());
    claim(&*store, std::slice::from_ref(&pending), now).await?;
    let (lease, _) = claim(&*store, std::slice::from_ref(&charged), now).await?;
    ensure!(settle(&*store, &charged, CAPTURED, lease).await?);
    let (lease, _) = claim(&*store, std::slice::from_ref(&published), now).await?;
    ensure!(settle(&*store, &published, CAPTURED, lease).await?);
    store.mark_published(vec![id(&published)]).await?;
    claim(&*store, std::slice::from_ref(&held), MINUTE).await?;

    let first = store.lease_due(Lease::of(MINUTE), 1).await?;
    let second = store.lease_due(Lease::of(MINUTE), 10).await?;
    let orders =
        |due: &[OpenPayment]| -> Vec<_> { due.iter().map(|open| open.payment.order_id).collect() };
    ensure!(
        orders(&first) == [pending.order_id],
        "the oldest first, up to the limit"
    );
    ensure!(
        orders(&second) == [charged.order_id],
        "settled but unpublished ones as well"
    );
    ensure!(second[0].payment.outcome.is_some());
    ensure!(
        store.lease_due(Lease::of(MINUTE), 10).await?.is_empty(),
        "what is leased is not due"
    );
    Ok(())
}

pub(super) async fn sweepers(url: String) -> anyhow::Result<()> {
    let store = open(&url).await?;
    let orders: Vec<PlacedOrder> = (0..100).map(|_| order()).collect();
    claim(&*store, &orders, Duration::ZERO).await?;
    let sweepers = (0..8).map(|_| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let mut got = Vec::new();
            loop {
                let due = store.lease_due(Lease::of(MINUTE), 7).await?;
                if due.is_empty() {
                    return anyhow::Ok(got);
                }
                got.extend(due.into_iter().map(|open| open.payment.payment_id));
            }
        })
    });
    let mut got = Vec::new();
    for sweeper in try_join_all(sweepers).await? {
        got.extend(sweeper?);
    }
    // One sweeper may find only rows that another is about to take, and stop.
    while let [first, rest @ ..] = &store.lease_due(Lease::of(MINUTE), 7).await?[..] {
        got.push(first.payment.payment_id);
        got.extend(rest.iter().map(|open| open.payment.payment_id));
    }
    let distinct: HashSet<_> = got.iter().collect();
    ensure!(
        (got.len(), distinct.len()) == (100, 100),
        "{} of {}",
        distinct.len(),
        got.len()
    );
    Ok(())
}

pub(super) async fn postponed(url: String) -> anyhow::Result<()> {
    let store = open(&url).await?;
    let order = order();
    claim(&*store, std::slice::from_ref(&order), Duration::ZERO).await?;
    let postpone = |due_at| Postponed {
        payment_id: id(&order),
        due_at,
    };

    let lease = Lease::of(Duration::ZERO);
    ensure!(store.lease_due(lease, 1).await?.len() == 1);
    let stale = Lease::of(MINUTE);
    store.postpone(vec![postpone(None)], stale).await?;
    let again = Lease::of(Duration::ZERO);
    ensure!(
        store.lease_due(again, 1).await?.len() == 1,
        "a foreign lease postpones nothing"
    );

    let later = UnixMicros::now().saturating_add(MINUTE);
    store.postpone(vec![postpone(Some(later))], again).await?;
    ensure!(
        store.lease_due(Lease::of(MINUTE), 1).await?.is_empty(),
        "not due yet"
    );

    let (lease, claims) = claim(&*store, std::slice::from_ref(&order), Duration::ZERO).await?;
    ensure!(
        opened(&claims)[0].sweeps == 1,
        "a handler need not wait; the try is remembered"
    );
    store.postpone(vec![postpone(None)], lease).await?;
    ensure!(
        store.lease_due(Lease::of(MINUTE), 1).await?.is_empty(),
        "given up"
    );
    ensure!(store.stats().await?.pending == 1, "but still to be seen");

    let (lease, _) = claim(&*store, std::slice::from_ref(&order), MINUTE).await?;
    ensure!(
        settle(&*store, &order, CAPTURED, lease).await?,
        "and taken up by a replay"
    );
    Ok(())
}
