//! One suite over both databases.

mod common;

use std::{collections::BTreeSet, process::ExitCode, time::Duration};

use common::{open, order, placed, settled};
use notifier::{
    fact::Fact,
    mail::Status,
    store::{Attempt, Filter, Lease, Position, Store, Verdict},
};
use proto::{events::v1::NotificationKind, time::UnixMicros};
use testkit::{
    harness::{Needs, Suite},
    postgres::Server,
};
use uuid::Uuid;

fn main() -> ExitCode {
    Suite::new()
        .on_both_databases(
            "mails are written once, whichever half comes first",
            either_first,
        )
        .on_both_databases("what comes again changes nothing", again)
        .on_both_databases("other content or another outcome is a conflict", conflicts)
        .on_both_databases("halves that meet at once complete each order once", at_once)
        .on_both_databases("a lease excludes others until it runs out", leases)
        .on_both_databases("a mail that ended never leaves its end", ends)
        .test(
            "records are found by their ids, whatever was analysed before",
            [Needs::Postgres],
            recorded_by_id,
        )
        .test(
            "a lease reads what it takes, though the outbox was empty when it was vacuumed",
            [Needs::Postgres],
            leased_by_id,
        )
        .on_both_databases(
            "an order is complete when all its mails have ended",
            complete,
        )
        .on_both_databases("lists are filtered and go on page by page", lists)
        .run()
}

fn now() -> UnixMicros {
    UnixMicros::now()
}

async fn merge(store: &dyn Store, facts: Vec<Fact>) -> anyhow::Result<(Vec<Verdict>, usize)> {
    let merged = store.merge(facts, now()).await?;
    Ok((merged.verdicts, merged.mails))
}

fn lease(limit: i64, lasts: Duration) -> Lease {
    let now = now();
    Lease {
        token: Uuid::now_v7(),
        now,
        until: now.saturating_add(lasts),
        limit,
    }
}

const MINUTE: Duration = Duration::from_secs(60);

async fn either_first(url: String) -> anyhow::Result<()> {
    use Verdict::Stands;
    let store = open(&url).await?;
    let (one, other) = (order(1, 2)?, order(2, 1)?);
    assert_eq!(merge(&*store, vec![placed(&one)]).await?, (vec![Stands], 0));
    assert_eq!(
        merge(&*store, vec![settled(&one, 0)]).await?,
        (vec![Stands], 2)
    );
    assert_eq!(
        merge(&*store, vec![settled(&other, 3)]).await?,
        (vec![Stands], 0)
    );
    assert_eq!(
        merge(&*store, vec![placed(&other)]).await?,
        (vec![Stands], 1)
    );

    let mails = store.lease(lease(10, MINUTE)).await?;
    let of = |id| {
        mails
            .iter()
            .filter(move |mail| mail.order_id == id)
            .collect::<Vec<_>>()
    };
    assert_eq!(of(one.order_id).len(), 2);
    for mail in of(one.order_id) {
        assert_eq!(mail.kind, i32::from(NotificationKind::OrderConfirmation));
        assert_eq!(mail.recipient.0, "jane@example.com");
        assert_eq!(
            mail.traceparent.as_deref(),
            Some("settled"),
            "what completed it"
        );
        assert!(mail.content.text.contains("Keyboard") && !mail.content.html.is_empty());
    }
    let declined = of(other.order_id);
    assert_eq!(declined.len(), 1);
    assert_eq!(
        declined[0].kind,
        i32::from(NotificationKind::PaymentDeclined)
    );
    assert_eq!(declined[0].traceparent.as_deref(), Some("placed"));
    Ok(())
}

