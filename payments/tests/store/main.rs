//! What a store promises, on both databases.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../support/database.rs"]
mod database;
#[path = "../support/orders.rs"]
mod orders;

use std::{
    collections::{BTreeMap, HashSet},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::ensure;
use chassis::page::{Page, PageRequest};
use database::open;
use futures::future::{join_all, try_join_all};
use orders::{contradicting, order, order_of, with_token};
use payments::{
    payment::{Intent, OpenPayment, Outcome, Payment},
    store::{self, Claim, Cursor, Filter, Lease, Postponed, Settled, Store},
};
use proto::{
    event::{PaymentResult, PlacedOrder},
    events::v1::DeclineCode,
    id::{PaymentId, UserId},
    payments::v1::PaymentStatus,
    time::UnixMicros,
};
use testkit::harness::Suite;

const MINUTE: Duration = Duration::from_secs(60);
const CAPTURED: PaymentResult = PaymentResult::Captured;
const DECLINED: PaymentResult = PaymentResult::Declined(DeclineCode::ExpiredCard);

fn main() -> ExitCode {
    Suite::new()
        .on_both_databases(
            "an_intent_is_written_once_and_says_what_the_first_said",
            first_wins,
        )
        .on_both_databases("a_claim_says_what_is_left_to_do", claims)
        .on_both_databases("other_content_is_a_conflict_in_every_state", conflicts)
        .on_both_databases("only_the_latest_lease_settles", leases)
        .on_both_databases(
            "two_that_settle_one_payment_in_one_statement_are_told_apart",
            settled_together,
        )
        .on_both_databases(
            "callers_who_come_together_have_their_own_answers",
            come_together,
        )
        .on_both_databases("a_settled_payment_never_changes", settled_once)
        .on_both_databases("the_token_is_gone_once_settled", token_is_forgotten)
        .on_both_databases("marks_that_come_early_or_twice_change_nothing", marks)
        .on_both_databases(
            "overlapping_batches_at_once_settle_each_payment_once",
            overlapping,
        )
        .on_both_databases("the_sweeper_gets_what_is_overdue_oldest_first", due)
        .on_both_databases("sweepers_at_once_never_get_the_same_payment", sweepers)
        .on_both_databases(
            "a_postponed_payment_waits_and_a_given_up_one_stays_pending",
            postponed,
        )
        .on_both_databases("pages_hold_every_payment_once_newest_first", pages)
        .on_both_databases(
            "a_payment_that_comes_between_two_pages_disturbs_neither",
            between_pages,
        )
        .on_both_databases("a_list_holds_what_its_filter_says", filters)
        .on_both_databases("payments_are_found_by_id", lookups)
        .on_both_databases("totals_equal_a_recount", totals)
        .on_both_databases(
            "totals_stop_at_the_largest_number_and_block_nobody",
            largest_total,
        )
        .run()
}

/// What orders ask for, under a lease.
fn intents(orders: &[PlacedOrder], lease: Lease) -> Vec<(Intent, Lease)> {
    orders
        .iter()
        .map(|order| (Intent::of(order, None), lease))
        .collect()
}

/// A charge that ended so.
fn settled(order: &PlacedOrder, result: PaymentResult) -> Settled {
    Settled {
        payment_id: PaymentId::of(order.order_id),
        outcome: Outcome {
            result,
            provider_reference: format!("ch_{}", order.order_id),
            settled_at: UnixMicros::from_micros(1_700_000_000_000_002),
        },
    }
}

async fn claim(
    store: &dyn Store,
    orders: &[PlacedOrder],
    length: Duration,
) -> anyhow::Result<(Lease, Vec<Claim>)> {
    let lease = Lease::of(length);
    Ok((lease, store.claim(intents(orders, lease)).await?))
}

/// How many were settled by their lease.
fn ours(settled: &[bool]) -> usize {
    settled.iter().filter(|is_ours| **is_ours).count()
}

async fn settle(
    store: &dyn Store,
    order: &PlacedOrder,
    result: PaymentResult,
    lease: Lease,
) -> anyhow::Result<bool> {
    let ours = store.settle(vec![(settled(order, result), lease)]).await?;
    Ok(ours == [true])
}

/// Takes an order through everything.
async fn complete(
    store: &dyn Store,
    order: &PlacedOrder,
    result: PaymentResult,
) -> anyhow::Result<()> {
    let (lease, _) = claim(store, std::slice::from_ref(order), MINUTE).await?;
    ensure!(settle(store, order, result, lease).await?);
    store.mark_published(vec![id(order)]).await?;
    Ok(())
}

fn id(order: &PlacedOrder) -> PaymentId {
    PaymentId::of(order.order_id)
}

async fn stored(store: &dyn Store, order: &PlacedOrder) -> anyhow::Result<Payment> {
    let mut found = store.get(vec![id(order)]).await?;
    found
        .pop()
        .ok_or_else(|| anyhow::anyhow!("the payment must be there"))
}

fn opened(claims: &[Claim]) -> Vec<&OpenPayment> {
    claims
        .iter()
        .filter_map(|claim| match claim {
            Claim::Open(open) => Some(&**open),
            Claim::Published | Claim::Conflict => None,
        })
        .collect()
}

async fn first_wins(url: String) -> anyhow::Result<()> {
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

async fn claims(url: String) -> anyhow::Result<()> {
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

async fn conflicts(url: String) -> anyhow::Result<()> {
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

async fn leases(url: String) -> anyhow::Result<()> {
    let store = open(&url).await?;
    let order = order();
    let (zombie, _) = claim(&*store, std::slice::from_ref(&order), MINUTE).await?;
    let (owner, claims) = claim(&*store, std::slice::from_ref(&order), MINUTE).await?;
    ensure!(opened(&claims).len() == 1, "a claim waits for no lease");
    ensure!(
        !settle(&*store, &order, DECLINED, zombie).await?,
        "late results are refused"
    );
    ensure!(stored(&*store, &order).await?.outcome.is_none());
    ensure!(settle(&*store, &order, CAPTURED, owner).await?);
    Ok(())
}

async fn settled_together(url: String) -> anyhow::Result<()> {
    let store = open(&url).await?;
    let order = order();
    let (zombie, _) = claim(&*store, std::slice::from_ref(&order), MINUTE).await?;
    let (owner, _) = claim(&*store, std::slice::from_ref(&order), MINUTE).await?;
    let charges = vec![
        (settled(&order, DECLINED), zombie),
        (settled(&order, CAPTURED), owner),
        (settled(&order, DECLINED), zombie),
    ];
    ensure!(store.settle(charges).await? == [false, true, false]);
    let outcome = stored(&*store, &order).await?.outcome;
    ensure!(outcome == Some(settled(&order, CAPTURED).outcome));
    ensure!(store.stats().await?.captured == 1);
    Ok(())
}

async fn come_together(url: String) -> anyhow::Result<()> {
    let store = store::gathered(open(&url).await?, 10);
    let orders: Vec<PlacedOrder> = (0..40).map(|_| order()).collect();
    complete(&*store, &orders[3], CAPTURED).await?;
    let callers = orders.chunks(3).map(async |orders| {
        let (lease, claims) = claim(&*store, orders, MINUTE).await?;
        let open: Vec<_> = opened(&claims)
            .into_iter()
            .map(|open| open.payment.order_id)
            .collect();
        let charges = orders
            .iter()
            .map(|order| (settled(order, DECLINED), lease))
            .collect();
        let ours = store.settle(charges).await?;
        for (order, is_ours) in orders.iter().zip(ours) {
            ensure!(is_ours == open.contains(&order.order_id));
        }
        store
            .mark_published(orders.iter().map(id).collect())
            .await?;
        anyhow::Ok(open.len())
    });
    let opened: usize = try_join_all(callers).await?.into_iter().sum();
    ensure!(opened == 39, "all but the one that was published: {opened}");
    let (_, claims) = claim(&*store, &orders, MINUTE).await?;
    ensure!(claims.iter().all(|claim| matches!(claim, Claim::Published)));
    let stats = store.stats().await?;
    ensure!(stats.captured == 1 && stats.declined[&DeclineCode::ExpiredCard] == 39);
    Ok(())
}

async fn settled_once(url: String) -> anyhow::Result<()> {
    let store = open(&url).await?;
    let order = order();
    let (lease, _) = claim(&*store, std::slice::from_ref(&order), MINUTE).await?;
    ensure!(settle(&*store, &order, CAPTURED, lease).await?);
    let before = stored(&*store, &order).await?;
    ensure!(before.outcome == Some(settled(&order, CAPTURED).outcome));

    ensure!(
        !settle(&*store, &order, DECLINED, lease).await?,
        "not by the same lease"
    );
    let (later, _) = claim(&*store, std::slice::from_ref(&order), MINUTE).await?;
    ensure!(
        !settle(&*store, &order, DECLINED, later).await?,
        "nor by a later one"
    );
    store.mark_published(vec![id(&order)]).await?;
    ensure!(
        !settle(&*store, &order, DECLINED, later).await?,
        "nor once published"
    );
    ensure!(stored(&*store, &order).await? == before);
    ensure!(store.stats().await?.captured == 1);
    Ok(())
}

async fn token_is_forgotten(url: String) -> anyhow::Result<()> {
    let store = open(&url).await?;
    let order = with_token(order(), "tok_secret");
    let (lease, claims) = claim(&*store, std::slice::from_ref(&order), MINUTE).await?;
    ensure!(
        opened(&claims)[0].token == order.payment_token,
        "needed for the charge"
    );
    ensure!(settle(&*store, &order, CAPTURED, lease).await?);
    let (_, claims) = claim(&*store, std::slice::from_ref(&order), MINUTE).await?;
    ensure!(opened(&claims)[0].token.is_none(), "and not afterwards");
    Ok(())
}

async fn marks(url: String) -> anyhow::Result<()> {
    let store = open(&url).await?;
    let order = order();
    store.mark_published(vec![id(&order)]).await?;
    let (lease, _) = claim(&*store, std::slice::from_ref(&order), MINUTE).await?;
    store.mark_published(vec![id(&order)]).await?;
    ensure!(
        settle(&*store, &order, CAPTURED, lease).await?,
        "a pending payment stays open"
    );
    for _ in 0..2 {
        store.mark_published(vec![id(&order), id(&order)]).await?;
        let (_, claims) = claim(&*store, std::slice::from_ref(&order), MINUTE).await?;
        ensure!(matches!(claims[..], [Claim::Published]));
    }
    Ok(())
}

async fn overlapping(url: String) -> anyhow::Result<()> {
    let store = open(&url).await?;
    let orders: Vec<PlacedOrder> = (0..60).map(|_| order()).collect();
    let orders = Arc::new(orders);
    let workers = (0..8).map(|worker| {
        let (store, orders) = (Arc::clone(&store), Arc::clone(&orders));
        tokio::spawn(async move {
            let mut settled_here = 0;
            for round in 0..4 {
                // Windows that overlap, some in the opposite order.
                let start = (worker * 7 + round * 13) % 40;
                let mut batch = orders[start..start + 20].to_vec();
                if worker % 2 == 1 {
                    batch.reverse();
                }
                let (lease, claims) = claim(&*store, &batch, MINUTE).await?;
                let charges: Vec<(Settled, Lease)> = batch
                    .iter()
                    .zip(&claims)
                    .filter(|(_, claim)| matches!(claim, Claim::Open(_)))
                    .map(|(order, _)| (settled(order, CAPTURED), lease))
                    .collect();
                settled_here += ours(&store.settle(charges).await?);
            }
            anyhow::Ok(settled_here)
        })
    });
    let mut by_workers = 0;
    for worker in join_all(workers).await {
        by_workers += worker??;
    }
    // Whatever was taken over at the last moment is still pending.
    let (lease, _) = claim(&*store, &orders, MINUTE).await?;
    let rest = orders
        .iter()
        .map(|order| (settled(order, CAPTURED), lease))
        .collect();
    let rest = ours(&store.settle(rest).await?);
    ensure!(
        by_workers + rest == 60,
        "{by_workers} and {rest}: each once"
    );
    let stats = store.stats().await?;
    ensure!((stats.captured, stats.pending) == (60, 0), "{stats:?}");
    Ok(())
}

async fn due(url: String) -> anyhow::Result<()> {
    let store = open(&url).await?;
    let now = Duration::ZERO;
    let [pending, charged, published, held] = std::array::from_fn(|_| order());
    claim(&*store, std::slice::from_ref(&pending), now).await?;
    let (lease, _) = claim(&*store, std::slice::from_ref(&charged), now).await?;
    ensure!(settle(&*store, &charged, CAPTURED, lease).await?);
    let (lease, _) = claim(&*store, std::slice::from_ref(&published), now).await?;
    ensure!(settle(&*store, &published, CAPTURED, lease).await?);
    store.mark_published(vec![id(&published)]).await?;
    claim(&*store, std::slice::from_ref(&held), MINUTE).await?;

    let first = store.lease_due(Lease::of(MINUTE), 1).await?;
    let second = store.lease_due(Lease::of(MINUTE), 10).await?;
    let orders =
        |due: &[OpenPayment]| -> Vec<_> { due.iter().map(|open| open.payment.order_id).collect() };
    ensure!(
        orders(&first) == [pending.order_id],
        "the oldest first, up to the limit"
    );
    ensure!(
        orders(&second) == [charged.order_id],
        "settled but unpublished ones as well"
    );
    ensure!(second[0].payment.outcome.is_some());
    ensure!(
        store.lease_due(Lease::of(MINUTE), 10).await?.is_empty(),
        "what is leased is not due"
    );
    Ok(())
}

async fn sweepers(url: String) -> anyhow::Result<()> {
    let store = open(&url).await?;
    let orders: Vec<PlacedOrder> = (0..100).map(|_| order()).collect();
    claim(&*store, &orders, Duration::ZERO).await?;
    let sweepers = (0..8).map(|_| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let mut got = Vec::new();
            loop {
                let due = store.lease_due(Lease::of(MINUTE), 7).await?;
                if due.is_empty() {
                    return anyhow::Ok(got);
                }
                got.extend(due.into_iter().map(|open| open.payment.payment_id));
            }
        })
    });
    let mut got = Vec::new();
    for sweeper in try_join_all(sweepers).await? {
        got.extend(sweeper?);
    }
    // One sweeper may find only rows that another is about to take, and stop.
    while let [first, rest @ ..] = &store.lease_due(Lease::of(MINUTE), 7).await?[..] {
        got.push(first.payment.payment_id);
        got.extend(rest.iter().map(|open| open.payment.payment_id));
    }
    let distinct: HashSet<_> = got.iter().collect();
    ensure!(
        (got.len(), distinct.len()) == (100, 100),
        "{} of {}",
        distinct.len(),
        got.len()
    );
    Ok(())
}

async fn postponed(url: String) -> anyhow::Result<()> {
    let store = open(&url).await?;
    let order = order();
    claim(&*store, std::slice::from_ref(&order), Duration::ZERO).await?;
    let postpone = |due_at| Postponed {
        payment_id: id(&order),
        due_at,
    };

    let lease = Lease::of(Duration::ZERO);
    ensure!(store.lease_due(lease, 1).await?.len() == 1);
    let stale = Lease::of(MINUTE);
    store.postpone(vec![postpone(None)], stale).await?;
    let again = Lease::of(Duration::ZERO);
    ensure!(
        store.lease_due(again, 1).await?.len() == 1,
        "a foreign lease postpones nothing"
    );

    let later = UnixMicros::now().saturating_add(MINUTE);
    store.postpone(vec![postpone(Some(later))], again).await?;
    ensure!(
        store.lease_due(Lease::of(MINUTE), 1).await?.is_empty(),
        "not due yet"
    );

    let (lease, claims) = claim(&*store, std::slice::from_ref(&order), Duration::ZERO).await?;
    ensure!(
        opened(&claims)[0].sweeps == 1,
        "a handler need not wait; the try is remembered"
    );
    store.postpone(vec![postpone(None)], lease).await?;
    ensure!(
        store.lease_due(Lease::of(MINUTE), 1).await?.is_empty(),
        "given up"
    );
    ensure!(store.stats().await?.pending == 1, "but still to be seen");

    let (lease, _) = claim(&*store, std::slice::from_ref(&order), MINUTE).await?;
    ensure!(
        settle(&*store, &order, CAPTURED, lease).await?,
        "and taken up by a replay"
    );
    Ok(())
}

async fn page(
    store: &dyn Store,
    filter: Filter,
    size: i32,
    token: &str,
) -> anyhow::Result<Page<Payment>> {
    let request: PageRequest<Cursor> = PageRequest::parse(size, token, &filter)?;
    let rows = store.list(filter, &request).await?;
    Ok(request.page(rows, Cursor::after))
}

async fn every_page(store: &dyn Store, filter: Filter, size: i32) -> anyhow::Result<Vec<Payment>> {
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

async fn pages(url: String) -> anyhow::Result<()> {
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

async fn between_pages(url: String) -> anyhow::Result<()> {
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

async fn filters(url: String) -> anyhow::Result<()> {
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

async fn lookups(url: String) -> anyhow::Result<()> {
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

async fn totals(url: String) -> anyhow::Result<()> {
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

async fn largest_total(url: String) -> anyhow::Result<()> {
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
