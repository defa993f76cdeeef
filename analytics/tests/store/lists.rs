//! Lists, buckets and users.

use std::time::Duration;

use analytics::{
    batch::Shard,
    calendar::Width,
    fact::Fact,
    store::{Bucket, PairPosition, PairSales, ProductPosition},
};
use proto::{event, id::UserId, money::Currency, time::UnixMicros};

use crate::{
    events::{order, payment},
    model::Model,
    world::{NOW, World},
};

/// The same keys in many partitions of several topics.
pub(crate) async fn shards(url: String) -> anyhow::Result<()> {
    let world = World::open(&url).await?;
    let mut all = Vec::new();
    for partition in 0..30_u8 {
        let mut order = order(1, &[(1, 10, 2), (2, 5, 1)]);
        order.placed_at = NOW.saturating_add(Duration::from_secs(partition.into()));
        order.lines[0].name = format!("Name {partition}");
        let paid = payment(&order, true);
        let placed = Fact::Placed(order);
        let (of_orders, of_payments) = (
            Shard::of(event::ORDERS, partition.into()),
            Shard::of(event::PAYMENTS, partition.into()),
        );
        world
            .count_in(std::slice::from_ref(&placed), of_orders, NOW)
            .await?;
        world
            .count_in(std::slice::from_ref(&paid), of_payments, NOW)
            .await?;
        all.extend([placed, paid]);
    }
    let model = Model(&all);
    assert_eq!(world.store.stats().await?, model.stats(NOW));
    assert_eq!(world.store.user(UserId::try_from(1)?).await?, model.user(1));
    let start = ProductPosition::START;
    let usd = Currency::USD;
    let sold = world.store.top_products_by_units(usd, start, 9).await?;
    assert_eq!(sold, model.top_by_units("USD"));
    assert_eq!(sold[0].name, "Name 29");
    let earned = world.store.top_products_by_revenue(usd, start, 9).await?;
    assert_eq!(earned, model.top_by_revenue("USD"));
    let pairs = world
        .store
        .product_pairs(None, PairPosition::START, 9)
        .await?;
    assert_eq!(pairs, model.pairs(None));
    Ok(())
}

pub(crate) async fn buckets(url: String) -> anyhow::Result<()> {
    let world = World::open(&url).await?;
    let start = Width::Minute.floor(NOW);
    let minute = Width::Minute.micros();
    let at = |offset: i64| UnixMicros::from_micros(start.as_micros() + offset);
    let mut facts = Vec::new();
    for offset in [-1, 0, minute - 1, minute] {
        let mut order = order(1, &[(1, 10, 1)]);
        order.placed_at = at(offset);
        facts.push(Fact::Placed(order));
    }
    world.count(&facts).await?;
    let one = |offset, orders| Bucket {
        start: at(offset),
        orders,
        orders_paid: 0,
    };
    let rate = |from, until| world.store.order_rate(Width::Minute, at(from), at(until));
    assert_eq!(rate(0, minute).await?, [one(0, 2)]);
    assert_eq!(
        rate(-minute, 2 * minute).await?,
        [one(-minute, 1), one(0, 2), one(minute, 1)]
    );
    assert!(rate(2 * minute, 9 * minute).await?.is_empty());
    Ok(())
}

pub(crate) async fn unknown_user(url: String) -> anyhow::Result<()> {
    let world = World::open(&url).await?;
    world
        .count(&[Fact::Placed(order(1, &[(1, 10, 1)]))])
        .await?;
    assert_eq!(world.store.user(UserId::try_from(2)?).await?, None);
    // A payment alone makes a user known, even while its order is on its way.
    world
        .count(&[payment(&order(2, &[(1, 10, 1)]), false)])
        .await?;
    let known = world.store.user(UserId::try_from(2)?).await?.unwrap();
    assert_eq!((known.orders, known.orders_declined), (0, 1));
    assert_eq!(known.first_seen_at, NOW);
    Ok(())
}

pub(crate) async fn equal_figures(url: String) -> anyhow::Result<()> {
    let world = World::open(&url).await?;
    let products: Vec<_> = [5, 3, 9, 1, 7].iter().map(|id| (*id, 10, 1)).collect();
    let order = order(1, &products);
    let paid = payment(&order, true);
    world.count(&[Fact::Placed(order), paid]).await?;
    let mut after = ProductPosition::START;
    let mut seen = Vec::new();
    while let [product] = world
        .store
        .top_products_by_revenue(Currency::USD, after, 1)
        .await?
        .as_slice()
    {
        after = ProductPosition {
            figure: product.revenue,
            product_id: product.product_id,
        };
        seen.push(product.product_id);
    }
    assert_eq!(seen, [1, 3, 5, 7, 9]);
    let pair = |product_id, other_product_id| PairSales {
        product_id,
        other_product_id,
        orders: 1,
    };
    let after = PairPosition {
        orders: 1,
        product_id: 1,
        other_product_id: 7,
    };
    let pairs = world.store.product_pairs(None, after, 2).await?;
    assert_eq!(pairs, [pair(1, 9), pair(3, 5)]);
    let of_five = world.store.product_pairs(Some(5), after, 9).await?;
    assert_eq!(of_five, [pair(3, 5), pair(5, 7), pair(5, 9)]);
    Ok(())
}
