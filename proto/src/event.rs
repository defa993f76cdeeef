//! The events as consumers work with them.
//!
//! Invariant: an event value satisfies every bound of its schema. A record that
//! does not gives an [`InvalidEvent`], which no retry can mend: it belongs into
//! the dead-letter topic.

use std::fmt::Display;

use prost_types::Timestamp;

use crate::{
    events::v1,
    id::{NotificationId, OrderId, PaymentId, ProductId, UserEventId, UserId},
    limits::{MAX_LINES, MAX_NAME_CHARS, MAX_QUANTITY, MAX_TOTAL, MAX_UNIT_PRICE},
    money::{Currency, Money},
    private::{Email, PaymentToken},
    time::UnixMicros,
};

/// Topic of [`PlacedOrder`].
pub const ORDERS: &str = "orders.v1";
/// Topic of [`SettledPayment`].
pub const PAYMENTS: &str = "payments.v1";
/// Topic of [`SentNotification`].
pub const NOTIFICATIONS: &str = "notifications.v1";
/// Topic of [`TrackedEvent`].
pub const USER_EVENTS: &str = "user-events.v1";

/// A well-formed message with content that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct InvalidEvent {
    /// Path of the field, for instance `lines[1].unit_price`.
    pub field: String,
    /// The rule it breaks; never quotes the value.
    pub problem: String,
}

fn invalid(field: impl Into<String>, problem: impl Display) -> InvalidEvent {
    InvalidEvent {
        field: field.into(),
        problem: problem.to_string(),
    }
}

fn parse<T>(field: &str, text: &str) -> Result<T, InvalidEvent>
where
    T: std::str::FromStr<Err: Display>,
{
    text.parse().map_err(|error| invalid(field, error))
}

fn number<T>(field: &str, number: i64) -> Result<T, InvalidEvent>
where
    T: TryFrom<i64, Error: Display>,
{
    number.try_into().map_err(|error| invalid(field, error))
}

fn time(field: &str, timestamp: Option<Timestamp>) -> Result<UnixMicros, InvalidEvent> {
    timestamp
        .ok_or_else(|| invalid(field, "is missing"))?
        .try_into()
        .map_err(|error| invalid(field, error))
}

fn amount(field: &str, minor: i64, currency_code: &str) -> Result<Money, InvalidEvent> {
    let currency: Currency = parse("currency_code", currency_code)?;
    if !(0..=MAX_TOTAL).contains(&minor) {
        return Err(invalid(field, format!("must be between 0 and {MAX_TOTAL}")));
    }
    Ok(Money::new(minor, currency))
}

/// SHA-256 of an order request's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentHash(pub [u8; 32]);

/// An order was accepted.
#[derive(Debug, Clone, PartialEq)]
pub struct PlacedOrder {
    /// Its id, also the event's id and the record's key.
    pub order_id: OrderId,
    /// Who ordered.
    pub user_id: UserId,
    /// What was ordered; 1 to 100 lines.
    pub lines: Vec<PlacedLine>,
    /// The exact sum over all lines.
    pub total: Money,
    /// Where mails go.
    pub email: Email,
    /// The payment method; absent: the provider's default.
    pub payment_token: Option<PaymentToken>,
    /// When the gateway accepted it.
    pub placed_at: UnixMicros,
    /// Tells apart two requests under one idempotency key.
    pub content_hash: ContentHash,
}

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedLine {
    /// The product.
    pub product_id: ProductId,
    /// Its name as shown to the buyer.
    pub name: String,
    /// Price of one piece in minor units of the order's currency.
    pub unit_price: i64,
    /// Pieces.
    pub quantity: i32,
}

impl PlacedOrder {
    /// The record's key.
    pub fn key(&self) -> String {
        self.order_id.to_string()
    }

    /// Pieces over all lines.
    pub fn units(&self) -> i64 {
        self.lines.iter().map(|line| i64::from(line.quantity)).sum()
    }
}

