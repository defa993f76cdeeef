//! The fields of requests, as each door spells them.

use super::Name;

pub(crate) const USER_ID: Name = Name::new("user_id", "userId");
pub(crate) const PRODUCTS: Name = Name::same("products");
pub(crate) const CURRENCY_CODE: Name = Name::new("currency_code", "currencyCode");
pub(crate) const EMAIL: Name = Name::same("email");
pub(crate) const PAYMENT_TOKEN: Name = Name::new("payment_token", "paymentToken");
pub(crate) const IDEMPOTENCY_KEY: Name = Name::new("idempotency_key", "idempotencyKey");
pub(crate) const ID: Name = Name::same("id");
pub(crate) const NAME: Name = Name::same("name");
pub(crate) const PRICE: Name = Name::same("price");
pub(crate) const QUANTITY: Name = Name::same("quantity");
pub(crate) const TYPE: Name = Name::same("type");
pub(crate) const PRODUCT_ID: Name = Name::new("product_id", "productId");
pub(crate) const IDS: Name = Name::same("ids");
pub(crate) const FORCE: Name = Name::same("force");
pub(crate) const OCCURRED_AT: Name = Name::new("occurred_at", "occurredAt");