async fn again(url: String) -> anyhow::Result<()> {
    let store = open(&url).await?;
    let order = order(1, 2)?;
    let both = || {
        vec![
            placed(&order),
            settled(&order, 0),
            placed(&order),
            settled(&order, 0),
        ]
    };
    let stands = vec![Verdict::Stands; 4];
    assert_eq!(
        merge(&*store, both()).await?,
        (stands.clone(), 2),
        "twice in one batch"
    );
    assert_eq!(
        merge(&*store, both()).await?,
        (stands, 0),
        "the same batch again"
    );
    assert_eq!(store.lease(lease(10, MINUTE)).await?.len(), 2);
    Ok(())
}

async fn conflicts(url: String) -> anyhow::Result<()> {
    use Verdict::{Conflicts, Stands};
    let store = open(&url).await?;
    let first = order(1, 1)?;
    let mut other = first.clone();
    other.content_hash.0[0] = 8;
    other.email = "joe@example.com".parse()?;
    let batch = vec![placed(&first), placed(&other), placed(&first)];
    assert_eq!(
        merge(&*store, batch).await?.0,
        [Stands, Conflicts, Stands],
        "in one batch"
    );
    let good = order(2, 1)?;
    let batch = vec![placed(&other), placed(&good)];
    assert_eq!(
        merge(&*store, batch).await?.0,
        [Conflicts, Stands],
        "the rest is stored"
    );

    assert_eq!(
        merge(&*store, vec![settled(&first, 0)]).await?,
        (vec![Stands], 1)
    );
    assert_eq!(
        merge(&*store, vec![settled(&first, 1)]).await?,
        (vec![Conflicts], 0)
    );
    let mails = store.lease(lease(10, MINUTE)).await?;
    assert_eq!(mails.len(), 1);
    assert_eq!(
        mails[0].recipient.0, "jane@example.com",
        "the first stays as it was"
    );
    Ok(())
}

/// Two partitions bring the two halves of many orders at the same time, in
/// batches that overlap and come twice.
async fn at_once(url: String) -> anyhow::Result<()> {
    let store = open(&url).await?;
    let orders = (0..300)
        .map(|user| order(user + 1, 2))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let halves = |half: fn(&proto::event::PlacedOrder) -> Fact, size: usize| {
        let (store, orders) = (store.clone(), orders.clone());
        tokio::spawn(async move {
            let mut mails = 0;
            for _ in 0..2 {
                for batch in orders.chunks(size) {
                    mails += merge(&*store, batch.iter().map(half).collect()).await?.1;
                }
            }
            anyhow::Ok(mails)
        })
    };
    let tasks = [
        halves(placed, 37),
        halves(|order| settled(order, 0), 23),
        halves(placed, 50),
        halves(|order| settled(order, 0), 41),
    ];
    let mut written = 0;
    for task in tasks {
        written += task.await??;
    }
    assert_eq!(written, 600, "each order's two mails, once");
    let leased = store.lease(lease(1_000, MINUTE)).await?;
    let ids: BTreeSet<_> = leased.iter().map(|mail| mail.id).collect();
    assert_eq!((leased.len(), ids.len()), (600, 600));
    Ok(())
}

async fn with_mails(store: &dyn Store, count: usize) -> anyhow::Result<()> {
    let order = order(1, count)?;
    let (_, mails) = merge(store, vec![placed(&order), settled(&order, 0)]).await?;
    assert_eq!(mails, count);
    Ok(())
}

fn attempt(mail: &notifier::mail::StoredMail, status: Status, due_at: UnixMicros) -> Attempt {
    Attempt {
        id: mail.id,
        status,
        error: "SMTP 451".to_owned(),
        due_at,
        counts: true,
    }
}

