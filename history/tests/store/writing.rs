//! What is stored, however often and beside whomever.

use std::collections::HashMap;

use anyhow::ensure;
use history::{
    fact::{Fact, NewOrder},
    store::{
        Verdict,
        Verdict::{Conflicts, Stands},
    },
};
use proto::{
    event::{ContentHash, PlacedLine},
    id::ProductId,
    limits,
    time::UnixMicros,
};
use rand::seq::SliceRandom as _;
use testkit::harness::Suite;

use crate::fixture::{
    DECLINED, PAID, STORED_AT, expected, open, order, placed, read, rival, settled, store,
};

pub(crate) fn add(suite: Suite) -> Suite {
    suite
        .on_both_databases("every_field_of_an_order_comes_back", every_field_comes_back)
        .on_both_databases("the_largest_order_comes_back", the_largest_order_comes_back)
        .on_both_databases(
            "a_payment_may_come_before_its_order",
            a_payment_may_come_before_its_order,
        )
        .on_both_databases(
            "a_repeated_batch_changes_nothing",
            a_repeated_batch_changes_nothing,
        )
        .on_both_databases(
            "a_retried_request_changes_nothing",
            a_retried_request_changes_nothing,
        )
        .on_both_databases(
            "a_conflict_leaves_the_stored_order_and_stores_the_rest",
            a_conflict_stores_the_rest,
        )
        .on_both_databases(
            "within_a_batch_the_first_of_an_id_wins",
            within_a_batch_the_first_wins,
        )
        .on_both_databases(
            "a_status_that_is_final_never_changes",
            a_final_status_never_changes,
        )
        .on_both_databases("an_empty_batch_is_a_batch", an_empty_batch_is_a_batch)
        .on_both_databases(
            "overlapping_batches_at_once_agree_on_one_content",
            overlapping_batches_agree,
        )
        .on_both_databases("instances_may_start_at_once", instances_may_start_at_once)
}

async fn every_field_comes_back(url: String) -> anyhow::Result<()> {
    let history = open(&url).await?;
    let (with_trace, mut without) = (order(), order());
    without.trace_id = None;
    let facts = vec![
        placed(&with_trace),
        placed(&without),
        settled(&without, DECLINED),
    ];
    store(&history, facts).await?;
    ensure!(read(&history, &with_trace).await? == Some(expected(&with_trace, None)));
    ensure!(read(&history, &without).await? == Some(expected(&without, Some(DECLINED))));
    Ok(())
}

async fn the_largest_order_comes_back(url: String) -> anyhow::Result<()> {
    let history = open(&url).await?;
    let line = PlacedLine {
        product_id: ProductId::try_from(limits::MAX_ID)?,
        name: "\u{1f6d2}".repeat(limits::MAX_NAME_CHARS),
        unit_price: limits::MAX_UNIT_PRICE,
        quantity: limits::MAX_QUANTITY,
    };
    let mut order = order();
    order.lines = vec![line; limits::MAX_LINES];
    order.total.minor = limits::MAX_TOTAL;
    order.placed_at = UnixMicros::from_micros(253_402_300_799_999_999);
    store(&history, vec![placed(&order)]).await?;
    ensure!(read(&history, &order).await? == Some(expected(&order, None)));
    Ok(())
}

async fn a_payment_may_come_before_its_order(url: String) -> anyhow::Result<()> {
    let history = open(&url).await?;
    let order = order();
    store(&history, vec![settled(&order, PAID)]).await?;
    ensure!(
        read(&history, &order).await?.is_none(),
        "a payment is no order"
    );
    store(&history, vec![placed(&order)]).await?;
    ensure!(read(&history, &order).await? == Some(expected(&order, Some(PAID))));
    Ok(())
}

async fn a_repeated_batch_changes_nothing(url: String) -> anyhow::Result<()> {
    let history = open(&url).await?;
    let orders: Vec<NewOrder> = (0..10).map(|_| order()).collect();
    let once = orders
        .iter()
        .flat_map(|order| [placed(order), settled(order, PAID)]);
    let twice: Vec<Fact> = once.clone().chain(once).collect();
    store(&history, twice.clone()).await?;

    let later = STORED_AT.saturating_add(std::time::Duration::from_secs(60));
    let verdicts = history.apply(twice, later).await?;
    ensure!(verdicts == [Stands; 40], "{verdicts:?}");
    for order in &orders {
        // Not stored again either: it would be stored later.
        ensure!(read(&history, order).await? == Some(expected(order, Some(PAID))));
    }
    Ok(())
}

async fn a_retried_request_changes_nothing(url: String) -> anyhow::Result<()> {
    let history = open(&url).await?;
    let first = order();
    // The same content under the same idempotency key, but another request.
    let retried = NewOrder {
        placed_at: first
            .placed_at
            .saturating_add(std::time::Duration::from_secs(9)),
        trace_id: None,
        ..first.clone()
    };
    store(&history, vec![placed(&first)]).await?;
    store(&history, vec![placed(&retried)]).await?;
    ensure!(read(&history, &first).await? == Some(expected(&first, None)));
    Ok(())
}