impl PlacedLine {
    /// Quantity times unit price; within `i64` for lines within their bounds.
    pub const fn amount(&self) -> i64 {
        self.unit_price * self.quantity as i64
    }
}

/// Sum over all lines, or `None` above the highest total of an order.
pub fn checked_total(lines: &[PlacedLine]) -> Option<i64> {
    lines
        .iter()
        .try_fold(0_i64, |sum, line| {
            let amount = line.unit_price.checked_mul(i64::from(line.quantity))?;
            sum.checked_add(amount)
        })
        .filter(|total| (0..=MAX_TOTAL).contains(total))
}

impl TryFrom<v1::OrderPlaced> for PlacedOrder {
    type Error = InvalidEvent;

    fn try_from(message: v1::OrderPlaced) -> Result<Self, InvalidEvent> {
        if message.lines.is_empty() || message.lines.len() > MAX_LINES {
            return Err(invalid("lines", format!("must be 1 to {MAX_LINES}")));
        }
        let lines = message
            .lines
            .into_iter()
            .enumerate()
            .map(|(index, line)| placed_line(index, line))
            .collect::<Result<Vec<_>, _>>()?;
        let total = amount("total", message.total, &message.currency_code)?;
        if checked_total(&lines) != Some(total.minor) {
            return Err(invalid("total", "must be the sum over all lines"));
        }
        Ok(Self {
            order_id: parse("order_id", &message.order_id)?,
            user_id: number("user_id", message.user_id)?,
            lines,
            total,
            email: parse("email", &message.email)?,
            payment_token: match message.payment_token.as_str() {
                "" => None,
                token => Some(parse("payment_token", token)?),
            },
            placed_at: time("placed_at", message.placed_at)?,
            content_hash: message
                .content_hash
                .try_into()
                .map(ContentHash)
                .map_err(|_| invalid("content_hash", "must be 32 bytes"))?,
        })
    }
}

fn placed_line(index: usize, line: v1::OrderLine) -> Result<PlacedLine, InvalidEvent> {
    let field = |name: &str| format!("lines[{index}].{name}");
    let product_id = number(&field("product_id"), line.product_id)?;
    if !valid_name(&line.name) {
        let problem = format!("must be 1 to {MAX_NAME_CHARS} characters, none of them control");
        return Err(invalid(field("name"), problem));
    }
    if !(0..=MAX_UNIT_PRICE).contains(&line.unit_price) {
        let problem = format!("must be between 0 and {MAX_UNIT_PRICE}");
        return Err(invalid(field("unit_price"), problem));
    }
    if !(1..=MAX_QUANTITY).contains(&line.quantity) {
        let problem = format!("must be between 1 and {MAX_QUANTITY}");
        return Err(invalid(field("quantity"), problem));
    }
    Ok(PlacedLine {
        product_id,
        name: line.name,
        unit_price: line.unit_price,
        quantity: line.quantity,
    })
}

/// Whether a text can be a product's name.
pub fn valid_name(name: &str) -> bool {
    !name.chars().any(char::is_control) && (1..=MAX_NAME_CHARS).contains(&name.chars().count())
}

impl From<&PlacedOrder> for v1::OrderPlaced {
    fn from(order: &PlacedOrder) -> Self {
        Self {
            order_id: order.order_id.to_string(),
            user_id: order.user_id.get(),
            lines: order.lines.iter().map(Into::into).collect(),
            currency_code: order.total.currency.code().to_owned(),
            total: order.total.minor,
            email: order.email.expose().to_owned(),
            payment_token: order
                .payment_token
                .as_ref()
                .map_or_else(String::new, |token| token.expose().to_owned()),
            placed_at: Some(order.placed_at.into()),
            content_hash: order.content_hash.0.to_vec(),
        }
    }
}

impl From<&PlacedLine> for v1::OrderLine {
    fn from(line: &PlacedLine) -> Self {
        Self {
            product_id: line.product_id.get(),
            name: line.name.clone(),
            unit_price: line.unit_price,
            quantity: line.quantity,
        }
    }
}