async fn leases(url: String) -> anyhow::Result<()> {
    let store = open(&url).await?;
    with_mails(&*store, 40).await?;
    let taking = (0..4).map(|_| store.lease(lease(10, MINUTE)));
    let taken = futures::future::try_join_all(taking).await?;
    let ids: BTreeSet<_> = taken.iter().flatten().map(|mail| mail.id).collect();
    assert_eq!(ids.len(), 40, "nobody holds what another holds");
    assert!(store.lease(lease(10, MINUTE)).await?.is_empty());

    with_mails(&*store, 1).await?;
    let short = lease(1, Duration::ZERO);
    let held = store.lease(short).await?;
    let next = lease(1, MINUTE);
    let taken_over = store.lease(next).await?;
    assert_eq!(
        held[0].id, taken_over[0].id,
        "a lease that ran out is taken over"
    );
    let late = vec![attempt(&held[0], Status::Failed, now())];
    assert!(
        store.record(short.token, late, now()).await?.is_empty(),
        "its late result is refused"
    );
    let good = vec![attempt(&held[0], Status::Sent, now())];
    assert_eq!(store.record(next.token, good, now()).await?, [held[0].id]);
    Ok(())
}

async fn many_mails(store: &dyn Store, count: usize) -> anyhow::Result<()> {
    for _ in 0..count / 100 {
        with_mails(store, 100).await?;
    }
    Ok(())
}

/// Sends all mails, as far as the store knows.
async fn send_all(store: &dyn Store) -> anyhow::Result<()> {
    loop {
        let held = lease(50, MINUTE);
        let mails = store.lease(held).await?;
        if mails.is_empty() {
            return Ok(());
        }
        let sent = mails.iter().map(|mail| attempt(mail, Status::Sent, now()));
        let recorded = store.record(held.token, sent.collect(), now()).await?;
        store.mark_published(recorded).await?;
    }
}

/// Statistics in which no mail waits make the index of those that wait look empty.
async fn recorded_by_id() -> anyhow::Result<()> {
    const MAILS: usize = 2_000;
    let server = Server::shared().await?;
    let url = server.fresh_database("recorded_by_id").await?;
    let store = open(&url).await?;
    for _ in 0..2 {
        many_mails(&*store, MAILS).await?;
        send_all(&*store).await?;
        server.connect(&url).await?.batch_execute("ANALYZE").await?;
    }
    drop(store);
    let (table, index) = ("notifications", "notifications_not_sent");
    let (recorded, walked) = server.changed_and_read(&url, table, index).await?;
    let all = i64::try_from(2 * MAILS)?;
    assert!(recorded >= all, "{recorded} of {all} mails recorded");
    assert_eq!(walked, 0);
    Ok(())
}

/// A vacuum that finds a long table all but empty, and cannot shorten it, leaves statistics by
/// which it stays empty however many rows come. A plan that reads all of it looks cheap then.
async fn leased_by_id() -> anyhow::Result<()> {
    const MAILS: usize = 2_000;
    let server = Server::shared().await?;
    let url = server.fresh_database("leased_by_id").await?;
    let store = open(&url).await?;
    many_mails(&*store, MAILS).await?;
    send_all(&*store).await?;
    // At the table's end.
    with_mails(&*store, 1).await?;
    let client = server.connect(&url).await?;
    client.batch_execute("VACUUM ANALYZE outbox").await?;
    let sql = "SELECT relpages, reltuples FROM pg_class WHERE relname = 'outbox'";
    let row = client.query_one(sql, &[]).await?;
    let (pages, rows): (i32, f32) = (row.get(0), row.get(1));
    assert!(pages > 10 && rows <= 1.0, "{rows} rows on {pages} pages");

    many_mails(&*store, MAILS).await?;
    send_all(&*store).await?;
    drop((store, client));
    let (changed, read) = server
        .changed_and_read(&url, "outbox", "outbox_pkey")
        .await?;
    // Each mail is leased and recorded.
    let all = i64::try_from(4 * MAILS)?;
    assert!(changed >= all, "{changed} of {all} changes");
    // It is read for each of these, and to be deleted; and its old versions with it.
    assert!(read < 3 * all, "{read} entries read for {changed} changes");
    Ok(())
}

