//! Payments by page, filter and id.

use std::collections::{BTreeMap, HashSet};

use anyhow::ensure;
use payments::store::Filter;
use proto::event::PlacedOrder;
use proto::id::{PaymentId, UserId};
use proto::payments::v1::PaymentStatus;

use crate::database::open;
use crate::orders::{order, order_of};
use crate::steps::{CAPTURED, DECLINED, MINUTE, claim, complete, every_page, id, page, stored};

pub(super) async fn pages(url: String) -> anyhow::Result<()> {
    let store = open(&url).await?;
    // Payments of one batch share their time, so pages break within it.
    for count in [1, 10, 3, 10, 1] {
        let orders: Vec<PlacedOrder> = (0..count).map(|_| order()).collect();
        claim(&*store, &orders, MINUTE).await?;
    }
    let all = every_page(&*store, Filter::default(), 4).await?;
    let keys: Vec<_> = all
        .iter()
        .map(|one| (one.created_at, one.payment_id))
        .collect();
    ensure!(keys.len() == 25);
    ensure!(
        keys.is_sorted_by(|a, b| a > b),
        "newest first, and none twice: {keys:?}"
    );
    Ok(())
}

pub(super) async fn between_pages(url: String) -> anyhow::Result<()> {
    let store = open(&url).await?;
    let old: Vec<PlacedOrder> = (0..4).map(|_| order()).collect();
    claim(&*store, &old, MINUTE).await?;
    let first = page(&*store, Filter::default(), 2, "").await?;
    claim(&*store, &[order()], MINUTE).await?;
    let second = page(&*store, Filter::default(), 2, &first.next_page_token).await?;
    let seen: HashSet<_> = first
        .rows
        .iter()
        .chain(&second.rows)
        .map(|one| one.payment_id)
        .collect();
    ensure!(seen == old.iter().map(id).collect());
    ensure!(second.next_page_token.is_empty());
    Ok(())
}

pub(super) async fn filters(url: String) -> anyhow::Result<()> {
    let store = open(&url).await?;
    let mut expected: BTreeMap<(i64, PaymentStatus), HashSet<PaymentId>> = BTreeMap::new();
    for user in [1, 2] {
        for round in 0..6 {
            let order = order_of(user, 100, "USD");
            let status = match round % 3 {
                0 => {
                    claim(&*store, std::slice::from_ref(&order), MINUTE).await?;
                    PaymentStatus::Pending
                }
                1 => {
                    complete(&*store, &order, CAPTURED).await?;
                    PaymentStatus::Captured
                }
                _ => {
                    complete(&*store, &order, DECLINED).await?;
                    PaymentStatus::Declined
                }
            };
            expected
                .entry((user, status))
                .or_default()
                .insert(id(&order));
        }
    }
    let statuses = [
        PaymentStatus::Pending,
        PaymentStatus::Captured,
        PaymentStatus::Declined,
    ];
    let statuses: Vec<_> = statuses.into_iter().map(Some).chain([None]).collect();
    for user in [None, Some(1), Some(2), Some(3)] {
        for status in &statuses {
            let wanted: HashSet<PaymentId> = expected
                .iter()
                .filter(|((of, _), _)| user.is_none_or(|user| *of == user))
                .filter(|((_, stands), _)| status.is_none_or(|status| *stands == status))
                .flat_map(|(_, ids)| ids.iter().copied())
                .collect();
            let filter = Filter {
                user_id: user.map(UserId::try_from).transpose()?,
                status: *status,
            };
            let rows = every_page(&*store, filter, 3).await?;
            let found: HashSet<_> = rows.iter().map(|one| one.payment_id).collect();
            ensure!(found == wanted && rows.len() == wanted.len(), "{filter:?}");
        }
    }
    Ok(())
}

pub(super) async fn lookups(url: String) -> anyhow::Result<()> {
    let store = open(&url).await?;
    let orders: Vec<PlacedOrder> = (0..3).map(|_| order_of(7, 1_234, "EUR")).collect();
    claim(&*store, &orders, MINUTE).await?;
    let ids = vec![id(&orders[0]), id(&order()), id(&orders[2])];
    let found = store.get(ids).await?;
    let found: HashSet<_> = found.into_iter().map(|one| one.order_id).collect();
    ensure!(found == HashSet::from([orders[0].order_id, orders[2].order_id]));
    let payment = stored(&*store, &orders[1]).await?;
    ensure!(payment.amount == orders[1].total && payment.user_id == orders[1].user_id);
    ensure!(payment.order_placed_at == orders[1].placed_at);
    Ok(())
}
