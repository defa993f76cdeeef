//! What notifier takes from an event.

use proto::{
    event::{PaymentResult, PlacedOrder, SettledPayment},
    events::v1::DeclineCode,
    id::{OrderId, UserId},
};

/// One half of what a mail needs, and the trace it came with.
#[derive(Debug, Clone)]
pub struct Fact {
    /// What happened.
    pub half: Half,
    /// The `traceparent` of the record's span. Mails that this fact completes
    /// continue it.
    pub traceparent: Option<String>,
}

/// The two events that a mail needs.
#[derive(Debug, Clone)]
pub enum Half {
    /// What was ordered, and where mails go.
    Placed(Box<PlacedOrder>),
    /// How the payment ended.
    Settled(Settled),
}

/// How an order's payment ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled {
    /// The order.
    pub order_id: OrderId,
    /// Who ordered.
    pub user_id: UserId,
    /// How it ended.
    pub outcome: Outcome,
}

/// Captured, or declined and why: as one number, 0 or the decline code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome(i32);

impl Outcome {
    /// From its stored number.
    pub const fn from_number(number: i32) -> Self {
        Self(number)
    }

    /// As a number to store.
    pub const fn number(self) -> i32 {
        self.0
    }

    /// The decline code; absent when the money was taken. A code that this
    /// version does not know is still a decline.
    pub fn decline_code(self) -> Option<DeclineCode> {
        (self.0 != 0).then(|| DeclineCode::try_from(self.0).unwrap_or(DeclineCode::GenericDecline))
    }
}

impl From<PaymentResult> for Outcome {
    fn from(result: PaymentResult) -> Self {
        match result {
            PaymentResult::Captured => Self(0),
            PaymentResult::Declined(code) => Self(code.into()),
        }
    }
}

impl Half {
    /// The order that the half belongs to.
    pub fn order_id(&self) -> OrderId {
        match self {
            Self::Placed(order) => order.order_id,
            Self::Settled(settled) => settled.order_id,
        }
    }
}

impl From<&SettledPayment> for Settled {
    fn from(payment: &SettledPayment) -> Self {
        Self {
            order_id: payment.order_id,
            user_id: payment.user_id,
            outcome: payment.result.into(),
        }
    }
}
