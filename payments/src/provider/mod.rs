//! The payment provider: who takes the money.
//!
//! Exactly one charge an order rests on what a provider promises, because no
//! transaction of ours can span it. It must promise that
//!
//! 1. a key that was answered for good gets the same answer again, and makes no
//!    second charge;
//! 2. calls with one key at the same time make one charge; the others get its
//!    answer or a [`ChargeError`];
//! 3. it remembers keys for as long as an order may come back: `SWEEP_FOR` by
//!    itself, and 30 days out of the dead-letter topic.
//!
//! Stripe, for instance, keeps the first two for 24 hours and then forgets the
//! key. An adapter for such a provider keeps the third promise itself: it puts
//! the key into the charge's metadata, and looks for a charge with that key
//! before it makes one for an intent that is older.
//!
//! A payment that is settled in our store is never charged again, whatever the
//! provider remembers; the promises matter for the time between charge and
//! settlement alone.

pub mod mock;

use async_trait::async_trait;
use proto::{
    event::PaymentResult,
    id::{OrderId, PaymentId},
    money::Money,
    private::PaymentToken,
};

/// A charge to be made.
#[derive(Debug, Clone, Copy)]
pub struct Charge<'c> {
    /// The idempotency key: the payment's id, the same at every attempt.
    pub key: PaymentId,
    /// What it is for; goes into the provider's own records.
    pub order_id: OrderId,
    /// How much.
    pub amount: Money,
    /// The payment method; absent: the provider's default.
    pub token: Option<&'c PaymentToken>,
}

/// What a provider answers for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Whether the money was taken.
    pub result: PaymentResult,
    /// The provider's own id of the charge.
    pub reference: String,
}

/// The provider gave no answer for good. The charge may have been made or not;
/// only asking again with the same key tells.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChargeError {
    /// This charge did not work this time.
    #[error("the provider could not process the charge: {0}")]
    Processing(String),
    /// The key was used for another amount. It never will work.
    #[error("the provider knows the payment's id with another amount")]
    KeyReused,
    /// The provider is away; no charge is to blame.
    #[error("the payment provider is away: {0}")]
    Unavailable(String),
}

/// Takes money. See the [module](self) for what it must promise.
#[async_trait]
pub trait PaymentProvider: Send + Sync + 'static {
    /// Charges once for each key, and says how that ended.
    async fn charge(&self, charge: Charge<'_>) -> Result<Answer, ChargeError>;
}
