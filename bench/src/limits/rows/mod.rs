//! The rows that services write, written straight into the same PostgreSQL: by the
//! services' own statements, in batches of the same size, over as many connections.

mod history;
mod notifier;
mod payments;

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};

use proto::{event::PlacedOrder, id::PaymentId};
use testkit::postgres::Client;
use tokio_postgres::Statement;
use uuid::Uuid;

use crate::{lab::Lab, orders, series::float};

pub(crate) use self::{
    history::rate as history, notifier::rate as notifier, payments::rate as payments,
};

/// The services' own (`DATABASE_POOL`).
const CONNECTIONS: usize = 8;
/// Of `orders.v1`.
const PARTITIONS: usize = 12;
/// A service's connections plan each execution anew (`chassis::db`).
const SESSION: &str = "SET plan_cache_mode = force_custom_plan";

/// A batch of orders of one partition, made before the clock runs: the rows that a
/// service makes of [`orders::fill`], in the order in which it gets them.
#[derive(Default)]
struct Rows {
    orders: Vec<Uuid>,
    /// In their order, as payments writes them.
    payments: Vec<Uuid>,
    users: Vec<i64>,
    totals: Vec<i64>,
    times: Vec<i64>,
    currencies: Vec<&'static str>,
    hashes: Vec<&'static [u8]>,
    none: Vec<Option<&'static str>>,
}

impl Rows {
    /// Orders as they come, dealt out to partitions, which take turns. Ids and times
    /// grow over all orders; so each batch of a partition is spread over an index as
    /// wide as all partitions' are.
    fn deal(count: i64, batch: usize) -> anyhow::Result<Vec<Self>> {
        let mut open: Vec<Self> = (0..PARTITIONS).map(|_| Self::default()).collect();
        let mut batches = Vec::new();
        for (number, partition) in (1..=count).zip((0..PARTITIONS).cycle()) {
            let rows = &mut open[partition];
            rows.push(&orders::order(number)?);
            if rows.orders.len() == batch {
                batches.push(std::mem::take(rows));
            }
        }
        batches.extend(open.into_iter().filter(|rows| !rows.orders.is_empty()));
        for rows in &mut batches {
            rows.payments.sort_unstable();
        }
        Ok(batches)
    }

    fn push(&mut self, order: &PlacedOrder) {
        self.orders.push(*order.order_id.as_uuid());
        self.payments.push(*PaymentId::of(order.order_id).as_uuid());
        self.users.push(order.user_id.get());
        self.totals.push(order.total.minor);
        self.times.push(order.placed_at.as_micros());
        self.currencies.push("USD");
        self.hashes.push(&[7; 32]);
        self.none.push(None);
    }
}

/// Statements of one connection, prepared once.
struct Desk {
    client: Client,
    statements: Vec<Statement>,
}

/// Each connection writes one batch after the other until all rows are there;
/// gives rows a second.
async fn flat_out(
    lab: &Lab,
    tables: &str,
    statements: &'static [&'static str],
    rows: i64,
    batch: usize,
    write: impl AsyncFn(&Desk, i16, &Rows) -> anyhow::Result<()> + Copy + Send + Sync + 'static,
) -> anyhow::Result<f64> {
    let database = lab.postgres.fresh_database("limit").await?;
    let client = lab.postgres.connect(&database).await?;
    client.batch_execute(tables).await?;
    let mut desks = Vec::new();
    for _ in 0..CONNECTIONS {
        let client = lab.postgres.connect(&database).await?;
        client.batch_execute(SESSION).await?;
        let mut prepared = Vec::new();
        for statement in statements {
            prepared.push(client.prepare(statement).await?);
        }
        desks.push(Desk {
            client,
            statements: prepared,
        });
    }
    let batches = Rows::deal(rows, batch)?;
    let next = AtomicUsize::new(0);
    let begin = Instant::now();
    let working = desks.iter().zip(0_i16..).map(async |(desk, shard)| {
        while let Some(rows) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
            write(desk, shard, rows).await?;
        }
        anyhow::Ok(())
    });
    futures::future::try_join_all(working).await?;
    Ok(float(rows) / begin.elapsed().as_secs_f64())
}
