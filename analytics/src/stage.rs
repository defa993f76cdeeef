//! How far a user got on a day.

use proto::{analytics::v1::FunnelStageKind, events::v1::UserEventType};

/// A stage of the funnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Looked at a product.
    Viewed,
    /// Put a product into the cart.
    AddedToCart,
    /// Began to check out.
    CheckoutStarted,
    /// Placed an order.
    Ordered,
    /// Paid an order.
    Paid,
}

impl Stage {
    /// Every stage, widest first.
    pub const ALL: [Self; 5] = [
        Self::Viewed,
        Self::AddedToCart,
        Self::CheckoutStarted,
        Self::Ordered,
        Self::Paid,
    ];

    /// The stage that a user reaches by an event of this type, if any.
    pub const fn reached_by(kind: UserEventType) -> Option<Self> {
        match kind {
            UserEventType::ProductViewed => Some(Self::Viewed),
            UserEventType::AddedToCart => Some(Self::AddedToCart),
            UserEventType::CheckoutStarted => Some(Self::CheckoutStarted),
            UserEventType::RemovedFromCart | UserEventType::Unspecified => None,
        }
    }

    /// On the wire.
    pub const fn kind(self) -> FunnelStageKind {
        match self {
            Self::Viewed => FunnelStageKind::Viewed,
            Self::AddedToCart => FunnelStageKind::AddedToCart,
            Self::CheckoutStarted => FunnelStageKind::CheckoutStarted,
            Self::Ordered => FunnelStageKind::Ordered,
            Self::Paid => FunnelStageKind::Paid,
        }
    }

    /// As a number to store: that of [`FunnelStageKind`].
    pub const fn number(self) -> i16 {
        match self {
            Self::Viewed => 1,
            Self::AddedToCart => 2,
            Self::CheckoutStarted => 3,
            Self::Ordered => 4,
            Self::Paid => 5,
        }
    }

    /// From a stored number.
    pub fn from_number(number: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.number() == number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_numbers_are_those_of_the_wire_and_come_back() {
        for stage in Stage::ALL {
            assert_eq!(i32::from(stage.number()), i32::from(stage.kind()));
            assert_eq!(Stage::from_number(stage.number()), Some(stage));
        }
        assert_eq!(Stage::from_number(0), None);
    }
}
