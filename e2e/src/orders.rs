//! Orders to place.

use std::sync::atomic::{AtomicI64, Ordering};

use proto::orders::v1::{PlaceOrderRequest, Product};
use serde_json::{Value, json};

/// Every test orders as users of its own, so tests can share a system.
static NEXT_USER: AtomicI64 = AtomicI64::new(1_000_000);

/// A user that nobody else is.
pub fn new_user() -> i64 {
    NEXT_USER.fetch_add(1, Ordering::Relaxed)
}

/// The order of the README, by this user.
pub fn example(user: i64) -> Value {
    json!({
        "userId": user,
        "products": [
            { "id": 1, "name": "Keyboard", "price": 999 },
            { "id": 2, "name": "Mouse", "price": 499 },
        ],
    })
}

/// The same as a gRPC request.
pub fn example_request(user: i64) -> PlaceOrderRequest {
    let product = |id, name: &str, price| Product {
        id,
        name: name.to_owned(),
        price: Some(price),
        quantity: None,
    };
    PlaceOrderRequest {
        user_id: user,
        products: vec![product(1, "Keyboard", 999), product(2, "Mouse", 499)],
        ..Default::default()
    }
}

/// An example order with another field set.
pub fn example_with(user: i64, field: &str, value: Value) -> Value {
    let mut order = example(user);
    order[field] = value;
    order
}
