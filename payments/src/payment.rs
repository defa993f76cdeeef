//! A payment, from the intent to charge to the end.
//!
//! Invariant: a payment that has an [`Outcome`] keeps it for ever. Everything
//! else here follows from the order's event and never changes either.

use proto::{
    event::{ContentHash, PaymentResult, PlacedOrder, SettledPayment},
    id::{OrderId, PaymentId, UserId},
    money::Money,
    private::PaymentToken,
    time::UnixMicros,
};

/// What is to be paid, by the order's event.
#[derive(Debug, Clone)]
pub struct Intent {
    /// The payment's id, which is also the provider's idempotency key and the id
    /// of the event that tells the outcome.
    pub payment_id: PaymentId,
    /// The order.
    pub order_id: OrderId,
    /// Who ordered.
    pub user_id: UserId,
    /// The order's total.
    pub amount: Money,
    /// Tells apart two orders under one id.
    pub content_hash: ContentHash,
    /// The payment method; absent: the provider's default.
    pub token: Option<PaymentToken>,
    /// When the order was placed.
    pub order_placed_at: UnixMicros,
    /// The span that works on the order, so that whoever ends the payment
    /// continues the order's trace.
    pub traceparent: Option<String>,
}

impl Intent {
    /// What an order asks for. A `traceparent` comes from a record's header, where
    /// anything can stand, so what could not be one is left out.
    pub fn of(order: &PlacedOrder, traceparent: Option<String>) -> Self {
        Self {
            payment_id: PaymentId::of(order.order_id),
            order_id: order.order_id,
            user_id: order.user_id,
            amount: order.total,
            content_hash: order.content_hash,
            token: order.payment_token.clone(),
            order_placed_at: order.placed_at,
            traceparent: traceparent.filter(|text| is_traceparent(text)),
        }
    }
}

/// Whether a text has the form of a `traceparent` (W3C Trace Context, section
/// 3.2.1, version 00).
fn is_traceparent(text: &str) -> bool {
    text.len() == 55
        && text
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

/// How a charge ended for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Whether the money was taken.
    pub result: PaymentResult,
    /// The provider's own id of the charge.
    pub provider_reference: String,
    /// When the provider answered.
    pub settled_at: UnixMicros,
}

/// A payment as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Payment {
    /// Its id.
    pub payment_id: PaymentId,
    /// The order.
    pub order_id: OrderId,
    /// Who ordered.
    pub user_id: UserId,
    /// The order's total.
    pub amount: Money,
    /// When the order was placed.
    pub order_placed_at: UnixMicros,
    /// When the intent was written.
    pub created_at: UnixMicros,
    /// How it ended; absent while pending.
    pub outcome: Option<Outcome>,
}

impl Payment {
    /// The event that tells the outcome; `None` while pending. The same for
    /// ever, so it does not matter how often and by whom it is published.
    pub fn settled_event(&self) -> Option<SettledPayment> {
        self.outcome.as_ref().map(|outcome| SettledPayment {
            payment_id: self.payment_id,
            order_id: self.order_id,
            user_id: self.user_id,
            amount: self.amount,
            result: outcome.result,
            settled_at: outcome.settled_at,
            order_placed_at: self.order_placed_at,
        })
    }
}

/// A payment that is not yet published, in the hands of a [`Lease`]'s bearer.
///
/// [`Lease`]: crate::store::Lease
#[derive(Debug, Clone)]
pub struct OpenPayment {
    /// The payment.
    pub payment: Payment,
    /// The payment method, as long as it is needed.
    pub token: Option<PaymentToken>,
    /// The span that first worked on the order.
    pub traceparent: Option<String>,
    /// How often the sweeper tried in vain.
    pub sweeps: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_could_be_a_traceparent_is_kept() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert!(is_traceparent(good));
        for wrong in ["", "00", &good.replace('c', "\0"), &good.repeat(2)] {
            assert!(!is_traceparent(wrong), "{wrong:?}");
        }
    }
}
