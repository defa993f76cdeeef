//! What stood in the system before a row: sums that cannot be told apart by user.

use std::collections::BTreeMap;

use chassis::kafka::{KafkaOptions, list_topics};
use e2e::footing::STORING;

use crate::world::World;

/// Every sum that analytics keeps, by its name.
pub(crate) type Sums = BTreeMap<&'static str, i64>;

/// Before a row.
#[derive(Debug, Clone)]
pub(crate) struct Baseline {
    pub(crate) sums: Sums,
    pub(crate) dead_letters: BTreeMap<&'static str, i64>,
    /// Milliseconds since the Unix epoch, by this machine's clock.
    pub(crate) since_ms: i64,
}

impl Baseline {
    pub(crate) async fn take(world: &World) -> anyhow::Result<Self> {
        Ok(Self {
            sums: sums(world).await?,
            dead_letters: dead_letters(world).await?,
            since_ms: now_ms()?,
        })
    }
}

/// What analytics has added up, over all users and partitions.
pub(crate) async fn sums(world: &World) -> anyhow::Result<Sums> {
    const SUMS: [(&str, &str); 11] = [
        ("orders", "SELECT sum(orders) FROM totals"),
        ("units", "SELECT sum(units) FROM totals"),
        ("orders paid", "SELECT sum(orders_paid) FROM totals"),
        ("ordered", "SELECT sum(ordered) FROM totals"),
        ("revenue", "SELECT sum(revenue) FROM totals"),
        ("mails", "SELECT sum(notifications_sent) FROM totals"),
        (
            "rate",
            "SELECT sum(orders) FROM order_rates WHERE width = (SELECT min(width) FROM order_rates)",
        ),
        (
            "rate paid",
            "SELECT sum(orders_paid) FROM order_rates WHERE width = (SELECT min(width) FROM order_rates)",
        ),
        (
            "product",
            "SELECT sum(units) FROM products WHERE product_id = 1",
        ),
        (
            "product revenue",
            "SELECT sum(revenue) FROM product_revenue",
        ),
        ("pairs", "SELECT sum(orders) FROM product_pairs"),
    ];
    let database = world.database("analytics").await?;
    let mut sums = Sums::new();
    for (name, sql) in SUMS {
        let sql = format!("SELECT coalesce(({sql}), 0)::bigint");
        sums.insert(name, database.query_one(&sql, &[]).await?.get(0));
    }
    Ok(sums)
}

/// By how much each sum grows with so many example orders, each paid and with
/// both mails sent.
pub(crate) fn expected(orders: i64) -> Sums {
    const TOTAL: i64 = 999 + 499;
    Sums::from([
        ("orders", orders),
        ("units", orders * 2),
        ("orders paid", orders),
        ("ordered", orders * TOTAL),
        ("revenue", orders * TOTAL),
        ("mails", orders * 2),
        ("rate", orders),
        ("rate paid", orders),
        ("product", orders),
        ("product revenue", orders * TOTAL),
        ("pairs", orders),
    ])
}

/// How many dead letters each service has.
pub(crate) async fn dead_letters(world: &World) -> anyhow::Result<BTreeMap<&'static str, i64>> {
    let options = world.footing.kafka()?;
    let topics = tokio::task::spawn_blocking(move || {
        list_topics(&options, |name| {
            STORING
                .iter()
                .any(|service| KafkaOptions::dead_letters(service) == name)
        })
    })
    .await??;
    Ok(STORING
        .into_iter()
        .map(|service| {
            let name = KafkaOptions::dead_letters(service);
            let found = topics.iter().find(|topic| topic.name == name);
            (service, found.map_or(0, |topic| topic.records))
        })
        .collect())
}

fn now_ms() -> anyhow::Result<i64> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    Ok(i64::try_from(now.as_millis())?)
}
