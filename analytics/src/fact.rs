//! What is counted: the events of all topics, without what nobody counts.
//!
//! Invariant: a fact holds no private data. An order's address and token are
//! left behind when it is decoded, so nothing behind this type can leak them.

use proto::{
    event::{PlacedLine, PlacedOrder, SentNotification, SettledPayment, TrackedEvent},
    id::{OrderId, UserId},
    money::Money,
    time::UnixMicros,
};
use uuid::Uuid;

/// An order's pairs are made of its first products only: 100 lines would make
/// 4,950 pairs, and say little about what belongs together.
pub const PAIRED_PRODUCTS: usize = 20;

/// An event that is counted once.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    /// An order was placed.
    Placed(Placed),
    /// Its payment came to its end.
    Settled(SettledPayment),
    /// A mail about it came to its end.
    Notified(SentNotification),
    /// A user did something in the shop.
    Tracked(TrackedEvent),
}

/// What is counted of an order.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed {
    /// Its id, also the event's.
    pub order_id: OrderId,
    /// Who ordered.
    pub user_id: UserId,
    /// What was ordered; 1 to 100 lines.
    pub lines: Vec<PlacedLine>,
    /// The sum over all lines.
    pub total: Money,
    /// When it was placed.
    pub placed_at: UnixMicros,
}

impl Fact {
    /// The event's id. Two facts never share one by chance, also when they come
    /// from different topics: ids made at random (UUIDv7) and derived ones
    /// (UUIDv5) differ in their version; derived ones have the order as their
    /// namespace and names of their own, or the namespace of idempotency keys.
    pub fn id(&self) -> Uuid {
        match self {
            Self::Placed(order) => *order.order_id.as_uuid(),
            Self::Settled(payment) => *payment.payment_id.as_uuid(),
            Self::Notified(mail) => *mail.notification_id.as_uuid(),
            Self::Tracked(event) => *event.event_id.as_uuid(),
        }
    }

    /// The order that it is about; users do things without one.
    pub const fn order_id(&self) -> Option<OrderId> {
        match self {
            Self::Placed(order) => Some(order.order_id),
            Self::Settled(payment) => Some(payment.order_id),
            Self::Notified(mail) => Some(mail.order_id),
            Self::Tracked(_) => None,
        }
    }

    /// How many rows counting it writes at most, roughly: what a transaction
    /// grows with. An order writes rows for its products, its pairs and itself.
    pub fn weight(&self) -> usize {
        /// Id, half, total, three rates, user and stage.
        const ALONE: usize = 8;
        match self {
            Self::Placed(order) => {
                let lines = order.lines.len();
                let paired = lines.min(PAIRED_PRODUCTS);
                ALONE + lines + paired * (paired - 1) / 2
            }
            // Its order's lines may be waiting for it, up to 100 of them; the
            // average order has a few.
            Self::Settled(_) => ALONE + 4,
            Self::Notified(_) | Self::Tracked(_) => 4,
        }
    }
}

impl From<PlacedOrder> for Fact {
    fn from(order: PlacedOrder) -> Self {
        Self::Placed(Placed {
            order_id: order.order_id,
            user_id: order.user_id,
            lines: order.lines,
            total: order.total,
            placed_at: order.placed_at,
        })
    }
}

impl From<SettledPayment> for Fact {
    fn from(payment: SettledPayment) -> Self {
        Self::Settled(payment)
    }
}

impl From<SentNotification> for Fact {
    fn from(mail: SentNotification) -> Self {
        Self::Notified(mail)
    }
}

impl From<TrackedEvent> for Fact {
    fn from(event: TrackedEvent) -> Self {
        Self::Tracked(event)
    }
}