async fn ends(url: String) -> anyhow::Result<()> {
    let store = open(&url).await?;
    with_mails(&*store, 1).await?;
    let first = lease(1, MINUTE);
    let mail = store.lease(first).await?.remove(0);
    let soon = vec![attempt(&mail, Status::Pending, now())];
    assert_eq!(store.record(first.token, soon, now()).await?, [mail.id]);
    let kept = store
        .mail(mail.id)
        .await?
        .ok_or_else(|| anyhow::anyhow!("gone"))?;
    assert_eq!((kept.status, kept.attempts), (Status::Pending, 1));
    assert_eq!(kept.last_error, "SMTP 451");

    let second = lease(1, Duration::ZERO);
    let mail = store.lease(second).await?.remove(0);
    let sent = vec![attempt(&mail, Status::Sent, second.until)];
    store.record(second.token, sent, now()).await?;
    let failed = vec![attempt(&mail, Status::Failed, now())];
    assert!(store.record(second.token, failed, now()).await?.is_empty());

    // Ended, but its event is not published: somebody has to.
    let third = lease(1, Duration::ZERO);
    let again = store.lease(third).await?;
    assert_eq!((again.len(), again[0].status), (1, Status::Sent));
    assert!(again[0].sent_at.is_some());
    store.mark_published(vec![mail.id]).await?;
    assert!(
        store.lease(lease(1, MINUTE)).await?.is_empty(),
        "published is done"
    );
    Ok(())
}

async fn complete(url: String) -> anyhow::Result<()> {
    let store = open(&url).await?;
    let (order, open_order) = (order(1, 2)?, order(2, 1)?);
    merge(
        &*store,
        vec![placed(&order), settled(&order, 0), placed(&open_order)],
    )
    .await?;
    let ids = [
        order.order_id,
        open_order.order_id,
        proto::id::OrderId::random(),
    ];
    let found = store.of_orders(&ids).await?;
    assert_eq!(found.len(), 2, "unknown ids are left out");
    assert!(found.iter().all(|order| !order.complete));

    let held = lease(2, MINUTE);
    let mails = store.lease(held).await?;
    let attempts = mails
        .iter()
        .map(|mail| attempt(mail, Status::Sent, held.until))
        .collect::<Vec<_>>();
    store.record(held.token, attempts, now()).await?;
    let found = store.of_orders(&ids).await?;
    for of in found {
        let done = of.order_id == order.order_id;
        assert_eq!(of.complete, done);
        assert_eq!(of.mails.len(), if done { 2 } else { 0 });
        assert!(
            of.mails.iter().all(|mail| mail.content.text.is_empty()),
            "no bodies in lists"
        );
    }
    Ok(())
}

async fn lists(url: String) -> anyhow::Result<()> {
    let store = open(&url).await?;
    let (one, other) = (order(1, 3)?, order(2, 4)?);
    for order in [&one, &other] {
        merge(&*store, vec![placed(order), settled(order, 0)]).await?;
    }
    let mut after = Position::START;
    let mut seen = Vec::new();
    loop {
        let page = store.list(Filter::default(), after, 2).await?;
        let Some(last) = page.last() else { break };
        after = Position {
            created_at: last.created_at,
            id: last.id,
        };
        seen.extend(page.into_iter().map(|mail| (mail.created_at, mail.id)));
    }
    assert_eq!(seen.len(), 7);
    assert!(seen.is_sorted_by(|a, b| a > b), "newest first, none twice");

    let count = async |filter: Filter| -> anyhow::Result<usize> {
        Ok(store.list(filter, Position::START, 100).await?.len())
    };
    assert_eq!(count(Filter::new(Some(one.order_id), None, None)).await?, 3);
    assert_eq!(
        count(Filter::new(None, Some(other.user_id), None)).await?,
        4
    );
    assert_eq!(count(Filter::new(None, None, Some(Status::Sent))).await?, 0);
    let pending = Filter::new(
        Some(other.order_id),
        Some(other.user_id),
        Some(Status::Pending),
    );
    assert_eq!(count(pending).await?, 4);
    Ok(())
}
