//! Which records of a batch are worked on together.
//!
//! Pure. Invariant: a round holds an order once and in one version, and every
//! open record is either in the round or left for a later one. Records that
//! repeat an order share its fate; records that contradict it come after it, so
//! that what is in the store by then decides between them.

use std::collections::{HashMap, hash_map::Entry};

use proto::{event::ContentHash, id::OrderId};

/// Records of a batch that say the same of the same order.
#[derive(Debug, PartialEq, Eq)]
pub struct Group {
    /// The order.
    pub order_id: OrderId,
    /// Their places in the batch; at least one.
    pub members: Vec<usize>,
}

impl Group {
    /// The place of the first.
    pub fn first(&self) -> usize {
        self.members[0]
    }
}

/// The groups of a round, in the order of their first records, and the records
/// left for later.
pub fn next_round(
    open: &[usize],
    order: impl Fn(usize) -> (OrderId, ContentHash),
) -> (Vec<Group>, Vec<usize>) {
    let mut groups: Vec<Group> = Vec::with_capacity(open.len());
    let mut later = Vec::new();
    let mut places: HashMap<OrderId, (usize, ContentHash)> = HashMap::with_capacity(open.len());
    for &index in open {
        let (order_id, content) = order(index);
        match places.entry(order_id) {
            Entry::Vacant(place) => {
                place.insert((groups.len(), content));
                groups.push(Group {
                    order_id,
                    members: vec![index],
                });
            }
            Entry::Occupied(place) => {
                let (group, of) = place.get();
                if *of == content {
                    groups[*group].members.push(index);
                } else {
                    later.push(index);
                }
            }
        }
    }
    (groups, later)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(batch: &[(OrderId, u8)], open: &[usize]) -> (Vec<Vec<usize>>, Vec<usize>) {
        let (groups, later) = next_round(open, |index| {
            let (order_id, content) = batch[index];
            (order_id, ContentHash([content; 32]))
        });
        (
            groups.into_iter().map(|group| group.members).collect(),
            later,
        )
    }

    #[test]
    fn records_that_repeat_an_order_are_worked_on_once() {
        let (a, b) = (OrderId::random(), OrderId::random());
        let (groups, later) = round(&[(a, 1), (b, 1), (a, 1)], &[0, 1, 2]);
        assert_eq!(groups, [vec![0, 2], vec![1]]);
        assert!(later.is_empty());
    }

    #[test]
    fn records_that_contradict_each_other_come_one_after_the_other() {
        let a = OrderId::random();
        let batch = [(a, 1), (a, 2), (a, 1), (a, 3), (a, 2)];
        let (groups, later) = round(&batch, &[0, 1, 2, 3, 4]);
        assert_eq!((groups, &later), (vec![vec![0, 2]], &vec![1, 3, 4]));
        let (groups, later) = round(&batch, &later);
        assert_eq!((groups, later), (vec![vec![1, 4]], vec![3]));
    }
}
