//! What the REST door reads.
//!
//! Bodies are not deserialized into these types, because serde would tell of
//! the first mistake only; see [`crate::rest::json`]. The types are what the
//! document shows, and what a test writes to see that every good order is read.

use proto::events::v1::UserEventType;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    names,
    time::{TIME_RULE, parse_time},
};
use crate::{
    rest::json::Object,
    validate::{EventDraft, OrderDraft, Path, ProductDraft, Violations, names as field},
};

/// An order to place. Integers may also come as texts of decimal digits.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(not(test), allow(dead_code, reason = "only a description"))]
#[schema(example = json!({
    "userId": 42,
    "products": [
        { "id": 1, "name": "Keyboard", "price": 999 },
        { "id": 2, "name": "Mouse", "price": 499 },
    ],
}))]
pub(crate) struct OrderRequest {
    /// Who orders.
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991_i64)]
    pub(crate) user_id: i64,
    /// What is ordered.
    #[schema(min_items = 1, max_items = 100)]
    pub(crate) products: Vec<ProductRequest>,
    /// ISO 4217 code, upper case; default `USD`.
    #[schema(example = "USD")]
    pub(crate) currency_code: Option<String>,
    /// Where mails go; default by the gateway's configured pattern.
    #[schema(format = Email, max_length = 254)]
    pub(crate) email: Option<String>,
    /// The payment method's token, visible ASCII; default: the provider's
    /// default method.
    #[schema(min_length = 1, max_length = 200)]
    pub(crate) payment_token: Option<String>,
    /// As the header `Idempotency-Key`, so that one text serves the gRPC door
    /// too. Where both are given they must be the same.
    #[schema(min_length = 1, max_length = 255)]
    pub(crate) idempotency_key: Option<String>,
}

/// A product to order.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(not(test), allow(dead_code, reason = "only a description"))]
pub(crate) struct ProductRequest {
    /// The shop's product id.
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991_i64)]
    pub(crate) id: i64,
    /// Name shown to the buyer; no control characters.
    #[schema(min_length = 1, max_length = 200)]
    pub(crate) name: String,
    /// Price of one piece in minor units of the currency (999 is 9.99 USD).
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    pub(crate) price: i64,
    /// Pieces; default 1.
    #[schema(minimum = 1, maximum = 10_000)]
    pub(crate) quantity: Option<i64>,
}

/// Takes an order out of its JSON.
pub(crate) fn order_draft(mut order: Object<'_, '_>, violations: &mut Violations) -> OrderDraft {
    let text = |order: &mut Object<'_, '_>, name, violations: &mut Violations| {
        order
            .text(name, violations)
            .map(std::borrow::Cow::into_owned)
    };
    let draft = OrderDraft {
        user_id: order.integer(field::USER_ID, violations),
        products: order.objects(field::PRODUCTS, violations, |product, violations| {
            ProductDraft {
                id: product.integer(field::ID, violations),
                name: text(product, field::NAME, violations),
                price: product.integer(field::PRICE, violations),
                quantity: product.integer(field::QUANTITY, violations),
            }
        }),
        currency_code: text(&mut order, field::CURRENCY_CODE, violations),
        email: text(&mut order, field::EMAIL, violations),
        payment_token: text(&mut order, field::PAYMENT_TOKEN, violations),
        idempotency_key: text(&mut order, field::IDEMPOTENCY_KEY, violations),
    };
    order.close(violations);
    draft
}

/// Something a user did.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code, reason = "only a description")]
#[schema(example = json!({
    "userId": 42, "type": "USER_EVENT_TYPE_PRODUCT_VIEWED", "productId": 1,
}))]
pub(crate) struct EventRequest {
    /// Who.
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991_i64)]
    user_id: i64,
    /// What; not `USER_EVENT_TYPE_UNSPECIFIED`.
    r#type: names::UserEventType,
    /// To which product; required for the product events.
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991_i64)]
    product_id: Option<i64>,
    /// When, as in RFC 3339; default now. At most 1 day ahead, at most 30 days
    /// back.
    #[schema(format = DateTime)]
    occurred_at: Option<String>,
}

/// Takes an event out of its JSON.
pub(crate) fn event_draft(mut event: Object<'_, '_>, violations: &mut Violations) -> EventDraft {
    let at = Path::Root;
    let user_id = event.integer(field::USER_ID, violations);
    let kind = event.text(field::TYPE, violations).map(|name| {
        // An unknown name and no name at all break the same rule.
        UserEventType::from_str_name(&name).unwrap_or_default()
    });
    let product_id = event.integer(field::PRODUCT_ID, violations);
    let occurred_at = event.text(field::OCCURRED_AT, violations).and_then(|text| {
        violations.check(
            at.field(field::OCCURRED_AT),
            parse_time(&text).ok_or(TIME_RULE),
        )
    });
    event.close(violations);
    EventDraft {
        user_id,
        kind,
        product_id,
        occurred_at,
    }
}

/// The event is on Kafka.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventAccepted {
    /// UUID.
    pub(crate) event_id: String,
}
