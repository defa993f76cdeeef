//! What readers see.

use std::{sync::Arc, time::Duration};

use anyhow::ensure;
use history::{
    fact::NewOrder,
    store::{Position, Store},
};
use proto::{
    id::{OrderId, UserId},
    time::UnixMicros,
};
use rand::seq::SliceRandom as _;
use testkit::harness::Suite;

use crate::fixture::{PAID, open, order, placed, settled, store, user};

pub(crate) fn add(suite: Suite) -> Suite {
    suite
        .on_both_databases(
            "several_orders_are_read_at_once_and_unknown_ones_left_out",
            several_orders_at_once,
        )
        .on_both_databases("a_thousand_orders_are_read_at_once", a_thousand_at_once)
        .on_both_databases(
            "a_list_is_newest_first_and_pages_meet_without_a_gap",
            pages_meet_without_a_gap,
        )
        .on_both_databases("a_list_of_one_user_holds_no_other_s", a_list_of_one_user)
        .on_both_databases(
            "an_order_that_comes_between_two_pages_shifts_neither",
            pages_are_stable,
        )
}

async fn several_orders_at_once(url: String) -> anyhow::Result<()> {
    let history = open(&url).await?;
    let (a, b, unpaid, only_paid) = (order(), order(), order(), order());
    let facts = vec![
        placed(&a),
        placed(&b),
        settled(&b, PAID),
        placed(&unpaid),
        settled(&only_paid, PAID),
    ];
    store(&history, facts).await?;
    let unknown = OrderId::random();
    let asked = [
        a.order_id,
        b.order_id,
        a.order_id,
        unknown,
        only_paid.order_id,
    ];
    let mut found: Vec<_> = history
        .orders(&asked)
        .await?
        .into_iter()
        .map(|order| (order.order_id, order.outcome))
        .collect();
    found.sort_by_key(|(id, _)| *id);
    let mut wanted = vec![(a.order_id, None), (b.order_id, Some(PAID))];
    wanted.sort_by_key(|(id, _)| *id);
    ensure!(found == wanted, "{found:?}");
    Ok(())
}

async fn a_thousand_at_once(url: String) -> anyhow::Result<()> {
    let history = open(&url).await?;
    let orders: Vec<NewOrder> = (0..1_000).map(|_| order()).collect();
    store(&history, orders.iter().map(placed).collect()).await?;
    let ids: Vec<_> = orders.iter().map(|order| order.order_id).collect();
    let found = history.orders(&ids).await?;
    ensure!(found.len() == 1_000, "{}", found.len());
    Ok(())
}

/// 60 orders of two users, three at each time, in random order: the list of
/// each user and that of all.
async fn seed(history: &Arc<dyn Store>) -> anyhow::Result<Vec<NewOrder>> {
    let mut orders: Vec<NewOrder> = (0..60)
        .map(|number: i64| NewOrder {
            user_id: user(1 + number % 2),
            placed_at: UnixMicros::from_micros(1_600_000_000_000_000 + number / 3),
            order_id: OrderId::from_uuid(uuid::Uuid::from_u128(rand::random())),
            ..order()
        })
        .collect();
    orders.shuffle(&mut rand::rng());
    store(history, orders.iter().map(placed).collect()).await?;
    Ok(orders)
}

fn newest_first(orders: &[NewOrder], user_id: Option<UserId>) -> Vec<OrderId> {
    let mut positions: Vec<Position> = orders
        .iter()
        .filter(|order| user_id.is_none_or(|user_id| order.user_id == user_id))
        .map(|order| Position {
            placed_at: order.placed_at,
            order_id: order.order_id,
        })
        .collect();
    positions.sort_unstable_by(|a, b| b.cmp(a));
    positions
        .into_iter()
        .map(|position| position.order_id)
        .collect()
}

/// Reads a list page by page to its end.
async fn all_pages(
    history: &Arc<dyn Store>,
    user_id: Option<UserId>,
    size: i64,
) -> anyhow::Result<Vec<OrderId>> {
    let mut after = Position::START;
    let mut ids = Vec::new();
    loop {
        let page = history.list(user_id, after, size).await?;
        ensure!(i64::try_from(page.len())? <= size, "{} orders", page.len());
        let Some(last) = page.last() else {
            return Ok(ids);
        };
        after = last.position();
        ids.extend(page.iter().map(|order| order.order_id));
        ensure!(ids.len() <= 60, "a page was given twice");
    }
}

async fn pages_meet_without_a_gap(url: String) -> anyhow::Result<()> {
    let history = open(&url).await?;
    let orders = seed(&history).await?;
    for size in [1, 7, 60, 1_000] {
        let listed = all_pages(&history, None, size).await?;
        ensure!(listed == newest_first(&orders, None), "in pages of {size}");
    }
    Ok(())
}

async fn a_list_of_one_user(url: String) -> anyhow::Result<()> {
    let history = open(&url).await?;
    let orders = seed(&history).await?;
    for user_id in [user(1), user(2)] {
        let listed = all_pages(&history, Some(user_id), 7).await?;
        ensure!(listed == newest_first(&orders, Some(user_id)), "{user_id}");
    }
    ensure!(all_pages(&history, Some(user(3)), 7).await?.is_empty());
    Ok(())
}

async fn pages_are_stable(url: String) -> anyhow::Result<()> {
    let history = open(&url).await?;
    let orders = seed(&history).await?;
    let first = history.list(None, Position::START, 10).await?;
    let after = first[9].position();
    let second = history.list(None, after, 10).await?;
    let newest = NewOrder {
        placed_at: after.placed_at.saturating_add(Duration::from_secs(1)),
        ..order()
    };
    store(&history, vec![placed(&newest)]).await?;
    // Paid meanwhile: a status is no part of the list's order.
    let paid = orders
        .iter()
        .find(|order| order.order_id == second[0].order_id);
    store(
        &history,
        paid.map(|order| settled(order, PAID)).into_iter().collect(),
    )
    .await?;
    let again = history.list(None, after, 10).await?;
    ensure!(again[0].outcome == Some(PAID));
    let ids = |page: &[history::store::StoredOrder]| -> Vec<OrderId> {
        page.iter().map(|order| order.order_id).collect()
    };
    ensure!(ids(&again) == ids(&second));
    let top = history.list(None, Position::START, 1).await?;
    ensure!(top[0].order_id == newest.order_id);
    Ok(())
}
