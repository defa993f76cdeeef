//! A payment provider that takes nobody's money, but otherwise behaves like one:
//! it takes its time, fails now and then, declines some cards, and charges once
//! for each key.
//!
//! Its answers follow the token, as with Stripe's test cards:
//!
//! | token | outcome |
//! |---|---|
//! | `tok_declined` | declined: `GENERIC_DECLINE` |
//! | `tok_insufficient_funds` | declined: `INSUFFICIENT_FUNDS` |
//! | `tok_expired` | declined: `EXPIRED_CARD` |
//! | `tok_processing_error` | a processing error, at every attempt |
//! | any other, or none | captured |
//!
//! Without a journal it forgets keys when the process ends, and the oldest ones
//! before. With one it keeps the promises of a real provider: over restarts, and
//! between processes that share the file.

mod journal;
mod ledger;

use std::{path::PathBuf, time::Duration};

use async_trait::async_trait;
use proto::{event::PaymentResult, events::v1::DeclineCode, private::PaymentToken};
use rand::Rng as _;

use super::{Answer, Charge, ChargeError, PaymentProvider};
pub use journal::JournalError;
use ledger::{Entry, Ledger};

/// How the mock behaves.
#[derive(Debug, Clone, Default)]
pub struct MockOptions {
    /// How long an attempt takes.
    pub latency: Duration,
    /// By which share of it that varies, either way; 0 to 1.
    pub jitter: f64,
    /// Share of attempts that fail with a processing error; 0 to 1.
    pub failure_rate: f64,
    /// A file with one line a charge, `order_id amount currency outcome`.
    pub journal: Option<PathBuf>,
}

/// A simulated provider.
#[derive(Debug)]
pub struct MockProvider {
    latency: Duration,
    jitter: f64,
    failure_rate: f64,
    ledger: Ledger,
}

/// Where on its way an attempt fails. What is lost on the way back has been
/// charged, and only the key tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fails {
    OnItsWayThere,
    OnItsWayBack,
}

impl MockProvider {
    /// A provider; reads its journal, if it has one.
    pub fn new(options: MockOptions) -> Result<Self, JournalError> {
        Ok(Self {
            latency: options.latency,
            jitter: options.jitter,
            failure_rate: options.failure_rate,
            ledger: Ledger::new(options.journal)?,
        })
    }

    fn fate(&self) -> Option<Fails> {
        let mut random = rand::rng();
        if self.failure_rate <= 0.0 || !random.random_bool(self.failure_rate.min(1.0)) {
            None
        } else if random.random() {
            Some(Fails::OnItsWayThere)
        } else {
            Some(Fails::OnItsWayBack)
        }
    }

    fn latency(&self) -> Duration {
        if self.jitter <= 0.0 {
            return self.latency;
        }
        let jitter = self.jitter.min(1.0);
        self.latency
            .mul_f64(rand::rng().random_range(1.0 - jitter..=1.0 + jitter))
    }
}

#[async_trait]
impl PaymentProvider for MockProvider {
    async fn charge(&self, charge: Charge<'_>) -> Result<Answer, ChargeError> {
        let (one_way, fate) = (self.latency() / 2, self.fate());
        travel(one_way).await;
        if fate == Some(Fails::OnItsWayThere) {
            return Err(ChargeError::Processing("try again".to_owned()));
        }
        let result = decide(charge.token)?;
        let entry = Entry {
            order_id: charge.order_id,
            amount: charge.amount,
            result,
        };
        let booked = self.ledger.book(charge.key, entry).await?;
        travel(one_way).await;
        if fate == Some(Fails::OnItsWayBack) {
            return Err(ChargeError::Processing("the answer was lost".to_owned()));
        }
        if booked.amount != charge.amount {
            return Err(ChargeError::KeyReused);
        }
        Ok(Answer {
            result: booked.result,
            reference: format!("ch_{}", charge.key.as_uuid().simple()),
        })
    }
}

async fn travel(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

fn decide(token: Option<&PaymentToken>) -> Result<PaymentResult, ChargeError> {
    let declined = |code| Ok(PaymentResult::Declined(code));
    match token.map(PaymentToken::expose) {
        Some("tok_declined") => declined(DeclineCode::GenericDecline),
        Some("tok_insufficient_funds") => declined(DeclineCode::InsufficientFunds),
        Some("tok_expired") => declined(DeclineCode::ExpiredCard),
        Some("tok_processing_error") => Err(ChargeError::Processing(
            "the card's bank does not answer".to_owned(),
        )),
        _ => Ok(PaymentResult::Captured),
    }
}

#[cfg(test)]
mod tests {
    use proto::{
        id::{OrderId, PaymentId},
        money::{Currency, Money},
    };

    use super::*;

    fn charge(order_id: OrderId, token: Option<&PaymentToken>) -> Charge<'_> {
        Charge {
            key: PaymentId::of(order_id),
            order_id,
            amount: Money::new(999, Currency::USD),
            token,
        }
    }

    fn provider(failure_rate: f64) -> MockProvider {
        MockProvider::new(MockOptions {
            failure_rate,
            ..MockOptions::default()
        })
        .unwrap()
    }

    #[tokio::test]
    async fn the_token_decides() {
        for (token, expected) in [
            (
                "tok_declined",
                PaymentResult::Declined(DeclineCode::GenericDecline),
            ),
            (
                "tok_insufficient_funds",
                PaymentResult::Declined(DeclineCode::InsufficientFunds),
            ),
            (
                "tok_expired",
                PaymentResult::Declined(DeclineCode::ExpiredCard),
            ),
            ("tok_visa", PaymentResult::Captured),
        ] {
            let token: PaymentToken = token.parse().unwrap();
            let answer = provider(0.0)
                .charge(charge(OrderId::random(), Some(&token)))
                .await;
            assert_eq!(answer.unwrap().result, expected);
        }
        let answer = provider(0.0)
            .charge(charge(OrderId::random(), None))
            .await
            .unwrap();
        assert_eq!(answer.result, PaymentResult::Captured);
    }

    #[tokio::test]
    async fn a_processing_error_is_no_answer_and_is_not_remembered() {
        let (provider, order) = (provider(0.0), OrderId::random());
        let token: PaymentToken = "tok_processing_error".parse().unwrap();
        let failed = provider.charge(charge(order, Some(&token))).await;
        assert!(matches!(failed, Err(ChargeError::Processing(_))));
        assert!(provider.charge(charge(order, None)).await.is_ok());
    }

    #[tokio::test]
    async fn a_key_gets_its_first_answer_again_whatever_it_asks_for() {
        let (provider, order) = (provider(0.0), OrderId::random());
        let first = provider.charge(charge(order, None)).await.unwrap();
        let token: PaymentToken = "tok_declined".parse().unwrap();
        let again = provider.charge(charge(order, Some(&token))).await.unwrap();
        assert_eq!(first, again);
        let mut dearer = charge(order, None);
        dearer.amount.minor += 1;
        assert_eq!(provider.charge(dearer).await, Err(ChargeError::KeyReused));
    }

    #[tokio::test]
    async fn failing_attempts_end_in_an_answer_and_in_one_charge() {
        let (provider, order) = (provider(0.9), OrderId::random());
        let mut failures = 0;
        while provider.charge(charge(order, None)).await.is_err() {
            failures += 1;
            assert!(failures < 10_000, "a rate below 1 must let one through");
        }
        assert_eq!(provider.ledger.len(), 1);
    }
}
