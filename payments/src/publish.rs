//! Telling the other services how a payment ended.

use async_trait::async_trait;
use chassis::kafka::{Outgoing, PublishError, Publisher};
use proto::{
    event::{PAYMENTS, SettledPayment},
    events::v1,
};

/// Where settled payments are told.
#[async_trait]
pub trait Publish: Send + Sync + 'static {
    /// Tells a payment's outcome and waits until that cannot be lost. May be
    /// called again for the same payment: the event is the same, and so is its
    /// id. Runs within the span that the event's readers shall continue.
    async fn publish(&self, payment: &SettledPayment) -> Result<(), PublishError>;
}

/// Tells them on `payments.v1`.
#[derive(Debug, Clone)]
pub struct OnKafka(pub Publisher);

#[async_trait]
impl Publish for OnKafka {
    async fn publish(&self, payment: &SettledPayment) -> Result<(), PublishError> {
        let event = Outgoing::event(
            PAYMENTS,
            payment.key(),
            *payment.payment_id.as_uuid(),
            payment.settled_at.as_micros(),
            &v1::PaymentSettled::from(payment),
        );
        self.0.publish(event).await.map(drop)
    }
}
