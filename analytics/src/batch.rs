//! Facts that are counted together, in one transaction.
//!
//! Invariant: a batch holds each id once, in ascending order. So its ids are
//! inserted in key order, and two batches that share ids wait for each other in
//! one direction only.

use std::{collections::HashSet, ops::RangeInclusive, sync::Arc};

use proto::{event, time::UnixMicros};
use uuid::Uuid;

use crate::{calendar::Day, fact::Fact};

/// Which of several rows for one key a batch writes to.
///
/// It stands for a topic and a partition of it. Batches that run at the same
/// time come from different ones, so they write different rows. It only spreads:
/// figures are the sum over all shards whichever one an event was counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard(i16);

impl Shard {
    /// Shards of a topic: bounds what a read adds up, for topics with many
    /// partitions. Above the 12 that we create; partitions this far apart share
    /// one and then merely wait for each other.
    const OF_A_TOPIC: i16 = 16;

    /// The shard of a partition of a topic.
    pub fn of(topic: &str, partition: i32) -> Self {
        let topic = match topic {
            event::ORDERS => 0,
            event::PAYMENTS => 1,
            event::NOTIFICATIONS => 2,
            _ => 3,
        };
        let within = partition.rem_euclid(i32::from(Self::OF_A_TOPIC));
        Self(topic * Self::OF_A_TOPIC + i16::try_from(within).unwrap_or(0))
    }

    /// As a number to store.
    pub const fn number(self) -> i16 {
        self.0
    }
}

/// Facts that are counted in one transaction.
#[derive(Debug, Clone)]
pub struct Batch {
    facts: Vec<Arc<Fact>>,
    shard: Shard,
    counted_at: UnixMicros,
    funnel_days: RangeInclusive<Day>,
}

impl Batch {
    /// A batch of some facts. Of those that share an id the first one stays, as
    /// it would if they came one after the other.
    pub fn new(
        mut facts: Vec<Arc<Fact>>,
        shard: Shard,
        counted_at: UnixMicros,
        funnel_days: RangeInclusive<Day>,
    ) -> Self {
        facts.sort_by_key(|fact| fact.id());
        facts.dedup_by_key(|fact| fact.id());
        Self {
            facts,
            shard,
            counted_at,
            funnel_days,
        }
    }

    /// Ids of the facts, ascending, each once.
    pub fn ids(&self) -> Vec<Uuid> {
        self.facts.iter().map(|fact| fact.id()).collect()
    }

    /// The facts, in the order of their ids.
    pub fn facts(&self) -> impl Iterator<Item = &Fact> {
        self.facts.iter().map(AsRef::as_ref)
    }

    /// The facts of these ids.
    pub fn only<'b>(&'b self, ids: &'b HashSet<Uuid>) -> impl Iterator<Item = &'b Fact> {
        self.facts().filter(|fact| ids.contains(&fact.id()))
    }

    /// Where rows are written.
    pub const fn shard(&self) -> Shard {
        self.shard
    }

    /// When the facts are counted.
    pub const fn counted_at(&self) -> UnixMicros {
        self.counted_at
    }

    /// The day they are counted on.
    pub fn day(&self) -> Day {
        Day::of(self.counted_at)
    }

    /// Days for which users are counted in the funnel.
    pub const fn funnel_days(&self) -> &RangeInclusive<Day> {
        &self.funnel_days
    }
}

/// Splits facts, in their order, so that no part outweighs `most` but one that is
/// a single fact.
pub fn split(facts: &[Arc<Fact>], most: usize) -> Vec<&[Arc<Fact>]> {
    let mut parts = Vec::new();
    let (mut start, mut weight) = (0, 0);
    for (index, fact) in facts.iter().enumerate() {
        if index > start && weight + fact.weight() > most {
            parts.push(&facts[start..index]);
            (start, weight) = (index, 0);
        }
        weight += fact.weight();
    }
    if start < facts.len() {
        parts.push(&facts[start..]);
    }
    parts
}

#[cfg(test)]
mod tests {
    use proto::{
        event::{PlacedLine, TrackedEvent},
        events::v1::UserEventType,
        id::{OrderId, ProductId, UserEventId, UserId},
        money::{Currency, Money},
    };

    use super::*;
    use crate::fact::Placed;

    fn viewed(event_id: UserEventId, user: i64) -> Arc<Fact> {
        Arc::new(Fact::Tracked(TrackedEvent {
            event_id,
            user_id: UserId::try_from(user).unwrap(),
            kind: UserEventType::ProductViewed,
            product_id: ProductId::try_from(1).ok(),
            occurred_at: UnixMicros::from_micros(0),
        }))
    }

    fn order(lines: i64) -> Arc<Fact> {
        let line = |product| PlacedLine {
            product_id: ProductId::try_from(product).unwrap(),
            name: "Keyboard".into(),
            unit_price: 1,
            quantity: 1,
        };
        Arc::new(Fact::Placed(Placed {
            order_id: OrderId::random(),
            user_id: UserId::try_from(1).unwrap(),
            lines: (1..=lines).map(line).collect(),
            total: Money::new(lines, Currency::USD),
            placed_at: UnixMicros::from_micros(0),
        }))
    }

    #[test]
    fn of_two_facts_with_one_id_the_first_counts() {
        let (a, b) = (UserEventId::random(), UserEventId::random());
        let facts = vec![viewed(b, 1), viewed(a, 2), viewed(b, 3)];
        let now = UnixMicros::from_micros(0);
        let days = Day::of(now)..=Day::of(now);
        let batch = Batch::new(facts, Shard::of("orders.v1", 0), now, days);
        assert_eq!(batch.ids(), [*a.as_uuid(), *b.as_uuid()]);
        let second = batch.facts.last().unwrap();
        assert_eq!(second, &viewed(b, 1));
    }

    #[test]
    fn partitions_and_topics_do_not_share_a_shard() {
        let topics = [
            event::ORDERS,
            event::PAYMENTS,
            event::NOTIFICATIONS,
            event::USER_EVENTS,
        ];
        let shards: HashSet<_> = topics
            .iter()
            .flat_map(|topic| (0..12).map(|partition| Shard::of(topic, partition).number()))
            .collect();
        assert_eq!(shards.len(), 48);
        assert_eq!(
            Shard::of(event::ORDERS, 1_003),
            Shard::of(event::ORDERS, 11)
        );
    }

    #[test]
    fn heavy_orders_are_split_and_light_ones_stay_together() {
        let light: Vec<_> = (0..500).map(|_| order(2)).collect();
        assert_eq!(split(&light, 20_000).len(), 1);
        let heavy: Vec<_> = (0..500).map(|_| order(100)).collect();
        let parts = split(&heavy, 20_000);
        assert!(parts.len() > 5);
        assert_eq!(parts.concat(), heavy);
        for part in parts {
            assert!(part.iter().map(|fact| fact.weight()).sum::<usize>() <= 20_000);
        }
    }

    #[test]
    fn a_fact_that_outweighs_the_bound_stands_alone() {
        let facts = [order(1), order(100), order(1)];
        let sizes: Vec<_> = split(&facts, 50).iter().map(|part| part.len()).collect();
        assert_eq!(sizes, [1, 1, 1]);
        assert!(split(&[], 50).is_empty());
    }
}
