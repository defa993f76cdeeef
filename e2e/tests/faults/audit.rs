//! Counts what became of a journal's orders, by asking databases, topics and the
//! sink directly.
//!
//! What was acknowledged must have every effect exactly once; what was refused
//! must have none; what nobody knows may have all of them or none.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
    time::{Duration, Instant},
};

use chassis::kafka::reader::{From, Stretch, Then, read};
use e2e::footing::STORING;
use proto::event::PAYMENTS;
use testkit::wait::until;

use crate::{
    baseline::{Baseline, dead_letters, expected, sums},
    load::Journal,
    world::World,
};

/// What a row allows.
#[derive(Debug, Clone)]
pub(crate) struct Allowed {
    /// How long the effects may take after the fault is over.
    pub(crate) within: Duration,
    /// Dead letters that each service has more of now.
    pub(crate) dead_letters: BTreeMap<&'static str, i64>,
    /// Whether a mail may have come twice, under the same Message-ID: SMTP's gap.
    pub(crate) mails_twice: bool,
}

impl Allowed {
    pub(crate) fn within(seconds: u64) -> Self {
        Self {
            within: Duration::from_secs(seconds),
            dead_letters: BTreeMap::new(),
            mails_twice: false,
        }
    }
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) lost: usize,
    pub(crate) doubled: usize,
    /// Mails that came again under their Message-ID.
    pub(crate) mails_again: usize,
    problems: Vec<String>,
}

impl Findings {
    fn lost(&mut self, what: &str, orders: usize) {
        if orders > 0 {
            self.lost += orders;
            self.problems.push(format!("{orders} {what}"));
        }
    }

    fn doubled(&mut self, what: &str, orders: usize) {
        if orders > 0 {
            self.doubled += orders;
            self.problems.push(format!("{orders} {what}"));
        }
    }

    /// Fails when anything was lost or doubled.
    pub(crate) fn verdict(self) -> anyhow::Result<Self> {
        anyhow::ensure!(
            self.problems.is_empty(),
            "{} lost, {} doubled: {}",
            self.lost,
            self.doubled,
            self.problems.join("; ")
        );
        Ok(self)
    }
}

/// How many orders of a journal each service is done with.
#[derive(Debug, PartialEq, Eq)]
struct Done {
    stored: i64,
    paid: i64,
    mailed: i64,
    counted: i64,
    mails_counted: i64,
}

async fn done(world: &World, baseline: &Baseline, journal: &Journal) -> anyhow::Result<Done> {
    let between = format!("BETWEEN {} AND {}", journal.first_user, journal.last_user());
    let number = async |service: &str, sql: String| {
        let database = world.database(service).await?;
        let sql = format!("SELECT coalesce(({sql}), 0)::bigint");
        anyhow::Ok(database.query_one(&sql, &[]).await?.get::<_, i64>(0))
    };
    Ok(Done {
        stored: number(
            "history",
            format!(
                "SELECT count(*) FROM orders JOIN payment_outcomes USING (order_id)
                 WHERE user_id {between}"
            ),
        )
        .await?,
        paid: number(
            "payments",
            format!(
                "SELECT count(*) FROM payments
                 WHERE published_at IS NOT NULL AND user_id {between}"
            ),
        )
        .await?,
        mailed: number(
            "notifier",
            format!(
                "SELECT count(*) FROM notifications
                 WHERE notification_id NOT IN (SELECT notification_id FROM outbox)
                   AND user_id {between}"
            ),
        )
        .await?,
        counted: number(
            "analytics",
            format!("SELECT sum(orders_paid) FROM user_orders WHERE user_id {between}"),
        )
        .await?,
        mails_counted: sums(world).await?["mails"] - baseline.sums["mails"],
    })
}

/// Waits until every order has all its effects, and gives how long that took after
/// the fault was over. Tells when each service was through.
pub(crate) async fn settle(
    world: &World,
    baseline: &Baseline,
    journal: &Journal,
    allowed: &Allowed,
    over: Instant,
) -> anyhow::Result<Duration> {
    let least = i64::try_from(journal.ok.len())?;
    let most = least + i64::try_from(journal.unknown.len())?;
    let through: Mutex<BTreeMap<&str, Duration>> = Mutex::default();
    let limit = allowed.within + Duration::from_secs(60);
    until("every effect", limit, async || {
        let done = done(world, baseline, journal).await?;
        let orders = done.stored;
        let all = Done {
            stored: orders,
            paid: orders,
            mailed: orders * 2,
            counted: orders,
            mails_counted: orders * 2,
        };
        for (name, is_through) in [
            ("history", orders >= least),
            ("payments", done.paid >= least),
            ("notifier", done.mailed >= least * 2),
            ("analytics", done.mails_counted >= least * 2),
        ] {
            if is_through && let Ok(mut through) = through.lock() {
                through.entry(name).or_insert_with(|| over.elapsed());
            }
        }
        anyhow::ensure!(
            done == all && (least..=most).contains(&orders),
            "{done:?} of {least} to {most} orders"
        );
        anyhow::Ok(())
    })
    .await?;
    println!(
        "  {least} orders; {} refused, {} asked about again; through after {:.1?}",
        journal.failed.len(),
        journal.asked_again,
        through.into_inner().unwrap_or_default(),
    );
    Ok(over.elapsed())
}

