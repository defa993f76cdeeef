//! Enums by their protobuf names.
//!
//! Invariant: a name here is the name in the `.proto` file; a test compares
//! them all. A number that this gateway does not know yet, from a newer
//! service, reads as unspecified.

use serde::Serialize;
use utoipa::ToSchema;

macro_rules! named {
    // The names as tokens: utoipa's derive does not look into a `literal` fragment, and
    // would document the Rust names.
    ($($(#[$doc:meta])* $name:ident of $proto:path { $($variant:ident = $text:tt),* $(,)? })*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
            pub(crate) enum $name {
                $(#[serde(rename = $text)] $variant,)*
            }

            impl From<$proto> for $name {
                fn from(value: $proto) -> Self {
                    match value {
                        $(<$proto>::$variant => Self::$variant,)*
                    }
                }
            }

            impl $name {
                /// Every name.
                #[allow(dead_code, reason = "only some stand in query parameters")]
                pub(crate) const NAMES: &'static [&'static str] = &[$($text),*];
            }
        )*

        #[cfg(test)]
        mod tests {
            #[test]
            fn names_are_those_of_the_schemas() {
                $($(assert_eq!(<$proto>::$variant.as_str_name(), $text);)*)*
            }
        }
    };
}

named! {
    /// How an order stands.
    OrderStatus of proto::history::v1::OrderStatus {
        Unspecified = "ORDER_STATUS_UNSPECIFIED",
        Accepted = "ORDER_STATUS_ACCEPTED",
        Paid = "ORDER_STATUS_PAID",
        Declined = "ORDER_STATUS_DECLINED",
    }

    /// Why a payment was declined.
    DeclineCode of proto::events::v1::DeclineCode {
        Unspecified = "DECLINE_CODE_UNSPECIFIED",
        GenericDecline = "DECLINE_CODE_GENERIC_DECLINE",
        InsufficientFunds = "DECLINE_CODE_INSUFFICIENT_FUNDS",
        ExpiredCard = "DECLINE_CODE_EXPIRED_CARD",
    }

    /// How a payment stands.
    PaymentStatus of proto::payments::v1::PaymentStatus {
        Unspecified = "PAYMENT_STATUS_UNSPECIFIED",
        Pending = "PAYMENT_STATUS_PENDING",
        Captured = "PAYMENT_STATUS_CAPTURED",
        Declined = "PAYMENT_STATUS_DECLINED",
    }

    /// What a mail says.
    NotificationKind of proto::events::v1::NotificationKind {
        Unspecified = "NOTIFICATION_KIND_UNSPECIFIED",
        OrderConfirmation = "NOTIFICATION_KIND_ORDER_CONFIRMATION",
        PaymentDeclined = "NOTIFICATION_KIND_PAYMENT_DECLINED",
    }

    /// How a mail stands.
    NotificationStatus of proto::notifier::v1::NotificationStatus {
        Unspecified = "NOTIFICATION_STATUS_UNSPECIFIED",
        Pending = "NOTIFICATION_STATUS_PENDING",
        Sent = "NOTIFICATION_STATUS_SENT",
        Failed = "NOTIFICATION_STATUS_FAILED",
    }

    /// What a user can do.
    UserEventType of proto::events::v1::UserEventType {
        Unspecified = "USER_EVENT_TYPE_UNSPECIFIED",
        ProductViewed = "USER_EVENT_TYPE_PRODUCT_VIEWED",
        AddedToCart = "USER_EVENT_TYPE_ADDED_TO_CART",
        RemovedFromCart = "USER_EVENT_TYPE_REMOVED_FROM_CART",
        CheckoutStarted = "USER_EVENT_TYPE_CHECKOUT_STARTED",
    }

    /// How wide a bucket of a rate is.
    BucketWidth of proto::analytics::v1::BucketWidth {
        Unspecified = "BUCKET_WIDTH_UNSPECIFIED",
        Minute = "BUCKET_WIDTH_MINUTE",
        Hour = "BUCKET_WIDTH_HOUR",
        Day = "BUCKET_WIDTH_DAY",
    }

    /// By what products are ranked.
    ProductRanking of proto::analytics::v1::ProductRanking {
        Unspecified = "PRODUCT_RANKING_UNSPECIFIED",
        Units = "PRODUCT_RANKING_UNITS",
        Revenue = "PRODUCT_RANKING_REVENUE",
    }

    /// How far a user got.
    FunnelStageKind of proto::analytics::v1::FunnelStageKind {
        Unspecified = "FUNNEL_STAGE_KIND_UNSPECIFIED",
        Viewed = "FUNNEL_STAGE_KIND_VIEWED",
        AddedToCart = "FUNNEL_STAGE_KIND_ADDED_TO_CART",
        CheckoutStarted = "FUNNEL_STAGE_KIND_CHECKOUT_STARTED",
        Ordered = "FUNNEL_STAGE_KIND_ORDERED",
        Paid = "FUNNEL_STAGE_KIND_PAID",
    }
}
