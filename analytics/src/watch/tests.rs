use std::{
    collections::HashSet,
    ops::RangeInclusive,
    pin::pin,
    sync::atomic::{AtomicI64, Ordering},
};

use async_trait::async_trait;
use chassis::db::DbError;
use futures::StreamExt as _;
use proto::{id::UserId, money::Currency, time::UnixMicros};
use testkit::wait::until;
use uuid::Uuid;

use super::*;
use crate::{
    batch::Batch,
    calendar::{Day, Width},
    retention::Horizon,
    store::{
        Bucket, PairPosition, PairSales, ProductPosition, ProductSales, StageCount, UserStats,
    },
};

const PATIENCE: Duration = Duration::from_secs(10);
const INTERVAL: Duration = Duration::from_millis(1);

/// Counts an order whenever its totals are read, and knows nothing else.
#[derive(Default)]
struct Counter(AtomicI64);

fn orders(orders: i64) -> Stats {
    Stats {
        orders,
        ..Stats::default()
    }
}

#[async_trait]
impl Store for Counter {
    async fn stats(&self) -> Result<Stats, DbError> {
        Ok(orders(self.0.fetch_add(1, Ordering::Relaxed)))
    }

    async fn count(&self, _: Batch) -> Result<HashSet<Uuid>, DbError> {
        Ok(HashSet::new())
    }

    fn full_weight(&self) -> usize {
        1
    }

    async fn order_rate(
        &self,
        _: Width,
        _: UnixMicros,
        _: UnixMicros,
    ) -> Result<Vec<Bucket>, DbError> {
        Ok(Vec::new())
    }

    async fn top_products_by_units(
        &self,
        _: Currency,
        _: ProductPosition,
        _: i64,
    ) -> Result<Vec<ProductSales>, DbError> {
        Ok(Vec::new())
    }

    async fn top_products_by_revenue(
        &self,
        _: Currency,
        _: ProductPosition,
        _: i64,
    ) -> Result<Vec<ProductSales>, DbError> {
        Ok(Vec::new())
    }

    async fn product_pairs(
        &self,
        _: Option<i64>,
        _: PairPosition,
        _: i64,
    ) -> Result<Vec<PairSales>, DbError> {
        Ok(Vec::new())
    }

    async fn user(&self, _: UserId) -> Result<Option<UserStats>, DbError> {
        Ok(None)
    }

    async fn funnel(&self, _: RangeInclusive<Day>) -> Result<Vec<StageCount>, DbError> {
        Ok(Vec::new())
    }

    async fn prune(&self, _: Horizon, _: i64) -> Result<usize, DbError> {
        Ok(0)
    }
}

fn watch(seats: usize) -> (Arc<Counter>, StatsWatch) {
    let store = Arc::new(Counter::default());
    let watch = StatsWatch::new(
        Arc::clone(&store) as Arc<dyn Store>,
        seats,
        CancellationToken::new(),
    );
    (store, watch)
}

fn seen_now(stats: Stats) -> Seen {
    Seen {
        began: Instant::now(),
        stats,
    }
}

#[tokio::test]
async fn the_totals_are_read_only_while_somebody_watches() {
    let (store, watch) = watch(1);
    let shutdown = CancellationToken::new();
    let poll = tokio::spawn(watch.clone().poll(INTERVAL, shutdown.clone()));
    let reads = || store.0.load(Ordering::Relaxed);
    for _ in 0..3 {
        let before = reads();
        {
            let mut changes = pin!(watch.watch().await.unwrap());
            assert!(changes.next().await.unwrap().orders >= before);
            assert!(changes.next().await.unwrap().orders > before);
        }
        until("reading to stop", PATIENCE, async || {
            let before = reads();
            tokio::time::sleep(20 * INTERVAL).await;
            reads() == before
        })
        .await
        .unwrap();
    }
    shutdown.cancel();
    poll.await.unwrap().unwrap();
}

#[tokio::test]
async fn totals_never_go_back_and_a_slow_watcher_gets_the_last() {
    let (_, watch) = watch(1);
    let before = seen_now(orders(-1));
    let mut changes = pin!(watch.watch().await.unwrap());
    assert_eq!(changes.next().await, Some(orders(0)));
    // This reading began before the watcher's own.
    watch.tell(before);
    watch.tell(seen_now(orders(7)));
    watch.tell(seen_now(orders(8)));
    assert_eq!(changes.next().await, Some(orders(8)));
    watch.tell(seen_now(orders(8)));
    watch.tell(seen_now(orders(9)));
    assert_eq!(changes.next().await, Some(orders(9)));
}

#[tokio::test]
async fn what_may_have_been_older_is_told_once_it_is_surely_not() {
    let (_, watch) = watch(1);
    // This reading begins first and yet shows what the watcher's own does not.
    let slow = seen_now(orders(5));
    let mut changes = pin!(watch.watch().await.unwrap());
    assert_eq!(changes.next().await, Some(orders(0)));
    watch.tell(slow);
    watch.tell(seen_now(orders(5)));
    assert_eq!(changes.next().await, Some(orders(5)));
}

#[tokio::test]
async fn a_seat_is_free_again_when_its_watcher_leaves() {
    let (_, watch) = watch(1);
    let first = watch.watch().await.unwrap();
    let refused = watch.watch().await.err().unwrap();
    assert_eq!(refused.reason(), Reason::Overloaded);
    drop(first);
    assert!(watch.watch().await.is_ok());
}

#[tokio::test]
async fn a_stream_ends_when_the_doors_close() {
    let (_, watch) = watch(1);
    let mut changes = pin!(watch.watch().await.unwrap());
    changes.next().await.unwrap();
    watch.closing.cancel();
    assert_eq!(changes.next().await, None);
}
