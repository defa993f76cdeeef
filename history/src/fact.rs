//! What events tell history.
//!
//! Invariant: a fact is about one order and holds nothing private. The mail
//! address and the payment token end here, so that no table, log or error of
//! this service can hold them.

use proto::{
    event::{ContentHash, PaymentResult, PlacedLine, PlacedOrder, SettledPayment},
    id::{OrderId, UserId},
    money::Money,
    time::UnixMicros,
};

use crate::trace::TraceId;

/// What one event tells.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    /// An order was placed.
    Placed(NewOrder),
    /// An order's payment came to its end.
    Settled(NewOutcome),
}

/// An order, as its event tells of it.
#[derive(Debug, Clone, PartialEq)]
pub struct NewOrder {
    /// Its id, also its event's id.
    pub order_id: OrderId,
    /// Who ordered.
    pub user_id: UserId,
    /// What was ordered.
    pub lines: Vec<PlacedLine>,
    /// The sum over all lines.
    pub total: Money,
    /// When the gateway accepted it.
    pub placed_at: UnixMicros,
    /// Tells a redelivered event from another one under its id.
    pub content_hash: ContentHash,
    /// The trace of the request that placed it.
    pub trace_id: Option<TraceId>,
}

/// How an order's payment ended, as its event tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOutcome {
    /// The order. Payment ids are derived from order ids, so it stands for the
    /// event's id as well.
    pub order_id: OrderId,
    /// How it ended.
    pub outcome: Outcome,
}

/// How a payment ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// `ordermesh.events.v1.DeclineCode`; absent when the money was taken. A
    /// number, so that a code of a later release stays readable.
    pub decline_code: Option<i32>,
    /// When the provider answered.
    pub settled_at: UnixMicros,
}

impl Fact {
    /// The fact with the trace of its request, which an order keeps: a record's
    /// headers say it, not its value.
    pub fn traced(mut self, trace_id: Option<TraceId>) -> Self {
        if let Self::Placed(order) = &mut self {
            order.trace_id = trace_id;
        }
        self
    }
}

impl From<PlacedOrder> for Fact {
    fn from(order: PlacedOrder) -> Self {
        Self::Placed(NewOrder {
            order_id: order.order_id,
            user_id: order.user_id,
            lines: order.lines,
            total: order.total,
            placed_at: order.placed_at,
            content_hash: order.content_hash,
            trace_id: None,
        })
    }
}

impl From<SettledPayment> for Fact {
    fn from(payment: SettledPayment) -> Self {
        Self::Settled(NewOutcome {
            order_id: payment.order_id,
            outcome: Outcome {
                decline_code: match payment.result {
                    PaymentResult::Captured => None,
                    PaymentResult::Declined(code) => Some(code.into()),
                },
                settled_at: payment.settled_at,
            },
        })
    }
}
