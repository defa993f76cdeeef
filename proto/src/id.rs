//! Ids as types of their own, so that an order id cannot be passed where a
//! payment id is meant.
//!
//! Derived ids are UUIDv5 (RFC 9562, section 5.5) in namespaces that must never
//! change: the same input gives the same id for ever, which is what makes a
//! redelivered event recognisable.

use std::{fmt, str::FromStr};

use uuid::Uuid;

use crate::{events::v1::NotificationKind, limits::MAX_ID};

/// Namespace of order ids that come from an idempotency key.
const ORDER_KEYS: Uuid = Uuid::from_u128(0x9d0c_7a52_8a53_5e0b_9b3e_3f1d_5a86_41c1);

/// A text that is no valid id, or a number outside of 1 to 2^53-1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// Not a UUID in canonical text form.
    #[error("must be a UUID such as 0190c6a4-7c1e-7b3a-9d2e-5f3a1c2b4d6e")]
    Uuid,
    /// Outside of 1 to 2^53-1.
    #[error("must be between 1 and 9007199254740991")]
    Range,
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps a UUID that is known to be such an id, for instance one
            /// read back from a database.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The id as a UUID.
            pub const fn as_uuid(&self) -> &Uuid {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            /// Accepts the canonical text form only, in either case: one id
            /// must have one spelling on the wire.
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                if text.len() != uuid::fmt::Hyphenated::LENGTH {
                    return Err(InvalidId::Uuid);
                }
                Uuid::try_parse(text).map(Self).map_err(|_| InvalidId::Uuid)
            }
        }
    };
}

uuid_id! {
    /// An order: UUIDv7, or UUIDv5 when it comes from an idempotency key.
    OrderId
}
uuid_id! {
    /// A payment: UUIDv5 of its order, so an order has one payment.
    PaymentId
}
uuid_id! {
    /// A mail: UUIDv5 of its order, kind and line.
    NotificationId
}
uuid_id! {
    /// A user event: UUIDv7.
    UserEventId
}

impl OrderId {
    /// A new id, ordered by time.
    pub fn random() -> Self {
        Self(Uuid::now_v7())
    }

    /// The id that this caller's idempotency key stands for. The caller is
    /// length-prefixed, so no two pairs of caller and key share a name.
    pub fn from_idempotency_key(caller: &str, key: &str) -> Self {
        let name = format!("{}:{caller}{key}", caller.len());
        Self(Uuid::new_v5(&ORDER_KEYS, name.as_bytes()))
    }
}

impl PaymentId {
    /// The one payment of an order.
    pub fn of(order: OrderId) -> Self {
        Self(Uuid::new_v5(&order.0, b"payment"))
    }
}

impl NotificationId {
    /// The mail of this kind about an order's line, or about the whole order.
    pub fn of(order: OrderId, kind: NotificationKind, line: Option<u16>) -> Self {
        let line = line.map_or_else(|| "order".to_owned(), |line| line.to_string());
        let name = format!("{}:{line}", kind.as_str_name());
        Self(Uuid::new_v5(&order.0, name.as_bytes()))
    }
}

impl UserEventId {
    /// A new id, ordered by time.
    pub fn random() -> Self {
        Self(Uuid::now_v7())
    }
}

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(i64);

        impl $name {
            /// The id as a number.
            pub const fn get(self) -> i64 {
                self.0
            }
        }

        impl TryFrom<i64> for $name {
            type Error = InvalidId;

            fn try_from(number: i64) -> Result<Self, InvalidId> {
                if (1..=MAX_ID).contains(&number) {
                    Ok(Self(number))
                } else {
                    Err(InvalidId::Range)
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

number_id! {
    /// A user of the shop.
    UserId
}
number_id! {
    /// A product of the shop.
    ProductId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_of_one_caller_is_one_order_for_ever() {
        let id = OrderId::from_idempotency_key("42", "checkout-1");
        assert_eq!(id, OrderId::from_idempotency_key("42", "checkout-1"));
        assert_eq!(id.to_string(), "9ddb1802-a85f-54dc-a997-589b8100a1b0");
    }

    #[test]
    fn moving_a_character_between_caller_and_key_gives_another_order() {
        assert_ne!(
            OrderId::from_idempotency_key("4", "2x"),
            OrderId::from_idempotency_key("42", "x")
        );
    }

    #[test]
    fn mails_of_one_order_differ_by_kind_and_line() {
        let order = OrderId::random();
        let kind = NotificationKind::OrderConfirmation;
        let ids = [
            NotificationId::of(order, kind, Some(0)),
            NotificationId::of(order, kind, Some(1)),
            NotificationId::of(order, kind, None),
            NotificationId::of(order, NotificationKind::PaymentDeclined, None),
        ];
        for (i, a) in ids.iter().enumerate() {
            assert!(ids[i + 1..].iter().all(|b| a != b));
        }
    }

    #[test]
    fn only_the_canonical_text_form_is_an_id() {
        let id = OrderId::random();
        assert_eq!(id.to_string().parse(), Ok(id));
        let simple = id.as_uuid().simple().to_string();
        assert_eq!(simple.parse::<OrderId>(), Err(InvalidId::Uuid));
        assert_eq!(format!("{{{id}}}").parse::<OrderId>(), Err(InvalidId::Uuid));
    }

    #[test]
    fn numbers_are_ids_only_where_json_keeps_them_exact() {
        assert!(UserId::try_from(1).is_ok());
        assert!(UserId::try_from(MAX_ID).is_ok());
        assert_eq!(UserId::try_from(0), Err(InvalidId::Range));
        assert_eq!(UserId::try_from(MAX_ID + 1), Err(InvalidId::Range));
    }
}
