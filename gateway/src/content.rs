//! The hash that tells two requests under one idempotency key apart.
//!
//! Invariant: two orders have the same hash exactly when they ask for the same
//! thing. The encoding has one byte string for each order: fixed order, fixed
//! width or length-prefixed, defaults applied. Only the mail address keeps its
//! absence, because its default is a setting: were it applied, a retry after a
//! change of that setting would look like another request. The idempotency key
//! is the name of the request, not its content.
//!
//! History keeps hashes for as long as orders, so an encoding never changes; a
//! new one gets a new version.

use proto::event::ContentHash;
use sha2::{Digest as _, Sha256};

use crate::validate::ValidOrder;

/// Names the encoding, and keeps its hashes apart from those of any other.
const VERSION: &[u8] = b"ordermesh.order.v1";

/// The hash of an order's content.
pub(crate) fn hash(order: &ValidOrder) -> ContentHash {
    let mut encoding = Encoding(Sha256::new());
    encoding.bytes(VERSION);
    encoding.number(order.user_id.get());
    encoding.bytes(order.total.currency.code().as_bytes());
    encoding.length(order.lines.len());
    for line in &order.lines {
        encoding.number(line.product_id.get());
        encoding.bytes(line.name.as_bytes());
        encoding.number(line.unit_price);
        encoding.number(line.quantity.into());
    }
    encoding.optional(order.email.as_ref().map(proto::private::Email::expose));
    encoding.optional(
        order
            .payment_token
            .as_ref()
            .map(proto::private::PaymentToken::expose),
    );
    ContentHash(encoding.0.finalize().into())
}

/// Writes values so that no two sequences of values give the same bytes.
struct Encoding(Sha256);

impl Encoding {
    /// 8 bytes, big-endian.
    fn number(&mut self, number: i64) {
        self.0.update(number.to_be_bytes());
    }

    /// 8 bytes, big-endian.
    fn length(&mut self, length: usize) {
        self.0.update((length as u64).to_be_bytes());
    }

    /// The length, then the bytes.
    fn bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.0.update(bytes);
    }

    /// A byte 0, or a byte 1 and the text.
    fn optional(&mut self, text: Option<&str>) {
        self.0.update([u8::from(text.is_some())]);
        if let Some(text) = text {
            self.bytes(text.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::validate::{Naming, Violations, keyboard_and_mouse, order};
    use proto::orders::v1::PlaceOrderRequest;

    fn hash_of(change: impl FnOnce(&mut PlaceOrderRequest)) -> String {
        let mut request = keyboard_and_mouse();
        change(&mut request);
        let order = order(request.into(), Violations::new(Naming::Proto)).unwrap();
        hash(&order).0.iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").unwrap();
            text
        })
    }

    #[test]
    fn the_encoding_never_changes() {
        // Computed apart from this code, with Python's struct and hashlib.
        assert_eq!(
            hash_of(|_| {}),
            "dd03ba64dcfd872a91b8839bba0ee542d4144c0c6a4ce446f2605fd0a4ba7b46"
        );
        assert_eq!(
            hash_of(|request| {
                request.currency_code = Some("JPY".into());
                request.email = Some("jane@example.com".into());
                request.payment_token = Some("tok_visa".into());
                request.products[1].name = "Mäuse".into();
                request.products[1].quantity = Some(3);
            }),
            "9e48fdf503d5ba9a65a4c5d8d2205421e04959428094338200bcc8ab03fe2757"
        );
    }

    #[test]
    fn a_default_spelled_out_is_the_same_content() {
        let spelled = hash_of(|request| {
            request.currency_code = Some("USD".into());
            request.products[0].quantity = Some(1);
        });
        assert_eq!(spelled, hash_of(|_| {}));
    }

    #[test]
    fn the_key_is_a_name_and_no_content() {
        let keyed = hash_of(|request| request.idempotency_key = Some("k1".into()));
        assert_eq!(keyed, hash_of(|_| {}));
    }

    #[test]
    fn every_part_of_the_content_counts() {
        let plain = hash_of(|_| {});
        let changes: [fn(&mut PlaceOrderRequest); 8] = [
            |request| request.user_id = 43,
            |request| request.products.swap(0, 1),
            |request| request.products.truncate(1),
            |request| request.products[0].id = 3,
            |request| request.products[0].name.push('s'),
            |request| request.products[0].price = Some(998),
            |request| request.email = Some("user42@customers.example".into()),
            |request| request.payment_token = Some("tok".into()),
        ];
        for (index, change) in changes.into_iter().enumerate() {
            assert_ne!(hash_of(change), plain, "change {index}");
        }
    }

    #[test]
    fn a_text_cannot_move_from_one_field_into_the_next() {
        let email = hash_of(|request| request.email = Some("a@example.com".into()));
        let token = hash_of(|request| request.payment_token = Some("a@example.com".into()));
        assert_ne!(email, token);
    }
}
