//! What a batch writes, and what becomes of each of its facts.
//!
//! Invariant: for every order id one content stands, of its order and of its
//! payment each: the one that was stored before, or else the batch's first. It
//! is all that a batch writes, and a fact with another content conflicts. So a
//! batch may be cut anywhere, repeated, or overlap with another, and the same
//! rows come out.

use std::collections::HashMap;

use proto::{event::ContentHash, id::OrderId};

use super::Verdict;
use crate::fact::{Fact, NewOrder, NewOutcome, Outcome};

/// The facts of a batch.
pub(super) struct Batch<'f> {
    facts: &'f [Fact],
    orders: Vec<&'f NewOrder>,
    outcomes: Vec<&'f NewOutcome>,
}

/// What was stored under a batch's ids before the batch; ids that were not, or
/// that hold what the batch wrote, may be left out.
#[derive(Debug, Default)]
pub(super) struct Standing {
    pub(super) orders: HashMap<OrderId, ContentHash>,
    pub(super) outcomes: HashMap<OrderId, Outcome>,
}

impl<'f> Batch<'f> {
    pub(super) fn new(facts: &'f [Fact]) -> Self {
        let orders = facts.iter().filter_map(|fact| match fact {
            Fact::Placed(order) => Some(order),
            Fact::Settled(_) => None,
        });
        let outcomes = facts.iter().filter_map(|fact| match fact {
            Fact::Settled(outcome) => Some(outcome),
            Fact::Placed(_) => None,
        });
        Self {
            facts,
            orders: firsts(orders, |order| order.order_id),
            outcomes: firsts(outcomes, |outcome| outcome.order_id),
        }
    }

    /// The orders to write: the first of each id, in the ids' order, in which
    /// all transactions take their locks, so that none waits in a circle.
    pub(super) fn orders(&self) -> &[&'f NewOrder] {
        &self.orders
    }

    /// The outcomes to write; as [`Batch::orders`].
    pub(super) fn outcomes(&self) -> &[&'f NewOutcome] {
        &self.outcomes
    }

    /// What became of each fact, in their order.
    pub(super) fn verdicts(&self, before: &Standing) -> Vec<Verdict> {
        let mut orders: HashMap<_, _> = self
            .orders
            .iter()
            .map(|order| (order.order_id, order.content_hash))
            .collect();
        orders.extend(&before.orders);
        let mut outcomes: HashMap<_, _> = self
            .outcomes
            .iter()
            .map(|outcome| (outcome.order_id, outcome.outcome))
            .collect();
        outcomes.extend(&before.outcomes);
        let stands = |fact: &Fact| match fact {
            Fact::Placed(order) => orders.get(&order.order_id) == Some(&order.content_hash),
            Fact::Settled(outcome) => outcomes.get(&outcome.order_id) == Some(&outcome.outcome),
        };
        self.facts
            .iter()
            .map(|fact| {
                if stands(fact) {
                    Verdict::Stands
                } else {
                    Verdict::Conflicts
                }
            })
            .collect()
    }
}

/// The first item of each id, in the ids' order.
fn firsts<'f, T>(items: impl Iterator<Item = &'f T>, id: impl Fn(&T) -> OrderId) -> Vec<&'f T> {
    let mut items: Vec<&T> = items.collect();
    // A stable sort keeps items of one id in the order they came in.
    items.sort_by_key(|item| id(item));
    items.dedup_by_key(|item| id(item));
    items
}

#[cfg(test)]
mod tests {
    use proto::{
        id::UserId,
        money::{Currency, Money},
        time::UnixMicros,
    };

    use super::*;

    fn id(number: u128) -> OrderId {
        OrderId::from_uuid(uuid::Uuid::from_u128(number))
    }

    fn placed(number: u128, content: u8) -> Fact {
        Fact::Placed(NewOrder {
            order_id: id(number),
            user_id: UserId::try_from(1).unwrap(),
            lines: Vec::new(),
            total: Money::new(0, Currency::USD),
            placed_at: UnixMicros::from_micros(0),
            content_hash: ContentHash([content; 32]),
            trace_id: None,
        })
    }

    fn settled(number: u128, decline_code: Option<i32>) -> Fact {
        Fact::Settled(NewOutcome {
            order_id: id(number),
            outcome: Outcome {
                decline_code,
                settled_at: UnixMicros::from_micros(0),
            },
        })
    }

    #[test]
    fn rows_are_written_in_the_order_of_their_ids_and_each_once() {
        let facts = [placed(2, 0), placed(1, 0), settled(3, None), placed(2, 9)];
        let batch = Batch::new(&facts);
        let written: Vec<_> = batch
            .orders()
            .iter()
            .map(|order| (order.order_id, order.content_hash.0[0]))
            .collect();
        assert_eq!(written, [(id(1), 0), (id(2), 0)]);
        assert_eq!(batch.outcomes().len(), 1);
    }

    #[test]
    fn within_a_batch_the_first_content_of_an_id_stands() {
        use Verdict::{Conflicts, Stands};
        let facts = [
            placed(1, 1),
            placed(1, 2),
            placed(1, 1),
            settled(1, None),
            settled(1, Some(2)),
        ];
        let verdicts = Batch::new(&facts).verdicts(&Standing::default());
        assert_eq!(verdicts, [Stands, Conflicts, Stands, Stands, Conflicts]);
    }

    #[test]
    fn what_was_stored_before_stands_against_the_whole_batch() {
        use Verdict::{Conflicts, Stands};
        let facts = [placed(1, 1), placed(1, 2), placed(2, 1)];
        let before = Standing {
            orders: HashMap::from([(id(1), ContentHash([2; 32]))]),
            ..Standing::default()
        };
        let verdicts = Batch::new(&facts).verdicts(&before);
        assert_eq!(verdicts, [Conflicts, Stands, Stands]);
    }
}
