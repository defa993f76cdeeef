//! Orders of which one of two events is known.
//!
//! Revenue by product needs the order's lines and the payment's outcome, which
//! come in either order. Each is a half; the second one to come completes the
//! pair, and its revenue is counted then.
//!
//! Invariant: a pair is completed exactly once. Each half comes once, because its
//! event's id is in the inbox, and whoever takes both removes them.

use std::{borrow::Cow, collections::BTreeMap};

use proto::id::OrderId;

/// What an order's products cost: the half that the order brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lines {
    /// ISO 4217 code. Read back from a database it is a text: it stays valid
    /// when a currency is given up.
    pub currency_code: Cow<'static, str>,
    /// What each product cost in all, in minor units; each product once.
    pub amounts: Vec<(i64, i64)>,
}

/// Halves that have not found their other half in the batch.
#[derive(Debug, Default)]
pub struct Halves {
    /// Lines of orders whose payment is not known.
    pub placed: BTreeMap<OrderId, Lines>,
    /// Whether the money was taken, for orders whose lines are not known.
    pub settled: BTreeMap<OrderId, bool>,
}

impl Halves {
    /// An order's half. Returns the payment's if that was here already.
    pub(super) fn place(&mut self, order_id: OrderId, lines: Lines) -> Option<(Lines, bool)> {
        if let Some(captured) = self.settled.remove(&order_id) {
            return Some((lines, captured));
        }
        self.placed.insert(order_id, lines);
        None
    }

    /// A payment's half. Returns the order's if that was here already.
    pub(super) fn settle(&mut self, order_id: OrderId, captured: bool) -> Option<(Lines, bool)> {
        if let Some(lines) = self.placed.remove(&order_id) {
            return Some((lines, captured));
        }
        self.settled.insert(order_id, captured);
        None
    }
}
