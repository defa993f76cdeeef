//! However events arrive, the history is the same.
//!
//! Kafka promises the order of records of one topic and key, and nothing more:
//! payments overtake orders, and after a crash or a rebalance everything since
//! the last commit comes again. So facts are shuffled, repeated and cut into
//! batches at random; what must come out is told by a model that knows nothing
//! of their order.

use std::{collections::HashMap, sync::Arc, time::Duration};

use history::{
    fact::{Fact, NewOrder, Outcome},
    store::{Store, StoredOrder, Verdict},
};
use proptest::{
    prelude::*,
    test_runner::{Config, TestCaseError, TestRunner},
};
use proto::id::OrderId;
use testkit::harness::Suite;

use crate::fixture::{DECLINED, PAID, STORED_AT, expected, open, order, placed, rival, settled};

/// Enough to meet every pair of neighbours of a handful of facts many times; a
/// few seconds on SQLite, which writes each batch to the disk.
const CASES: u32 = 128;

pub(crate) fn add(suite: Suite) -> Suite {
    suite.on_both_databases(
        "every_order_of_arrival_gives_the_same_history",
        every_order_of_arrival,
    )
}

/// What can be told of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Placed,
    Settled,
}

/// A record on Kafka.
#[derive(Debug, Clone, Copy)]
struct Event {
    /// Index of the order.
    order: usize,
    kind: Kind,
    /// The first content of an id, or another one that came later.
    telling: Telling,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Telling {
    Genuine,
    /// Same content, another request: its time and trace differ.
    Retried,
    /// Other content.
    Rival,
}

/// A case: events in the order of their arrival, cut into batches.
#[derive(Debug, Clone)]
struct Arrival {
    paid: Vec<bool>,
    batches: Vec<Vec<Event>>,
}

fn telling(kind: Kind) -> impl Strategy<Value = Telling> {
    prop_oneof![
        4 => Just(Telling::Genuine),
        1 => Just(match kind {
            Kind::Placed => Telling::Retried,
            Kind::Settled => Telling::Genuine,
        }),
        1 => Just(Telling::Rival),
    ]
}

fn events_of(order: usize) -> impl Strategy<Value = Vec<Event>> {
    let of = move |kind| {
        let event = telling(kind).prop_map(move |telling| Event {
            order,
            kind,
            telling,
        });
        prop::collection::vec(event, 0..4)
    };
    (of(Kind::Placed), of(Kind::Settled)).prop_map(|(mut placed, settled)| {
        placed.extend(settled);
        placed
    })
}

fn arrival() -> impl Strategy<Value = Arrival> {
    let orders = (1_usize..6).prop_flat_map(|count| {
        let events: Vec<_> = (0..count).map(events_of).collect();
        (prop::collection::vec(any::<bool>(), count), events)
    });
    orders
        .prop_flat_map(|(paid, events)| {
            let events: Vec<Event> = events.into_iter().flatten().collect();
            let cuts = prop::collection::vec(1_usize..6, events.len());
            (Just(paid), Just(events).prop_shuffle(), cuts)
        })
        .prop_map(|(paid, mut events, cuts)| {
            genuine_first(&mut events);
            let mut rest = events.as_slice();
            let mut batches = Vec::new();
            for cut in cuts {
                let (batch, later) = rest.split_at(cut.min(rest.len()));
                batches.push(batch.to_vec());
                rest = later;
            }
            batches.retain(|batch| !batch.is_empty());
            Arrival { paid, batches }
        })
}

/// Within a topic and key Kafka keeps the order, so the first content of an id
/// comes first however the topics interleave.
fn genuine_first(events: &mut [Event]) {
    let mut seen = Vec::new();
    for event in events {
        if !seen.contains(&(event.order, event.kind)) {
            seen.push((event.order, event.kind));
            event.telling = Telling::Genuine;
        }
    }
}

/// The orders of a case, each with the outcome that its payment has, if any.
struct World(Vec<(NewOrder, Outcome)>);

impl World {
    fn new(paid: &[bool]) -> Self {
        let outcome = |paid: &bool| if *paid { PAID } else { DECLINED };
        Self(paid.iter().map(|paid| (order(), outcome(paid))).collect())
    }

