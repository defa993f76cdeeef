//! What is forgotten, and what must not change by it.

use std::time::Duration;

use analytics::{
    batch::Shard,
    calendar::Day,
    fact::Fact,
    retention::{Horizon, Retention},
    stage::Stage,
    store::StageCount,
};
use proto::{event, events::v1::UserEventType};

use crate::{
    events::{order, payment, tracked},
    model::Model,
    world::{NOW, World, days_ago},
};

const ALL: i64 = 1_000;

fn horizon(days: i32) -> Horizon {
    let day = Day::of(NOW).plus(days);
    Horizon {
        inbox: day,
        funnel: day,
    }
}

fn orders(count: i64) -> Vec<Fact> {
    (1..=count)
        .map(|user| {
            let order = order(user, &[(1, 10, 1)]);
            Fact::Placed(order)
        })
        .collect()
}

pub(crate) async fn ids(url: String) -> anyhow::Result<()> {
    let world = World::open(&url).await?;
    let old = orders(25);
    let shard = Shard::of(event::USER_EVENTS, 0);
    let tracked: Vec<_> = (1..=25)
        .map(|user| tracked(user, UserEventType::RemovedFromCart, NOW))
        .collect();
    world.count_in(&tracked, shard, days_ago(1)).await?;
    world.count(&old).await?;

    assert_eq!(world.store.prune(horizon(-1), ALL).await?, 0);
    let forgotten = || async { anyhow::Ok(world.store.prune(horizon(0), 10).await?) };
    assert_eq!(forgotten().await?, 10);
    assert_eq!(world.rows("inbox").await?, 40);
    assert_eq!(
        (forgotten().await?, forgotten().await?, forgotten().await?),
        (10, 5, 0)
    );

    // Those of today are known as before, and no figure changed.
    assert_eq!(world.count(&old).await?, 0);
    let all = [tracked, old].concat();
    assert_eq!(world.store.stats().await?, Model(&all).stats(NOW));
    Ok(())
}

pub(crate) async fn halves(url: String) -> anyhow::Result<()> {
    let world = World::open(&url).await?;
    let facts = orders(5);
    world.count(&facts).await?;
    let other = payment(&order(9, &[(1, 10, 1)]), true);
    world.count(&[other]).await?;
    assert_eq!(world.rows("pending_orders").await?, 6);
    world.store.prune(horizon(0), ALL).await?;
    assert_eq!(world.rows("pending_orders").await?, 6);
    world.store.prune(horizon(1), ALL).await?;
    assert_eq!(world.rows("pending_orders").await?, 0);
    Ok(())
}

/// The set of a day's users is forgotten while their number stays, so nobody may
/// be counted on that day again.
pub(crate) async fn days(url: String) -> anyhow::Result<()> {
    let world = World::open(&url).await?;
    let retention = Retention::default();
    let viewed = |user| tracked(user, UserEventType::ProductViewed, NOW);
    let expected = |users| {
        vec![StageCount {
            stage: Stage::Viewed,
            users,
        }]
    };
    let today = Day::of(NOW)..=Day::of(NOW);
    let users: Vec<_> = (1..=25).map(viewed).collect();
    world.count(&users).await?;
    world.count(&[viewed(1), viewed(26)]).await?;
    assert_eq!(world.store.funnel(today.clone()).await?, expected(26));

    let shard = Shard::of(event::USER_EVENTS, 0);
    let mut later = NOW;
    while world.rows("funnel_users").await? > 0 {
        later = later.saturating_add(Duration::from_hours(24));
        let horizon = Horizon {
            inbox: Day::of(NOW),
            ..retention.horizon(later)
        };
        world.store.prune(horizon, ALL).await?;
        // As long as users are known, they are not counted again; once they are
        // forgotten, neither.
        world
            .count_in(&[viewed(1), viewed(26)], shard, later)
            .await?;
        assert_eq!(world.store.funnel(today.clone()).await?, expected(26));
    }
    assert!(later > NOW.saturating_add(retention.funnel));
    Ok(())
}
