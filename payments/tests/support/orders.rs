//! Orders for tests.

use proto::{
    event::{ContentHash, PlacedLine, PlacedOrder},
    id::{OrderId, ProductId, UserId},
    money::{Currency, Money},
    time::UnixMicros,
};

/// An order of 9.99 USD by user 42.
pub(crate) fn order() -> PlacedOrder {
    order_of(42, 999, "USD")
}

/// An order of a user over an amount.
pub(crate) fn order_of(user_id: i64, minor: i64, currency: &str) -> PlacedOrder {
    PlacedOrder {
        order_id: OrderId::random(),
        user_id: UserId::try_from(user_id).unwrap(),
        lines: vec![PlacedLine {
            product_id: ProductId::try_from(1).unwrap(),
            name: "Keyboard".into(),
            unit_price: minor,
            quantity: 1,
        }],
        total: Money::new(minor, currency.parse::<Currency>().unwrap()),
        email: "jane@example.com".parse().unwrap(),
        payment_token: None,
        placed_at: UnixMicros::from_micros(1_700_000_000_000_001),
        content_hash: ContentHash([7; 32]),
    }
}

/// The same order with a payment token.
pub(crate) fn with_token(mut order: PlacedOrder, token: &str) -> PlacedOrder {
    order.payment_token = Some(token.parse().unwrap());
    order
}

/// An order under the same id with other content.
pub(crate) fn contradicting(order: &PlacedOrder) -> PlacedOrder {
    PlacedOrder {
        content_hash: ContentHash([8; 32]),
        ..order.clone()
    }
}
