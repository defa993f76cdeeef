//! What all payments add up to.

use anyhow::ensure;
use payments::store::{Filter, Lease, Settled};
use proto::event::{PaymentResult, PlacedOrder};
use proto::events::v1::DeclineCode;

use crate::database::open;
use crate::orders::{order, order_of};
use crate::steps::{CAPTURED, DECLINED, MINUTE, claim, every_page, ours, settle, settled};

pub(super) async fn totals(url: String) -> anyhow::Result<()> {
    let store = open(&url).await?;
    let results = [
        CAPTURED,
        CAPTURED,
        DECLINED,
        PaymentResult::Declined(DeclineCode::InsufficientFunds),
    ];
    let orders: Vec<PlacedOrder> = (0..40)
        .map(|index| order_of(1, 100 + index, if index % 2 == 0 { "USD" } else { "EUR" }))
        .collect();
    for (number, batch) in orders.chunks(7).enumerate() {
        let (lease, _) = claim(&*store, batch, MINUTE).await?;
        let charges: Vec<(Settled, Lease)> = batch
            .iter()
            .enumerate()
            .map(|(index, order)| settled(order, results[(number + index) % results.len()]))
            .map(|charge| (charge, lease))
            .collect();
        ensure!(ours(&store.settle(charges.clone()).await?) == batch.len());
        ensure!(
            ours(&store.settle(charges).await?) == 0,
            "a repetition counts nothing"
        );
    }
    claim(&*store, &[order(), order()], MINUTE).await?;

    let stats = store.stats().await?;
    let all = every_page(&*store, Filter::default(), 100).await?;
    let with = |result: Option<PaymentResult>| {
        all.iter()
            .filter(move |one| one.outcome.as_ref().map(|o| o.result) == result)
    };
    let count = |result| i64::try_from(with(result).count());
    ensure!(stats.pending == 2 && stats.captured == count(Some(CAPTURED))?);
    for code in [DeclineCode::ExpiredCard, DeclineCode::InsufficientFunds] {
        ensure!(stats.declined[&code] == count(Some(PaymentResult::Declined(code)))?);
    }
    for (currency, amount) in stats.captured_amounts {
        let recount: i64 = with(Some(CAPTURED))
            .filter(|one| one.amount.currency == currency)
            .map(|one| one.amount.minor)
            .sum();
        ensure!(
            amount == recount && amount > 0,
            "{currency}: {amount}, not {recount}"
        );
    }
    Ok(())
}

pub(super) async fn largest_total(url: String) -> anyhow::Result<()> {
    let store = open(&url).await?;
    // Two orders of one lease meet in one row of the totals.
    let orders = [order_of(1, i64::MAX, "USD"), order_of(1, 5, "USD")];
    let (lease, _) = claim(&*store, &orders, MINUTE).await?;
    for order in &orders {
        ensure!(settle(&*store, order, CAPTURED, lease).await?);
    }
    let stats = store.stats().await?;
    ensure!(stats.captured == 2);
    ensure!(stats.captured_amounts.into_values().collect::<Vec<_>>() == [i64::MAX]);
    Ok(())
}