/// How a charge ended for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaymentResult {
    /// The money was taken.
    Captured,
    /// The provider refused, with its code.
    Declined(v1::DeclineCode),
}

/// A charge came to its end.
#[derive(Debug, Clone, PartialEq)]
pub struct SettledPayment {
    /// The event's id.
    pub payment_id: PaymentId,
    /// The order, also the record's key.
    pub order_id: OrderId,
    /// Who ordered.
    pub user_id: UserId,
    /// The order's total.
    pub amount: Money,
    /// How it ended.
    pub result: PaymentResult,
    /// When the provider answered.
    pub settled_at: UnixMicros,
    /// When the order was placed.
    pub order_placed_at: UnixMicros,
}

impl SettledPayment {
    /// The record's key.
    pub fn key(&self) -> String {
        self.order_id.to_string()
    }
}

impl TryFrom<v1::PaymentSettled> for SettledPayment {
    type Error = InvalidEvent;

    fn try_from(message: v1::PaymentSettled) -> Result<Self, InvalidEvent> {
        let order_id: OrderId = parse("order_id", &message.order_id)?;
        let payment_id: PaymentId = parse("payment_id", &message.payment_id)?;
        if payment_id != PaymentId::of(order_id) {
            return Err(invalid("payment_id", "must be derived from order_id"));
        }
        let result = match (message.outcome(), message.decline_code()) {
            (v1::PaymentOutcome::Captured, v1::DeclineCode::Unspecified) => PaymentResult::Captured,
            (v1::PaymentOutcome::Declined, v1::DeclineCode::Unspecified) => {
                return Err(invalid("decline_code", "must be set when declined"));
            }
            (v1::PaymentOutcome::Declined, code) => PaymentResult::Declined(code),
            (v1::PaymentOutcome::Captured, _) => {
                return Err(invalid("decline_code", "must not be set when captured"));
            }
            (v1::PaymentOutcome::Unspecified, _) => {
                return Err(invalid("outcome", "must be a known outcome"));
            }
        };
        Ok(Self {
            payment_id,
            order_id,
            user_id: number("user_id", message.user_id)?,
            amount: amount("amount", message.amount, &message.currency_code)?,
            result,
            settled_at: time("settled_at", message.settled_at)?,
            order_placed_at: time("order_placed_at", message.order_placed_at)?,
        })
    }
}

impl From<&SettledPayment> for v1::PaymentSettled {
    fn from(payment: &SettledPayment) -> Self {
        let (outcome, decline_code) = match payment.result {
            PaymentResult::Captured => (v1::PaymentOutcome::Captured, v1::DeclineCode::Unspecified),
            PaymentResult::Declined(code) => (v1::PaymentOutcome::Declined, code),
        };
        Self {
            payment_id: payment.payment_id.to_string(),
            order_id: payment.order_id.to_string(),
            user_id: payment.user_id.get(),
            amount: payment.amount.minor,
            currency_code: payment.amount.currency.code().to_owned(),
            outcome: outcome.into(),
            decline_code: decline_code.into(),
            settled_at: Some(payment.settled_at.into()),
            order_placed_at: Some(payment.order_placed_at.into()),
        }
    }
}

/// A mail came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentNotification {
    /// The event's id.
    pub notification_id: NotificationId,
    /// The order, also the record's key.
    pub order_id: OrderId,
    /// Who ordered.
    pub user_id: UserId,
    /// What the mail says.
    pub kind: v1::NotificationKind,
    /// Index of the order line it is about; absent: the whole order.
    pub line: Option<u16>,
    /// Whether the mail server took it.
    pub sent: bool,
    /// When it ended.
    pub sent_at: UnixMicros,
}

impl SentNotification {
    /// The record's key.
    pub fn key(&self) -> String {
        self.order_id.to_string()
    }
}

impl TryFrom<v1::NotificationSent> for SentNotification {
    type Error = InvalidEvent;

