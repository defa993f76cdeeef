//! What a store answers.
//!
//! Codes and kinds are the texts and numbers that are stored, not the types that
//! events are checked by: what was valid when it was counted stays readable.

use proto::time::UnixMicros;
use serde::{Deserialize, Serialize};

use crate::stage::Stage;

/// Totals over all time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Orders placed.
    pub orders: i64,
    /// Pieces ordered.
    pub units: i64,
    /// Orders paid.
    pub orders_paid: i64,
    /// Orders declined.
    pub orders_declined: i64,
    /// Mails sent.
    pub notifications_sent: i64,
    /// Mails that failed for good.
    pub notifications_failed: i64,
    /// User events.
    pub user_events: i64,
    /// Money by currency, in the order of the codes.
    pub money: Vec<MoneySums>,
    /// When an event was last counted; absent before the first.
    pub updated_at: Option<UnixMicros>,
}

/// Money in one currency, in minor units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoneySums {
    /// ISO 4217 code.
    pub currency_code: String,
    /// Sum of the totals of orders placed.
    pub ordered: i64,
    /// Sum of what was paid.
    pub revenue: i64,
}

/// Orders in one stretch of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// Its start.
    pub start: UnixMicros,
    /// Orders placed in it.
    pub orders: i64,
    /// Of these, paid.
    pub orders_paid: i64,
}

/// How one product sells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductSales {
    /// The product.
    pub product_id: i64,
    /// Its name in the latest order.
    pub name: String,
    /// Pieces ordered, in any currency.
    pub units: i64,
    /// Orders it was part of.
    pub orders: i64,
    /// Paid for it in the asked currency, in minor units.
    pub revenue: i64,
}

/// A place in a list of products, best first: by what they are ranked by, then by
/// id. Behind it come smaller figures, and larger ids of the same figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductPosition {
    /// The figure that ranks.
    pub figure: i64,
    /// The product.
    pub product_id: i64,
}

impl ProductPosition {
    /// Before the first product: ids begin at 1.
    pub const START: Self = Self {
        figure: i64::MAX,
        product_id: 0,
    };
}

/// Two products in the same orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairSales {
    /// The smaller id.
    pub product_id: i64,
    /// The larger id.
    pub other_product_id: i64,
    /// Orders with both.
    pub orders: i64,
}

/// A place in a list of pairs, most orders first, then by ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairPosition {
    /// Orders with both.
    pub orders: i64,
    /// The smaller id.
    pub product_id: i64,
    /// The larger id.
    pub other_product_id: i64,
}

impl PairPosition {
    /// Before the first pair: ids begin at 1.
    pub const START: Self = Self {
        orders: i64::MAX,
        product_id: 0,
        other_product_id: 0,
    };
}

/// What one user did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserStats {
    /// Orders placed.
    pub orders: i64,
    /// Orders paid.
    pub orders_paid: i64,
    /// Orders declined.
    pub orders_declined: i64,
    /// Pieces ordered.
    pub units: i64,
    /// Money by currency, in the order of the codes.
    pub money: Vec<MoneySums>,
    /// How often what, by the number of `UserEventType`, ascending.
    pub events: Vec<(i32, i64)>,
    /// The first time the user did something.
    pub first_seen_at: UnixMicros,
    /// The last time.
    pub last_seen_at: UnixMicros,
}

/// Users of one stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StageCount {
    /// The stage.
    pub stage: Stage,
    /// Users who got there.
    pub users: i64,
}
