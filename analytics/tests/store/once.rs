//! An event counts once, whatever happens.

use analytics::{
    batch::Shard,
    calendar::Day,
    fact::{Fact, Placed},
    retention::Horizon,
};
use proto::{event, id::UserId, money::Currency};
use testkit::process::Scratch;

use crate::{
    events::{order, payment},
    model::Model,
    world::{NOW, World},
};

fn orders(count: i64) -> Vec<Placed> {
    (1..=count)
        .map(|user| order(user, &[(1, 10, 2), (2, 5, 1)]))
        .collect()
}

fn placed(orders: &[Placed]) -> Vec<Fact> {
    orders.iter().cloned().map(Fact::Placed).collect()
}

fn paid(orders: &[Placed]) -> Vec<Fact> {
    orders.iter().map(|order| payment(order, true)).collect()
}

async fn assert_counted(world: &World, facts: &[Fact]) -> anyhow::Result<()> {
    let model = Model(facts);
    assert_eq!(world.store.stats().await?, model.stats(NOW));
    let earned = world
        .store
        .top_products_by_revenue(Currency::USD, analytics::store::ProductPosition::START, 100)
        .await?;
    assert_eq!(earned, model.top_by_revenue("USD"));
    Ok(())
}

pub(crate) async fn a_batch_twice(url: String) -> anyhow::Result<()> {
    let world = World::open(&url).await?;
    let orders = orders(10);
    let facts = [placed(&orders), paid(&orders)].concat();
    assert_eq!(world.count(&facts).await?, 20);
    assert_eq!(world.count(&facts).await?, 0);
    assert_counted(&world, &facts).await
}

pub(crate) async fn a_fact_twice(url: String) -> anyhow::Result<()> {
    let world = World::open(&url).await?;
    let facts = placed(&orders(3));
    let twice = [facts.clone(), facts.clone()].concat();
    assert_eq!(world.count(&twice).await?, 3);
    assert_counted(&world, &facts).await
}

/// Two owners of a partition count overlapping batches at the same time, the ids
/// in opposite orders.
pub(crate) async fn overlapping(url: String) -> anyhow::Result<()> {
    let world = World::open(&url).await?;
    let mut all = Vec::new();
    for _ in 0..20 {
        let facts = placed(&orders(60));
        let mut later = facts[20..].to_vec();
        later.reverse();
        let (one, other) = tokio::try_join!(world.count(&facts[..40]), world.count(&later))?;
        assert_eq!(one + other, 60);
        all.extend(facts);
    }
    assert_counted(&world, &all).await
}

/// Both halves of many orders come at the same time, from different partitions.
pub(crate) async fn halves(url: String) -> anyhow::Result<()> {
    let world = World::open(&url).await?;
    let mut all = Vec::new();
    for _ in 0..30 {
        let orders = orders(50);
        let (placed, mut paid) = (placed(&orders), paid(&orders));
        paid.reverse();
        let (one, other) = tokio::try_join!(
            world.count_in(&placed, Shard::of(event::ORDERS, 0), NOW),
            world.count_in(&paid, Shard::of(event::PAYMENTS, 5), NOW),
        )?;
        assert_eq!((one, other), (50, 50));
        all.extend(placed);
        all.extend(paid);
    }
    assert_eq!(world.rows("pending_orders").await?, 0);
    assert_counted(&world, &all).await
}

/// Nothing stays of a transaction that failed at its end, ids least of all.
pub(crate) async fn a_failed_batch(url: String) -> anyhow::Result<()> {
    let world = World::open(&url).await?;
    let facts = placed(&orders(5));
    world.count(&facts[..2]).await?;
    world
        .execute("ALTER TABLE user_orders RENAME TO elsewhere")
        .await?;
    assert!(world.count(&facts).await.is_err());
    world
        .execute("ALTER TABLE elsewhere RENAME TO user_orders")
        .await?;
    assert_counted(&world, &facts[..2]).await?;
    assert_eq!(world.count(&facts).await?, 3);
    assert_counted(&world, &facts).await
}

/// Ids of a database that was made before ids were kept in order of arrival.
pub(crate) async fn before_arrivals() -> anyhow::Result<()> {
    let folder = Scratch::new("sqlite")?;
    let file = folder.path().join("analytics.db");
    let world = World::open(&format!("sqlite://{}", file.display())).await?;
    let facts = placed(&orders(3));
    world.count(&facts[..2]).await?;
    for sql in [
        "INSERT INTO inbox_before (id, seen_day) SELECT id, seen_day FROM inbox",
        "DELETE FROM inbox",
    ] {
        world.execute(sql).await?;
    }
    assert_eq!(world.count(&facts).await?, 1);
    assert_counted(&world, &facts).await?;
    let tomorrow = Day::of(NOW).plus(1);
    let horizon = Horizon {
        inbox: tomorrow,
        funnel: tomorrow,
    };
    assert!(world.store.prune(horizon, 100).await? >= 3);
    assert_eq!(world.rows("inbox_before").await?, 0);
    Ok(())
}

pub(crate) async fn a_conflict(url: String) -> anyhow::Result<()> {
    let world = World::open(&url).await?;
    let first = order(1, &[(1, 10, 2)]);
    let mut other = order(2, &[(7, 99, 9)]);
    other.order_id = first.order_id;
    let first = Fact::Placed(first);
    let other = Fact::Placed(other);
    assert_eq!(world.count(std::slice::from_ref(&first)).await?, 1);
    assert_eq!(world.count(&[other.clone(), first.clone()]).await?, 0);
    assert_counted(&world, &[first]).await?;
    assert_eq!(world.store.user(UserId::try_from(2)?).await?, None);
    Ok(())
}
