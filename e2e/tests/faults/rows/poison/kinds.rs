//! The kinds of poison.

use prost::{Message as _, Name as _};
use proto::events::v1::{OrderLine, OrderPlaced};

/// A record that never will work, and its class.
#[derive(Clone)]
pub(super) struct Poison {
    pub(super) class: &'static str,
    pub(super) key: Vec<u8>,
    pub(super) value: Vec<u8>,
    /// Its `ce_type`.
    pub(super) kind: Vec<u8>,
}

/// One of each kind; `known` is the id of an order that has all its effects.
pub(super) fn all(known_order: &str) -> anyhow::Result<Vec<Poison>> {
    let order = |change: fn(&mut OrderPlaced)| {
        let mut order = OrderPlaced {
            order_id: uuid::Uuid::now_v7().to_string(),
            user_id: 1,
            lines: vec![OrderLine {
                product_id: 1,
                name: "Keyboard".to_owned(),
                unit_price: 999,
                quantity: 1,
            }],
            currency_code: "USD".to_owned(),
            total: 999,
            email: "jane@example.com".to_owned(),
            placed_at: Some(proto::time::UnixMicros::now().into()),
            content_hash: vec![7; 32],
            ..OrderPlaced::default()
        };
        change(&mut order);
        order
    };
    let known = OrderPlaced::full_name();
    let valid = order(|_| {});
    // Or the row would test nothing but a mistake in its own order.
    proto::event::PlacedOrder::try_from(valid.clone())?;
    let of = |class: &'static str, order: OrderPlaced| Poison {
        class,
        key: order.order_id.clone().into_bytes(),
        value: order.encode_to_vec(),
        kind: known.clone().into_bytes(),
    };
    let bytes = |class: &'static str, value: &[u8], kind: &[u8]| Poison {
        class,
        key: b"poison".to_vec(),
        value: value.to_vec(),
        kind: kind.to_vec(),
    };
    let mut other_key = of("invalid", valid.clone());
    other_key.key = b"another order".to_vec();
    let mut other_content = valid.clone();
    known_order.clone_into(&mut other_content.order_id);
    Ok(vec![
        of("conflict", other_content),
        bytes("undecodable", b"\xff\xff\xff no protobuf", known.as_bytes()),
        bytes("undecodable", b"", known.as_bytes()),
        bytes(
            "unsupported",
            &valid.encode_to_vec(),
            b"ordermesh.events.v9.OrderPlaced",
        ),
        bytes("unsupported", &valid.encode_to_vec(), b"\xff\xfe"),
        of("invalid", order(|order| order.lines[0].unit_price = -1)),
        of("invalid", order(|order| order.total = i64::MAX)),
        of(
            "invalid",
            order(|order| order.lines[0].name = "x".repeat(900 * 1024)),
        ),
        other_key,
    ])
}
