//! Orders.

use chassis::error::Error;
use proto::{events, history, orders};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Notification, Payment, Time, all, filled,
    names::{DeclineCode, OrderStatus},
};
use crate::{place::Accepted, view};

/// The order is on Kafka.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OrderAccepted {
    /// UUID; the order's address is `/orders/{orderId}`.
    #[schema(example = "0190c6a4-7c1e-7b3a-9d2e-5f3a1c2b4d6e")]
    order_id: String,
    /// `ORDER_STATUS_ACCEPTED` for a new order; what is known of one that came
    /// again with its idempotency key.
    status: OrderStatus,
    /// Sum over all products, in minor units; 0 to 10^12.
    #[schema(example = 1498)]
    total: i64,
    /// ISO 4217 code of the total.
    #[schema(example = "USD")]
    currency_code: String,
    /// When the gateway accepted it.
    accepted_at: Time,
    /// The W3C trace id under which this order can be found in Jaeger; 32 hex
    /// digits.
    #[schema(example = "0af7651916cd43dd8448eb211c80319c")]
    trace_id: String,
}

impl From<Accepted> for OrderAccepted {
    fn from(accepted: Accepted) -> Self {
        Self {
            order_id: accepted.order_id.to_string(),
            status: accepted.status.into(),
            total: accepted.total,
            currency_code: accepted.currency_code,
            accepted_at: accepted.at.into(),
            trace_id: accepted.trace_id,
        }
    }
}

/// A stored order.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Order {
    /// UUID.
    pub(crate) order_id: String,
    /// Who ordered; 1 to 2^53-1.
    user_id: i64,
    /// What was ordered, in the order of the request.
    lines: Vec<OrderLine>,
    /// ISO 4217 code.
    #[schema(example = "USD")]
    currency_code: String,
    /// In minor units of the currency; 0 to 10^12.
    total: i64,
    /// How it stands.
    status: OrderStatus,
    /// Why the payment was declined; null unless it was.
    #[schema(required = true)]
    decline_code: Option<DeclineCode>,
    /// When the gateway accepted it.
    pub(crate) placed_at: Time,
    /// When history stored it.
    pub(crate) stored_at: Time,
    /// When the payment came to its end; null before.
    #[schema(required = true)]
    pub(crate) settled_at: Option<Time>,
    /// The W3C trace id of the request that placed it; 32 hex digits, or empty.
    trace_id: String,
}

/// One line of an order.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OrderLine {
    /// The shop's product id; 1 to 2^53-1.
    product_id: i64,
    /// The product's name as shown to the buyer.
    name: String,
    /// Price of one piece in minor units; 0 to 10^9.
    unit_price: i64,
    /// Pieces; 1 to 10,000.
    quantity: i32,
}

impl TryFrom<history::v1::Order> for Order {
    type Error = Error;

    fn try_from(order: history::v1::Order) -> Result<Self, Error> {
        Ok(Self {
            status: order.status().into(),
            decline_code: declined(order.decline_code()),
            order_id: order.order_id,
            user_id: order.user_id,
            lines: order.lines.into_iter().map(Into::into).collect(),
            currency_code: order.currency_code,
            total: order.total,
            placed_at: Time::of(order.placed_at)?,
            stored_at: Time::of(order.stored_at)?,
            settled_at: Time::maybe(order.settled_at),
            trace_id: order.trace_id,
        })
    }
}

/// The code, where one was set.
pub(super) fn declined(code: events::v1::DeclineCode) -> Option<DeclineCode> {
    (code != events::v1::DeclineCode::Unspecified).then(|| code.into())
}

impl From<events::v1::OrderLine> for OrderLine {
    fn from(line: events::v1::OrderLine) -> Self {
        Self {
            product_id: line.product_id,
            name: line.name,
            unit_price: line.unit_price,
            quantity: line.quantity,
        }
    }
}

/// An order with what each service knows of it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OrderView {
    /// The order as history stored it.
    pub(crate) order: Order,
    /// Its payment; null while there is none, or while payments is away.
    #[schema(required = true)]
    pub(crate) payment: Option<Payment>,
    /// Its mails; null while notifier is away.
    #[schema(required = true)]
    pub(crate) notifications: Option<Vec<Notification>>,
    /// Whether nothing more will happen to this order: paid or declined, and
    /// every mail sent or failed for good.
    pub(crate) r#final: bool,
    /// Parts that could not be read now: `payments`, `notifications`.
    unavailable: Vec<String>,
}

impl TryFrom<orders::v1::OrderView> for OrderView {
    type Error = Error;

    fn try_from(view: orders::v1::OrderView) -> Result<Self, Error> {
        let is_away = |part: &str| view.unavailable.iter().any(|away| away == part);
        let notifications = if is_away(view::NOTIFICATIONS) {
            None
        } else {
            Some(all(view.notifications)?)
        };
        Ok(Self {
            order: filled(view.order, "order in a view")?.try_into()?,
            payment: view.payment.map(TryInto::try_into).transpose()?,
            notifications,
            r#final: view.r#final,
            unavailable: view.unavailable,
        })
    }
}

/// A page of orders, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OrderPage {
    /// At most `pageSize` orders.
    pub(crate) orders: Vec<Order>,
    /// For the next page; empty at the end.
    next_page_token: String,
}

impl TryFrom<history::v1::ListOrdersResponse> for OrderPage {
    type Error = Error;

    fn try_from(page: history::v1::ListOrdersResponse) -> Result<Self, Error> {
        Ok(Self {
            orders: all(page.orders)?,
            next_page_token: page.next_page_token,
        })
    }
}
