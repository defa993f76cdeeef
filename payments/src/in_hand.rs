//! Which orders this process works on right now.
//!
//! Invariant: an order is in at most one [`Held`] at a time, and is free again
//! the moment that is dropped: when the work is done, has failed, timed out or
//! panicked. That is exact where a lease in the store can only guess: two batches
//! of one process (batches of a partition overlap, and a client's retry puts an
//! order on it twice) wait for each other instead of taking each other's lease,
//! and an attempt that failed can be repeated at once.
//!
//! Between processes this says nothing; there the lease's token decides.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard},
};

use chassis::lock::locked;
use proto::id::OrderId;
use tokio::sync::Notify;

/// The orders in hand.
#[derive(Debug, Clone, Default)]
pub struct InHand(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    orders: Mutex<HashSet<OrderId>>,
    freed: Notify,
}

/// Orders that nobody else in this process works on.
#[derive(Debug)]
pub struct Held {
    orders: HashSet<OrderId>,
    of: InHand,
}

impl InHand {
    /// Takes those of the orders that are free, at most `limit`; waits until at
    /// least one is. Whoever holds some must drop them before waiting for more,
    /// so two batches with the same orders never wait for each other in turn.
    pub async fn take(&self, wanted: &[OrderId], limit: usize) -> Held {
        loop {
            // Enabled before looking, so that no release in between is missed.
            let mut freed = std::pin::pin!(self.0.freed.notified());
            freed.as_mut().enable();
            let held = self.take_free(wanted, limit);
            if !held.orders.is_empty() || wanted.is_empty() {
                return held;
            }
            freed.await;
        }
    }

    fn take_free(&self, wanted: &[OrderId], limit: usize) -> Held {
        let mut taken = self.lock();
        let mut orders = HashSet::with_capacity(wanted.len().min(limit));
        for order in wanted {
            if orders.len() == limit {
                break;
            }
            if taken.insert(*order) {
                orders.insert(*order);
            }
        }
        Held {
            orders,
            of: self.clone(),
        }
    }

    /// Every step leaves the set right, so a panic elsewhere does it no harm.
    fn lock(&self) -> MutexGuard<'_, HashSet<OrderId>> {
        locked(&self.0.orders)
    }
}

impl Held {
    /// Whether the order is among them.
    pub fn contains(&self, order: &OrderId) -> bool {
        self.orders.contains(order)
    }

    /// How many they are.
    pub fn len(&self) -> usize {
        self.orders.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.orders.is_empty()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut taken = self.of.lock();
        for order in &self.orders {
            taken.remove(order);
        }
        drop(taken);
        self.of.0.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt as _, poll};

    use super::*;

    fn orders<const N: usize>() -> [OrderId; N] {
        std::array::from_fn(|_| OrderId::random())
    }

    #[tokio::test]
    async fn an_order_is_in_one_pair_of_hands() {
        let in_hand = InHand::default();
        let [a, b, c] = orders();
        let first = in_hand.take(&[a, b], 10).await;
        let second = in_hand.take(&[b, c], 10).await;
        assert!(first.contains(&a) && first.contains(&b));
        assert!(!second.contains(&b) && second.contains(&c));
    }

    #[tokio::test]
    async fn who_finds_nothing_free_waits_for_the_first_to_be_freed() {
        let in_hand = InHand::default();
        let both @ [a, b] = orders();
        let first = in_hand.take(&[a], 10).await;
        let second = in_hand.take(&[b], 10).await;
        let mut waiting = std::pin::pin!(in_hand.take(&both, 10));
        assert!(poll!(&mut waiting).is_pending());
        drop(second);
        let third = waiting.await;
        assert!(third.contains(&b) && !third.contains(&a));
        drop(first);
        assert!(in_hand.take(&[a], 10).now_or_never().is_some());
    }

    #[tokio::test]
    async fn no_more_than_the_limit_is_taken_and_the_rest_stays_free() {
        let in_hand = InHand::default();
        let wanted: [OrderId; 5] = orders();
        let first = in_hand.take(&wanted, 2).await;
        let rest = in_hand.take(&wanted, 10).await;
        assert_eq!((first.len(), rest.len()), (2, 3));
    }

    #[tokio::test]
    async fn giving_up_the_wait_takes_nothing() {
        let in_hand = InHand::default();
        let [a] = orders();
        let first = in_hand.take(&[a], 1).await;
        assert!(in_hand.take(&[a], 1).now_or_never().is_none());
        drop(first);
        assert!(in_hand.take(&[a], 1).now_or_never().is_some());
    }
}
