//! What a batch of facts comes to, apart from any database.
//!
//! Pure: which facts are new to the batch, and what each fact's verdict is once
//! the database has told what stood there.

use std::collections::{BTreeMap, HashMap};

use proto::{event::PlacedOrder, events::v1::OrderPlaced, id::OrderId};

use crate::{
    compose::{ComposeError, Composer},
    fact::{Fact, Half, Outcome, Settled},
    mail::NewMail,
};

/// What became of a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is stored, now or since before.
    Stands,
    /// Another content stands under its order; nothing was changed.
    Conflicts,
}

/// A batch by order: each order's first placing and first outcome, in key order,
/// so that concurrent batches take row locks in the same order.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) placed: BTreeMap<OrderId, Placed>,
    pub(super) settled: BTreeMap<OrderId, (Settled, Option<String>)>,
}

/// An order to be stored.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    pub(super) order: PlacedOrder,
    pub(super) traceparent: Option<String>,
}

/// What stands in the database after the batch was inserted.
#[derive(Debug, Default)]
pub(super) struct Standing {
    pub(super) hashes: HashMap<OrderId, Vec<u8>>,
    pub(super) outcomes: HashMap<OrderId, Outcome>,
}

/// A pair that the batch completed.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) order: PlacedOrder,
    pub(super) outcome: Outcome,
    pub(super) traceparent: Option<String>,
}

impl Batch {
    pub(super) fn of(facts: &[Fact]) -> Self {
        let mut batch = Self::default();
        for Fact { half, traceparent } in facts {
            match half {
                Half::Placed(order) => {
                    batch
                        .placed
                        .entry(order.order_id)
                        .or_insert_with(|| Placed {
                            order: (**order).clone(),
                            traceparent: traceparent.clone(),
                        });
                }
                Half::Settled(settled) => {
                    batch
                        .settled
                        .entry(settled.order_id)
                        .or_insert_with(|| (*settled, traceparent.clone()));
                }
            }
        }
        batch
    }

    /// Each fact's verdict, from what stands now. What was not looked up was
    /// inserted by this very batch.
    pub(super) fn verdicts(&self, facts: &[Fact], standing: &Standing) -> Vec<Verdict> {
        facts
            .iter()
            .map(|fact| {
                let id = fact.half.order_id();
                let stands = match &fact.half {
                    Half::Placed(order) => match standing.hashes.get(&id) {
                        Some(hash) => **hash == order.content_hash.0,
                        None => self
                            .placed
                            .get(&id)
                            .is_none_or(|first| first.order.content_hash == order.content_hash),
                    },
                    Half::Settled(settled) => match standing.outcomes.get(&id) {
                        Some(outcome) => *outcome == settled.outcome,
                        None => self
                            .settled
                            .get(&id)
                            .is_none_or(|(first, _)| first.outcome == settled.outcome),
                    },
                };
                if stands {
                    Verdict::Stands
                } else {
                    Verdict::Conflicts
                }
            })
            .collect()
    }
}

/// An order's event as it is kept until its payment comes: without the payment
/// token, which is none of notifier's business.
pub(super) fn encode(order: &PlacedOrder) -> Vec<u8> {
    let mut message = OrderPlaced::from(order);
    message.payment_token.clear();
    prost::Message::encode_to_vec(&message)
}

/// A mail with the trace it continues.
pub(super) struct TracedMail {
    pub(super) mail: NewMail,
    pub(super) traceparent: Option<String>,
}

/// Mails in key order, and how many each order has.
pub(super) type Composed = (Vec<TracedMail>, Vec<(OrderId, i32)>);

/// The mails of completed pairs.
pub(super) fn compose(composer: &Composer, pairs: Vec<Pair>) -> Result<Composed, ComposeError> {
    let mut mails = Vec::new();
    let mut counts = Vec::with_capacity(pairs.len());
    for Pair {
        order,
        outcome,
        traceparent,
    } in pairs
    {
        let of_order = composer.mails(&order, outcome)?;
        // At most 100 lines, and so mails.
        counts.push((
            order.order_id,
            i32::try_from(of_order.len()).unwrap_or(i32::MAX),
        ));
        mails.extend(of_order.into_iter().map(|mail| TracedMail {
            mail,
            traceparent: traceparent.clone(),
        }));
    }
    mails.sort_by_key(|traced| traced.mail.id);
    Ok((mails, counts))
}
