//! Placing an order.
//!
//! Invariant: an order is answered as accepted only after every in-sync replica
//! has its event, or because history already has the very same order. A refusal
//! says truthfully whether the order may be on Kafka all the same, and hints at
//! a retry only where a retry cannot order twice.
//!
//! The gateway keeps no state: two requests of one caller with one key get the
//! same order id wherever they arrive, and the services downstream keep the
//! effects of one id.

use std::time::Duration;

use chassis::{
    error::{Error, Reason},
    grpc::Deadline,
    kafka::PublishError,
    telemetry::span,
};
use proto::{
    event::{ContentHash, PlacedOrder},
    history::v1::{Order, OrderStatus},
    id::OrderId,
    time::UnixMicros,
};

use crate::{
    backend::Backend,
    content,
    email::EmailPattern,
    validate::{IdempotencyKey, ValidOrder},
};

/// When a refused caller may try again: the pace of everything here that takes
/// a while to mend (a leader election, an open breaker's next trial).
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How orders are placed.
#[derive(Debug, Clone)]
pub(crate) struct Placing {
    /// The mail address of users who gave none.
    pub(crate) email: EmailPattern,
    /// How long history is asked for an order with an idempotency key.
    pub(crate) lookup: Duration,
}

/// An order that was accepted, now or before.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Accepted {
    pub(crate) order_id: OrderId,
    pub(crate) status: OrderStatus,
    /// In minor units of the currency.
    pub(crate) total: i64,
    pub(crate) currency_code: String,
    pub(crate) at: UnixMicros,
    /// Of the request that placed it; 32 hex digits, or empty when nothing
    /// traces.
    pub(crate) trace_id: String,
}

impl Placing {
    /// Places an order, by the deadline.
    pub(crate) async fn place(
        &self,
        backend: &dyn Backend,
        order: ValidOrder,
        deadline: Deadline,
    ) -> Result<Accepted, Error> {
        let content_hash = content::hash(&order);
        let order_id = order_id(&order);
        span::annotate("ordermesh.order.id", order_id);
        let keyed = order.idempotency_key.is_some();
        if keyed && let Some(known) = self.look_up(backend, order_id, deadline).await {
            return answer_again(order_id, content_hash, &known);
        }
        if deadline.has_passed() {
            return Err(Error::new(
                Reason::DeadlineExceeded,
                "the deadline passed before the order was sent; it was not accepted",
            ));
        }
        let placed = self.placed(order, order_id, content_hash);
        match tokio::time::timeout_at(deadline.instant(), backend.publish_order(&placed)).await {
            Ok(Ok(())) => {
                tracing::debug!(%order_id, "order accepted");
                Ok(Accepted {
                    order_id,
                    status: OrderStatus::Accepted,
                    total: placed.total.minor,
                    currency_code: placed.total.currency.code().to_owned(),
                    at: placed.placed_at,
                    trace_id: crate::trace_id(),
                })
            }
            Ok(Err(failure)) => Err(not_accepted(failure, order_id, keyed)),
            Err(_) => Err(in_doubt(
                Error::new(Reason::DeadlineExceeded, doubt(keyed)),
                order_id,
                keyed,
            )),
        }
    }

    /// The order as of now, with what its caller left open.
    pub(crate) fn placed(
        &self,
        order: ValidOrder,
        order_id: OrderId,
        content_hash: ContentHash,
    ) -> PlacedOrder {
        PlacedOrder {
            order_id,
            user_id: order.user_id,
            lines: order.lines,
            total: order.total,
            email: order.email.unwrap_or_else(|| self.email.of(order.user_id)),
            payment_token: order.payment_token,
            placed_at: UnixMicros::now(),
            content_hash,
        }
    }

    /// The order of this id, if history knows it and says so in time. History
    /// only saves the caller a wait here: without its answer the order is
    /// published, and found downstream to be known.
    async fn look_up(
        &self,
        backend: &dyn Backend,
        id: OrderId,
        deadline: Deadline,
    ) -> Option<Order> {
        // The deadline on the wire stays the caller's. A call that is given up
        // earlier counts as nothing at the channel's breaker; one that failed by
        // a deadline as short as this would count as a failure, and a history
        // that is merely busy would be taken to be away by every reader.
        let answer = backend.known_order(id, deadline);
        match tokio::time::timeout(self.lookup, answer).await {
            Ok(Ok(known)) => known,
            Ok(Err(error)) => {
                tracing::debug!(
                    cause = error.cause(),
                    "history did not say whether it knows an order"
                );
                None
            }
            Err(_) => None,
        }
    }
}

/// The caller is the user while there is no authentication.
pub(crate) fn order_id(order: &ValidOrder) -> OrderId {
    match &order.idempotency_key {
        None => OrderId::random(),
        Some(key) => from_key(&order.user_id.to_string(), key),
    }
}

fn from_key(caller: &str, key: &IdempotencyKey) -> OrderId {
    OrderId::from_idempotency_key(caller, key.as_str())
}

/// The stored answer, if the order was asked for with this content.
fn answer_again(id: OrderId, content: ContentHash, known: &Order) -> Result<Accepted, Error> {
    if known.content_hash != content.0 {
        return Err(Error::new(
            Reason::IdempotencyKeyReused,
            "this idempotency key stands for an order with other content; use a new key",
        )
        .with("order_id", id.to_string()));
    }
    let at = known
        .placed_at
        .and_then(|time| UnixMicros::try_from(time).ok())
        .ok_or_else(|| Error::internal("history gave an order without its time"))?;
    Ok(Accepted {
        order_id: id,
        status: known.status(),
        total: known.total,
        currency_code: known.currency_code.clone(),
        at,
        trace_id: known.trace_id.clone(),
    })
}

fn not_accepted(failure: PublishError, id: OrderId, keyed: bool) -> Error {
    let error = match failure {
        PublishError::QueueFull => Error::new(
            Reason::Overloaded,
            "more orders wait for Kafka than may; the order was not accepted, try again",
        )
        .retry_after(RETRY_AFTER),
        PublishError::Unavailable(_) => Error::new(
            Reason::KafkaUnavailable,
            "Kafka does not take orders right now; the order was not accepted, try again",
        )
        .retry_after(RETRY_AFTER),
        PublishError::TooLarge => Error::new(
            Reason::TooLarge,
            "the order is larger than Kafka takes; it was not accepted",
        ),
        PublishError::OutcomeUnknown(_) => {
            in_doubt(Error::new(Reason::OutcomeUnknown, doubt(keyed)), id, keyed)
        }
    };
    error.caused_by(failure)
}

/// An order that may be on Kafka or not. Sent again under its key it is the
/// same order; without one it would be another, so no retry is hinted at.
fn in_doubt(error: Error, id: OrderId, keyed: bool) -> Error {
    let error = error.with("order_id", id.to_string());
    if keyed {
        error.retry_after(RETRY_AFTER)
    } else {
        error
    }
}

const fn doubt(keyed: bool) -> &'static str {
    if keyed {
        "no acknowledgement came in time, so the order may be accepted or not; retry with the \
         same idempotency key"
    } else {
        "no acknowledgement came in time, so the order may be accepted or not; look it up by its \
         id before ordering again"
    }
}
