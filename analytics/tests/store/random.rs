//! Any events, in any order, in any batches, from many partitions at once, some
//! of them again: the figures are those of a recount.

use std::{collections::BTreeMap, fmt::Debug, time::Duration};

use analytics::{
    batch::Shard,
    calendar::{Day, Width},
    fact::Fact,
    retention::Retention,
    store::{PairPosition, PairSales, ProductPosition, ProductSales, Store},
};
use anyhow::{Context as _, ensure};
use futures::future::try_join_all;
use proto::{event, id::UserId, money::Currency, time::UnixMicros};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};

use crate::{
    events,
    model::Model,
    world::{NOW, World, days_ago},
};

/// The last time at which anything is counted.
const LAST: Duration = Duration::from_secs(99);

pub(crate) async fn figures_equal_a_recount(url: String) -> anyhow::Result<()> {
    let world = World::open(&url).await?;
    let seed: u64 = rand::random();
    let mut random = StdRng::seed_from_u64(seed);
    let mut facts = Vec::new();
    // Each round adds to what the rounds before left.
    for round in 0..4 {
        let new = events::anything(&mut random);
        deliver(&world, &mut random, &new)
            .await
            .with_context(|| format!("seed {seed}, round {round}"))?;
        facts.extend(new);
        let model = Model(&facts);
        compare(&*world.store, &model)
            .await
            .with_context(|| format!("seed {seed}, round {round}"))?;
    }
    let inbox = usize::try_from(world.rows("inbox").await?)?;
    assert_eq!(inbox, facts.len(), "seed {seed}");
    Ok(())
}

/// Delivers facts as Kafka would: by topic and partition, all at once. Here and
/// there a partition has two owners, one of whom does not know it yet.
async fn deliver(world: &World, random: &mut StdRng, facts: &[Fact]) -> anyhow::Result<()> {
    let mut partitions = BTreeMap::<(&str, i32), Vec<Fact>>::new();
    for fact in facts {
        let topic = match fact {
            Fact::Placed(_) => event::ORDERS,
            Fact::Settled(_) => event::PAYMENTS,
            Fact::Notified(_) => event::NOTIFICATIONS,
            Fact::Tracked(_) => event::USER_EVENTS,
        };
        let partition = (topic, random.random_range(0..3));
        partitions.entry(partition).or_default().push(fact.clone());
    }
    let mut workers = Vec::new();
    for ((topic, partition), facts) in partitions {
        let shard = Shard::of(topic, partition);
        let owners = if random.random_bool(0.3) { 2 } else { 1 };
        for _ in 0..owners {
            let batches = any_batches(random, facts.clone());
            workers.push(tokio::spawn(work(world.clone(), shard, batches)));
        }
    }
    for worked in try_join_all(workers).await? {
        worked?;
    }
    Ok(())
}

/// The facts in any order, some of them again, in batches of any size.
fn any_batches(random: &mut StdRng, mut facts: Vec<Fact>) -> Vec<Vec<Fact>> {
    let again: Vec<Fact> = facts
        .iter()
        .filter(|_| random.random_bool(0.1))
        .cloned()
        .collect();
    facts.extend(again);
    facts.shuffle(random);
    let mut batches = Vec::new();
    while !facts.is_empty() {
        let size = random.random_range(1..=40).min(facts.len());
        batches.push(facts.split_off(facts.len() - size));
    }
    batches
}

async fn work(world: World, shard: Shard, batches: Vec<Vec<Fact>>) -> anyhow::Result<()> {
    for facts in batches {
        world.count_in(&facts, shard, now()).await?;
    }
    Ok(())
}

fn now() -> UnixMicros {
    NOW.saturating_add(LAST)
}

async fn compare(store: &dyn Store, model: &Model<'_>) -> anyhow::Result<()> {
    same("stats", &store.stats().await?, &model.stats(now()))?;
    for width in Width::ALL {
        for from in [days_ago(200), days_ago(2), width.floor(NOW)] {
            let until = width.ceil(NOW);
            let rate = store.order_rate(width, from, until).await?;
            same("order rate", &rate, &model.order_rate(width, from, until))?;
        }
    }
    for code in ["USD", "EUR", "JPY", "KWD"] {
        let currency = code.parse()?;
        let by_units = top(store, currency, true).await?;
        same("products by units", &by_units, &model.top_by_units(code))?;
        let by_revenue = top(store, currency, false).await?;
        same(
            "products by revenue",
            &by_revenue,
            &model.top_by_revenue(code),
        )?;
    }
    for product in [None, Some(1), Some(20), Some(40), Some(41)] {
        same(
            "pairs",
            &pairs(store, product).await?,
            &model.pairs(product),
        )?;
    }
    for user in 1..=41 {
        let known = store.user(UserId::try_from(user)?).await?;
        same("user", &known, &model.user(user))?;
    }
    let kept = Retention::default().funnel_days(now());
    for first in [0, 1, 3, 44, 45, 46, 200] {
        let days = Day::of(days_ago(first))..=Day::of(NOW);
        let mut funnel = store.funnel(days.clone()).await?;
        funnel.sort_by_key(|count| count.stage);
        same("funnel", &funnel, &model.funnel(&days, &kept))?;
    }
    Ok(())
}

fn same<T: PartialEq + Debug>(what: &str, stored: &T, recounted: &T) -> anyhow::Result<()> {
    ensure!(
        stored == recounted,
        "{what}:\n  stored {stored:?}\nrecounted {recounted:?}"
    );
    Ok(())
}

/// The whole list, page by page.
async fn top(
    store: &dyn Store,
    currency: Currency,
    by_units: bool,
) -> anyhow::Result<Vec<ProductSales>> {
    const PAGE: i64 = 7;
    let mut products: Vec<ProductSales> = Vec::new();
    let mut after = ProductPosition::START;
    loop {
        let page = if by_units {
            store.top_products_by_units(currency, after, PAGE).await?
        } else {
            store.top_products_by_revenue(currency, after, PAGE).await?
        };
        let Some(last) = page.last() else {
            return Ok(products);
        };
        after = ProductPosition {
            figure: if by_units { last.units } else { last.revenue },
            product_id: last.product_id,
        };
        products.extend(page);
    }
}

async fn pairs(store: &dyn Store, product: Option<i64>) -> anyhow::Result<Vec<PairSales>> {
    let mut pairs: Vec<PairSales> = Vec::new();
    let mut after = PairPosition::START;
    loop {
        let page = store.product_pairs(product, after, 90).await?;
        let Some(last) = page.last() else {
            return Ok(pairs);
        };
        after = PairPosition {
            orders: last.orders,
            product_id: last.product_id,
            other_product_id: last.other_product_id,
        };
        pairs.extend(page);
    }
}
