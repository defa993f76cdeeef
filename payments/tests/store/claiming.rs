//! What a claim does to a payment, and says of it.

use anyhow::ensure;
use payments::payment::Intent;
use payments::store::{Claim, Lease};
use proto::time::UnixMicros;

use crate::database::open;
use crate::orders::{contradicting, order, with_token};
use crate::steps::{CAPTURED, DECLINED, MINUTE, claim, complete, id, opened, settle, stored};

pub(super) async fn first_wins(url: String) -> anyhow::Result<()> {
    const FIRST: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const SECOND: &str = "00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let store = open(&url).await?;
    let first = with_token(order(), "tok_first");
    let traced = Intent::of(&first, Some(FIRST.to_owned()));
    store.claim(vec![(traced, Lease::of(MINUTE))]).await?;
    let before = stored(&*store, &first).await?;

    // The same content, accepted again a little later.
    let mut again = first.clone();
    again.placed_at = UnixMicros::now();
    let traced = Intent::of(&again, Some(SECOND.to_owned()));
    let claims = store.claim(vec![(traced, Lease::of(MINUTE))]).await?;
    let [open] = opened(&claims)[..] else {
        anyhow::bail!("must be open, not {claims:?}");
    };
    ensure!(open.payment == before);
    ensure!(open.payment.order_placed_at == first.placed_at);
    ensure!(open.traceparent.as_deref() == Some(FIRST));
    ensure!(open.token == first.payment_token);
    Ok(())
}

pub(super) async fn claims(url: String) -> anyhow::Result<()> {
    let store = open(&url).await?;
    let [fresh, pending, charged, published] = std::array::from_fn(|_| order());
    claim(&*store, std::slice::from_ref(&pending), MINUTE).await?;
    let (lease, _) = claim(&*store, std::slice::from_ref(&charged), MINUTE).await?;
    ensure!(settle(&*store, &charged, DECLINED, lease).await?);
    complete(&*store, &published, CAPTURED).await?;

    let batch = [
        published.clone(),
        fresh.clone(),
        charged.clone(),
        pending.clone(),
    ];
    let (_, claims) = claim(&*store, &batch, MINUTE).await?;
    ensure!(matches!(claims[0], Claim::Published));
    let results: Vec<_> = opened(&claims)
        .into_iter()
        .map(|open| {
            (
                open.payment.order_id,
                open.payment.outcome.as_ref().map(|o| o.result),
            )
        })
        .collect();
    let expected = [
        (fresh.order_id, None),
        (charged.order_id, Some(DECLINED)),
        (pending.order_id, None),
    ];
    ensure!(
        results == expected,
        "in the order of the intents: {results:?}"
    );
    Ok(())
}

pub(super) async fn conflicts(url: String) -> anyhow::Result<()> {
    let store = open(&url).await?;
    let order = order();
    let other = [contradicting(&order)];
    let (lease, _) = claim(&*store, std::slice::from_ref(&order), MINUTE).await?;
    for step in ["pending", "settled", "published"] {
        let (_, claims) = claim(&*store, &other, MINUTE).await?;
        ensure!(
            matches!(claims[..], [Claim::Conflict]),
            "{step}: {claims:?}"
        );
        match step {
            // The conflict must not have taken the lease.
            "pending" => ensure!(settle(&*store, &order, CAPTURED, lease).await?),
            _ => store.mark_published(vec![id(&order)]).await?,
        }
    }
    Ok(())
}
