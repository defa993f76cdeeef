//! What tests do to payments.

use std::time::Duration;

use anyhow::ensure;
use chassis::page::{Page, PageRequest};
use payments::payment::{Intent, OpenPayment, Outcome, Payment};
use payments::store::{Claim, Cursor, Filter, Lease, Settled, Store};
use proto::event::{PaymentResult, PlacedOrder};
use proto::events::v1::DeclineCode;
use proto::id::PaymentId;
use proto::time::UnixMicros;

pub(super) const MINUTE: Duration = Duration::from_secs(60);
pub(super) const CAPTURED: PaymentResult = PaymentResult::Captured;
pub(super) const DECLINED: PaymentResult = PaymentResult::Declined(DeclineCode::ExpiredCard);

/// What orders ask for, under a lease.
pub(super) fn intents(orders: &[PlacedOrder], lease: Lease) -> Vec<(Intent, Lease)> {
    orders
        .iter()
        .map(|order| (Intent::of(order, None), lease))
        .collect()
}

/// A charge that ended so.
pub(super) fn settled(order: &PlacedOrder, result: PaymentResult) -> Settled {
    Settled {
        payment_id: PaymentId::of(order.order_id),
        outcome: Outcome {
            result,
            provider_reference: format!("ch_{}", order.order_id),
            settled_at: UnixMicros::from_micros(1_700_000_000_000_002),
        },
    }
}

pub(super) async fn claim(
    store: &dyn Store,
    orders: &[PlacedOrder],
    length: Duration,
) -> anyhow::Result<(Lease, Vec<Claim>)> {
    let lease = Lease::of(length);
    Ok((lease, store.claim(intents(orders, lease)).await?))
}

/// How many were settled by their lease.
pub(super) fn ours(settled: &[bool]) -> usize {
    settled.iter().filter(|is_ours| **is_ours).count()
}

pub(super) async fn settle(
    store: &dyn Store,
    order: &PlacedOrder,
    result: PaymentResult,
    lease: Lease,
) -> anyhow::Result<bool> {
    let ours = store.settle(vec![(settled(order, result), lease)]).await?;
    Ok(ours == [true])
}

/// Takes an order through everything.
pub(super) async fn complete(
    store: &dyn Store,
    order: &PlacedOrder,
    result: PaymentResult,
) -> anyhow::Result<()> {
    let (lease, _) = claim(store, std::slice::from_ref(order), MINUTE).await?;
    ensure!(settle(store, order, result, lease).await?);
    store.mark_published(vec![id(order)]).await?;
    Ok(())
}

pub(super) fn id(order: &PlacedOrder) -> PaymentId {
    PaymentId::of(order.order_id)
}

pub(super) async fn stored(store: &dyn Store, order: &PlacedOrder) -> anyhow::Result<Payment> {
    let mut found = store.get(vec![id(order)]).await?;
    found
        .pop()
        .ok_or_else(|| anyhow::anyhow!("the payment must be there"))
}

pub(super) fn opened(claims: &[Claim]) -> Vec<&OpenPayment> {
    claims
        .iter()
        .filter_map(|claim| match claim {
            Claim::Open(open) => Some(&**open),
            Claim::Published | Claim::Conflict => None,
        })
        .collect()
}

pub(super) async fn page(
    store: &dyn Store,
    filter: Filter,
    size: i32,
    token: &str,
) -> anyhow::Result<Page<Payment>> {
    let request: PageRequest<Cursor> = PageRequest::parse(size, token, &filter)?;
    let rows = store.list(filter, &request).await?;
    Ok(request.page(rows, Cursor::after))
}

pub(super) async fn every_page(
    store: &dyn Store,
    filter: Filter,
    size: i32,
) -> anyhow::Result<Vec<Payment>> {
    let mut all = Vec::new();
    let mut token = String::new();
    loop {
        let page = page(store, filter, size, &token).await?;
        ensure!(i32::try_from(page.rows.len())? <= size);
        all.extend(page.rows);
        if page.next_page_token.is_empty() {
            return Ok(all);
        }
        token = page.next_page_token;
    }
}