async fn a_conflict_stores_the_rest(url: String) -> anyhow::Result<()> {
    let history = open(&url).await?;
    let (stored, before, after) = (order(), order(), order());
    store(&history, vec![placed(&stored), settled(&stored, PAID)]).await?;
    let batch = vec![
        placed(&before),
        placed(&rival(&stored)),
        settled(&stored, DECLINED),
        placed(&stored),
        placed(&after),
        settled(&after, DECLINED),
    ];
    let verdicts = history.apply(batch, STORED_AT).await?;
    let wanted = [Stands, Conflicts, Conflicts, Stands, Stands, Stands];
    ensure!(verdicts == wanted, "{verdicts:?}");
    ensure!(read(&history, &stored).await? == Some(expected(&stored, Some(PAID))));
    ensure!(read(&history, &before).await? == Some(expected(&before, None)));
    ensure!(read(&history, &after).await? == Some(expected(&after, Some(DECLINED))));
    Ok(())
}

async fn within_a_batch_the_first_wins(url: String) -> anyhow::Result<()> {
    let history = open(&url).await?;
    let first = order();
    let batch = vec![
        placed(&first),
        placed(&rival(&first)),
        settled(&first, DECLINED),
        settled(&first, PAID),
        placed(&first),
    ];
    let wanted = [Stands, Conflicts, Stands, Conflicts, Stands];
    // Once against an empty database, once against what it left there.
    for _ in 0..2 {
        let verdicts = history.apply(batch.clone(), STORED_AT).await?;
        ensure!(verdicts == wanted, "{verdicts:?}");
        ensure!(read(&history, &first).await? == Some(expected(&first, Some(DECLINED))));
    }
    Ok(())
}

async fn a_final_status_never_changes(url: String) -> anyhow::Result<()> {
    let history = open(&url).await?;
    let order = order();
    store(&history, vec![settled(&order, PAID), placed(&order)]).await?;
    let mut later = PAID;
    later.settled_at = later
        .settled_at
        .saturating_add(std::time::Duration::from_secs(1));
    for outcome in [DECLINED, later] {
        let verdicts = history
            .apply(vec![settled(&order, outcome)], STORED_AT)
            .await?;
        ensure!(verdicts == [Conflicts], "{verdicts:?}");
    }
    ensure!(read(&history, &order).await? == Some(expected(&order, Some(PAID))));
    Ok(())
}

async fn an_empty_batch_is_a_batch(url: String) -> anyhow::Result<()> {
    let history = open(&url).await?;
    ensure!(history.apply(Vec::new(), STORED_AT).await?.is_empty());
    ensure!(history.orders(&[]).await?.is_empty());
    Ok(())
}

/// Two owners of one partition, as after a rebalance, but worse: eight of them,
/// each with its own idea of every order and in its own order.
async fn overlapping_batches_agree(url: String) -> anyhow::Result<()> {
    const WRITERS: u8 = 8;
    let history = open(&url).await?;
    let orders: Vec<NewOrder> = (0..100).map(|_| order()).collect();
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let mut facts: Vec<Fact> = orders
            .iter()
            .flat_map(|order| {
                // Half of the writers are zombies that write what another does.
                let content_hash = ContentHash([writer / 2; 32]);
                let outcome = if writer < WRITERS / 2 { PAID } else { DECLINED };
                let order = NewOrder {
                    content_hash,
                    ..order.clone()
                };
                [placed(&order), settled(&order, outcome)]
            })
            .collect();
        facts.shuffle(&mut rand::rng());
        let history = history.clone();
        writers.push(tokio::spawn(async move {
            let mut told: Vec<(Fact, Verdict)> = Vec::new();
            for batch in facts.chunks(50) {
                let verdicts = history.apply(batch.to_vec(), STORED_AT).await?;
                told.extend(batch.iter().cloned().zip(verdicts));
            }
            anyhow::Ok(told)
        }));
    }
    let mut told = Vec::new();
    for writer in writers {
        told.append(&mut writer.await??);
    }

    let ids: Vec<_> = orders.iter().map(|order| order.order_id).collect();
    let stored = history.orders(&ids).await?;
    ensure!(stored.len() == orders.len(), "{} orders", stored.len());
    let stored: HashMap<_, _> = stored
        .into_iter()
        .map(|order| (order.order_id, order))
        .collect();
    for (fact, verdict) in told {
        // Whoever was told that its content stands must find it there.
        let stands = match &fact {
            Fact::Placed(new) => stored[&new.order_id].content_hash == new.content_hash,
            Fact::Settled(new) => stored[&new.order_id].outcome == Some(new.outcome),
        };
        ensure!(stands == (verdict == Stands), "{fact:?}: {verdict:?}");
    }
    Ok(())
}

async fn instances_may_start_at_once(url: String) -> anyhow::Result<()> {
    let (a, b, c) = tokio::join!(open(&url), open(&url), open(&url));
    let order = order();
    store(&a?, vec![placed(&order)]).await?;
    for history in [b?, c?] {
        ensure!(read(&history, &order).await?.is_some());
    }
    Ok(())
}
