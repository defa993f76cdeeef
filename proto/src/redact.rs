//! `Debug` for messages that carry an address or a token.
//!
//! Invariant: no `{:?}` of a message prints a field marked `debug_redact`.

use std::fmt;

use crate::{events::v1::OrderPlaced, notifier::v1::Notification, orders::v1::PlaceOrderRequest};

/// Stands for a value that must not be seen.
const MASK: &str = "[redacted]";

impl fmt::Debug for OrderPlaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OrderPlaced")
            .field("order_id", &self.order_id)
            .field("user_id", &self.user_id)
            .field("lines", &self.lines)
            .field("currency_code", &self.currency_code)
            .field("total", &self.total)
            .field("email", &MASK)
            .field("payment_token", &MASK)
            .field("placed_at", &self.placed_at)
            .field("content_hash", &self.content_hash)
            .finish()
    }
}

impl fmt::Debug for PlaceOrderRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlaceOrderRequest")
            .field("user_id", &self.user_id)
            .field("products", &self.products)
            .field("currency_code", &self.currency_code)
            .field("email", &self.email.as_ref().map(|_| MASK))
            .field("payment_token", &self.payment_token.as_ref().map(|_| MASK))
            .field("idempotency_key", &self.idempotency_key)
            .finish()
    }
}

impl fmt::Debug for Notification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notification")
            .field("notification_id", &self.notification_id)
            .field("order_id", &self.order_id)
            .field("user_id", &self.user_id)
            .field("kind", &self.kind)
            .field("line", &self.line)
            .field("status", &self.status)
            .field("recipient", &MASK)
            .field("message_id", &self.message_id)
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_tokens_never_print() {
        let event = OrderPlaced {
            email: "jane@example.com".into(),
            payment_token: "tok_secret".into(),
            ..Default::default()
        };
        let request = PlaceOrderRequest {
            email: Some("jane@example.com".into()),
            payment_token: Some("tok_secret".into()),
            ..Default::default()
        };
        let mail = Notification {
            recipient: "jane@example.com".into(),
            text_body: "Dear jane@example.com".into(),
            ..Default::default()
        };
        for text in [
            format!("{event:?}"),
            format!("{request:?}"),
            format!("{mail:?}"),
        ] {
            assert!(!text.contains("jane") && !text.contains("tok_"), "{text}");
        }
    }
}