/// Looks at every order and every effect.
pub(crate) async fn examine(
    world: &World,
    baseline: &Baseline,
    journal: &Journal,
    allowed: &Allowed,
) -> anyhow::Result<Findings> {
    let mut findings = Findings::default();
    let charges = world.charges()?;
    let mut orders: BTreeMap<i64, String> = BTreeMap::new();

    let between = format!("BETWEEN {} AND {}", journal.first_user, journal.last_user());
    for (service, sql) in [
        (
            "history",
            "SELECT user_id, order_id::text FROM orders WHERE user_id",
        ),
        (
            "payments",
            "SELECT user_id, order_id::text FROM payments WHERE status = 2 AND user_id",
        ),
        (
            "notifier",
            "SELECT DISTINCT user_id, order_id::text FROM notifications WHERE status = 1 AND user_id",
        ),
        (
            "analytics",
            "SELECT user_id, '' FROM user_orders WHERE user_id",
        ),
    ] {
        let database = world.database(service).await?;
        let rows = database.query(&format!("{sql} {between}"), &[]).await?;
        let mut of_user: BTreeMap<i64, BTreeSet<String>> = BTreeMap::new();
        for row in rows {
            of_user.entry(row.get(0)).or_default().insert(row.get(1));
        }
        let missing = journal.ok.keys().filter(|user| !of_user.contains_key(user));
        findings.lost(
            &format!("orders that {service} does not have"),
            missing.count(),
        );
        let refused = journal
            .failed
            .iter()
            .filter(|user| of_user.contains_key(user));
        findings.doubled(
            &format!("refused orders that {service} has"),
            refused.count(),
        );
        let several = of_user.values().filter(|ids| ids.len() > 1).count();
        findings.doubled(&format!("orders that {service} has under two ids"), several);
        for (user, ids) in of_user {
            let id = ids.into_iter().next().unwrap_or_default();
            if journal
                .ok
                .get(&user)
                .is_some_and(|told| !id.is_empty() && *told != id)
            {
                findings.doubled(&format!("order that {service} has under another id"), 1);
            }
            if service == "history" {
                orders.insert(user, id);
            }
        }
    }

    let twice = orders
        .values()
        .filter(|id| charges.get(*id).is_some_and(|n| *n > 1));
    findings.doubled("orders charged more than once", twice.count());
    let never = orders.values().filter(|id| !charges.contains_key(*id));
    findings.lost("orders never charged", never.count());

    payment_events(world, baseline, &orders, &mut findings).await?;
    mails(world, &between, allowed, &mut findings).await?;

    let grown: BTreeMap<_, _> = sums(world)
        .await?
        .into_iter()
        .map(|(name, sum)| (name, sum - baseline.sums[name]))
        .collect();
    let recount = expected(i64::try_from(orders.len())?);
    for (name, grown) in &grown {
        let difference = grown - recount[name];
        findings.lost(
            &format!("too few in analytics' {name}"),
            too_many(-difference),
        );
        findings.doubled(
            &format!("too many in analytics' {name}"),
            too_many(difference),
        );
    }

    let letters = dead_letters(world).await?;
    for service in STORING {
        let more = letters[service] - baseline.dead_letters[service];
        let planted = allowed.dead_letters.get(service).copied().unwrap_or(0);
        anyhow::ensure!(
            more == planted,
            "{service} has {more} more dead letters; {planted} were planted"
        );
    }
    Ok(findings)
}

fn too_many(difference: i64) -> usize {
    usize::try_from(difference).unwrap_or(0)
}

/// One id a payment, whatever number of times its event was published.
async fn payment_events(
    world: &World,
    baseline: &Baseline,
    orders: &BTreeMap<i64, String>,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let options = world.footing.kafka()?;
    let since = baseline.since_ms;
    let events = tokio::task::spawn_blocking(move || {
        let mut events: BTreeMap<String, BTreeSet<Vec<u8>>> = BTreeMap::new();
        let stretch = Stretch::of(PAYMENTS, From::Since(since));
        read(&options, &[stretch], None, |record| {
            let key = String::from_utf8_lossy(record.key().unwrap_or_default()).into_owned();
            let payload = record.payload().unwrap_or_default().to_vec();
            events.entry(key).or_default().insert(payload);
            Then::Next
        })?;
        anyhow::Ok(events)
    })
    .await??;
    let missing = orders.values().filter(|id| !events.contains_key(*id));
    findings.lost("orders without a payment event", missing.count());
    let contradicting = orders
        .values()
        .filter(|id| events.get(*id).is_some_and(|contents| contents.len() > 1));
    findings.doubled(
        "orders with two different payment events",
        contradicting.count(),
    );
    Ok(())
}

/// Every mail came, each under the id that notifier gave it, and none else.
async fn mails(
    world: &World,
    between: &str,
    allowed: &Allowed,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let database = world.database("notifier").await?;
    let sql =
        format!("SELECT message_id FROM notifications WHERE status = 1 AND user_id {between}");
    let written: BTreeSet<String> = database
        .query(&sql, &[])
        .await?
        .into_iter()
        .map(|row| row.get::<_, String>(0).trim_matches(['<', '>']).to_owned())
        .collect();
    let came = world.footing.smtp.message_ids();
    let missing = written.iter().filter(|id| !came.contains_key(*id));
    findings.lost("mails that did not come", missing.count());
    let strange = came.keys().filter(|id| !written.contains(*id));
    findings.doubled("mails under an id that nobody gave", strange.count());
    let again = came.values().filter(|times| **times > 1).count();
    findings.mails_again = again;
    if !allowed.mails_twice {
        findings.doubled("mails that came twice", again);
    }
    Ok(())
}