    fn fact(&self, event: Event) -> Fact {
        let (order, outcome) = &self.0[event.order];
        match (event.kind, event.telling) {
            (Kind::Placed, Telling::Genuine) => placed(order),
            (Kind::Placed, Telling::Retried) => placed(&NewOrder {
                placed_at: order.placed_at.saturating_add(Duration::from_secs(5)),
                trace_id: None,
                ..order.clone()
            }),
            (Kind::Placed, Telling::Rival) => placed(&rival(order)),
            (Kind::Settled, Telling::Rival) => {
                settled(order, if *outcome == PAID { DECLINED } else { PAID })
            }
            (Kind::Settled, _) => settled(order, *outcome),
        }
    }

    /// The model: an order is there once it was placed, with its outcome once
    /// that was told. Sets have no order.
    fn final_state(&self, events: &[Event]) -> HashMap<OrderId, StoredOrder> {
        let told = |order, kind| {
            let is = |event: &Event| (event.order, event.kind) == (order, kind);
            events.iter().any(is)
        };
        let orders = self.0.iter().enumerate();
        orders
            .filter(|(index, _)| told(*index, Kind::Placed))
            .map(|(index, (order, outcome))| {
                let outcome = told(index, Kind::Settled).then_some(*outcome);
                (order.order_id, expected(order, outcome))
            })
            .collect()
    }

    async fn stored(
        &self,
        store: &Arc<dyn Store>,
    ) -> anyhow::Result<HashMap<OrderId, StoredOrder>> {
        let ids: Vec<OrderId> = self.0.iter().map(|(order, _)| order.order_id).collect();
        let orders = store.orders(&ids).await?;
        Ok(orders
            .into_iter()
            .map(|order| (order.order_id, order))
            .collect())
    }
}

async fn every_order_of_arrival(url: String) -> anyhow::Result<()> {
    let store = open(&url).await?;
    let config = Config {
        cases: CASES,
        // Cases are told in full when they fail.
        failure_persistence: None,
        ..Config::default()
    };
    tokio::task::block_in_place(|| {
        TestRunner::new(config).run(&arrival(), |arrival| {
            tokio::runtime::Handle::current().block_on(check(&store, &arrival))
        })
    })
    .map_err(|failure| anyhow::anyhow!("{failure}"))
}

async fn check(store: &Arc<dyn Store>, arrival: &Arrival) -> Result<(), TestCaseError> {
    let fail = |error: anyhow::Error| TestCaseError::fail(format!("{error:#}"));
    let world = World::new(&arrival.paid);
    let mut seen: HashMap<OrderId, StoredOrder> = HashMap::new();
    for batch in &arrival.batches {
        let facts = batch.iter().map(|event| world.fact(*event)).collect();
        let verdicts = store
            .apply(facts, STORED_AT)
            .await
            .map_err(|error| fail(error.into()))?;
        for (event, verdict) in batch.iter().zip(verdicts) {
            let conflicts = event.telling == Telling::Rival;
            prop_assert_eq!(verdict == Verdict::Conflicts, conflicts, "{:?}", event);
        }
        let now = world.stored(store).await.map_err(fail)?;
        for (order_id, before) in &seen {
            let now = now.get(order_id);
            let goes_back = match (now, before.outcome) {
                (None, _) => true,
                (Some(now), Some(outcome)) => now.outcome != Some(outcome),
                (Some(_), None) => false,
            };
            prop_assert!(!goes_back, "from {before:?} back to {now:?}");
        }
        seen = now;
    }
    prop_assert_eq!(seen, world.final_state(&arrival.batches.concat()));
    Ok(())
}