    fn try_from(message: v1::NotificationSent) -> Result<Self, InvalidEvent> {
        let order_id: OrderId = parse("order_id", &message.order_id)?;
        let notification_id: NotificationId = parse("notification_id", &message.notification_id)?;
        let kind = message.kind();
        if kind == v1::NotificationKind::Unspecified {
            return Err(invalid("kind", "must be a known kind"));
        }
        let line = message
            .line
            .map(u16::try_from)
            .transpose()
            .ok()
            .filter(|line| line.is_none_or(|line| usize::from(line) < MAX_LINES))
            .ok_or_else(|| invalid("line", format!("must be below {MAX_LINES}")))?;
        if notification_id != NotificationId::of(order_id, kind, line) {
            return Err(invalid(
                "notification_id",
                "must be derived from order_id, kind and line",
            ));
        }
        Ok(Self {
            notification_id,
            order_id,
            user_id: number("user_id", message.user_id)?,
            kind,
            line,
            sent: match message.outcome() {
                v1::NotificationOutcome::Sent => true,
                v1::NotificationOutcome::Failed => false,
                v1::NotificationOutcome::Unspecified => {
                    return Err(invalid("outcome", "must be a known outcome"));
                }
            },
            sent_at: time("sent_at", message.sent_at)?,
        })
    }
}

impl From<&SentNotification> for v1::NotificationSent {
    fn from(notification: &SentNotification) -> Self {
        let outcome = if notification.sent {
            v1::NotificationOutcome::Sent
        } else {
            v1::NotificationOutcome::Failed
        };
        Self {
            notification_id: notification.notification_id.to_string(),
            order_id: notification.order_id.to_string(),
            user_id: notification.user_id.get(),
            kind: notification.kind.into(),
            line: notification.line.map(i32::from),
            outcome: outcome.into(),
            sent_at: Some(notification.sent_at.into()),
        }
    }
}

/// Something a user did in the shop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackedEvent {
    /// The event's id.
    pub event_id: UserEventId,
    /// Who did it; the record's key.
    pub user_id: UserId,
    /// What was done.
    pub kind: v1::UserEventType,
    /// To which product; set for every product event.
    pub product_id: Option<ProductId>,
    /// When.
    pub occurred_at: UnixMicros,
}

impl TrackedEvent {
    /// The record's key.
    pub fn key(&self) -> String {
        self.user_id.to_string()
    }
}

/// Whether an event of this type is about a product.
pub const fn is_about_product(kind: v1::UserEventType) -> bool {
    match kind {
        v1::UserEventType::ProductViewed
        | v1::UserEventType::AddedToCart
        | v1::UserEventType::RemovedFromCart => true,
        v1::UserEventType::Unspecified | v1::UserEventType::CheckoutStarted => false,
    }
}

impl TryFrom<v1::UserEvent> for TrackedEvent {
    type Error = InvalidEvent;

    fn try_from(message: v1::UserEvent) -> Result<Self, InvalidEvent> {
        let kind = message.r#type();
        if kind == v1::UserEventType::Unspecified {
            return Err(invalid("type", "must be a known type"));
        }
        let product_id = message
            .product_id
            .map(|id| number("product_id", id))
            .transpose()?;
        if is_about_product(kind) && product_id.is_none() {
            return Err(invalid("product_id", "must be set for a product event"));
        }
        Ok(Self {
            event_id: parse("event_id", &message.event_id)?,
            user_id: number("user_id", message.user_id)?,
            kind,
            product_id,
            occurred_at: time("occurred_at", message.occurred_at)?,
        })
    }
}

impl From<&TrackedEvent> for v1::UserEvent {
    fn from(event: &TrackedEvent) -> Self {
        Self {
            event_id: event.event_id.to_string(),
            user_id: event.user_id.get(),
            r#type: event.kind.into(),
            product_id: event.product_id.map(ProductId::get),
            occurred_at: Some(event.occurred_at.into()),
        }
    }
}

#[cfg(test)]
mod tests;
