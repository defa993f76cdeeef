//! What stands behind the gateway, as a port.
//!
//! Invariant: the doors know Kafka and the services only through [`Backend`],
//! so every case of their contract can be shown to them by a test.

mod live;
#[cfg(test)]
pub(crate) mod pretend;

use async_trait::async_trait;
use chassis::{error::Error, grpc::Deadline, kafka::PublishError};
use proto::{
    analytics::v1::{
        GetFunnelRequest, GetFunnelResponse, GetOrderRateRequest, GetOrderRateResponse,
        GetStatsResponse, GetUserBehaviorRequest, GetUserBehaviorResponse, ListProductPairsRequest,
        ListProductPairsResponse, ListTopProductsRequest, ListTopProductsResponse,
    },
    event::{PlacedOrder, TrackedEvent},
    history::v1::{ListOrdersRequest, ListOrdersResponse, Order},
    id::{NotificationId, OrderId},
    notifier::v1::{
        ListNotificationsRequest, ListNotificationsResponse, Notification, OrderNotifications,
    },
    payments::v1::Payment,
};

pub(crate) use live::{Addresses, Live, order_record};

/// Kafka to write to and the services to read from.
#[async_trait]
pub(crate) trait Backend: Send + Sync + 'static {
    /// Puts an order on Kafka; returns when every in-sync replica has it.
    async fn publish_order(&self, order: &PlacedOrder) -> Result<(), PublishError>;

    /// Puts a user event on Kafka; returns when every in-sync replica has it.
    async fn publish_event(&self, event: &TrackedEvent) -> Result<(), PublishError>;

    /// One order, if history knows it: the look before an order with an
    /// idempotency key is published. One attempt, which the caller may give up
    /// before the deadline.
    async fn known_order(&self, id: OrderId, deadline: Deadline) -> Result<Option<Order>, Error>;

    /// Those of up to 1,000 orders that history knows.
    async fn orders(&self, ids: &[OrderId], deadline: Deadline) -> Result<Vec<Order>, Error>;

    /// Those of up to 1,000 orders' payments that exist.
    async fn payments(&self, ids: &[OrderId], deadline: Deadline) -> Result<Vec<Payment>, Error>;

    /// The mails of those of up to 1,000 orders that notifier knows.
    async fn notifications(
        &self,
        ids: &[OrderId],
        deadline: Deadline,
    ) -> Result<Vec<OrderNotifications>, Error>;

    /// One mail with its text; `None` while there is none.
    async fn notification(
        &self,
        id: NotificationId,
        deadline: Deadline,
    ) -> Result<Option<Notification>, Error>;

    /// A page of orders.
    async fn list_orders(
        &self,
        request: ListOrdersRequest,
        deadline: Deadline,
    ) -> Result<ListOrdersResponse, Error>;

    /// A page of mails.
    async fn list_notifications(
        &self,
        request: ListNotificationsRequest,
        deadline: Deadline,
    ) -> Result<ListNotificationsResponse, Error>;

    /// Totals over all time.
    async fn stats(&self, deadline: Deadline) -> Result<GetStatsResponse, Error>;

    /// Orders per minute, hour or day.
    async fn order_rate(
        &self,
        request: GetOrderRateRequest,
        deadline: Deadline,
    ) -> Result<GetOrderRateResponse, Error>;

    /// The best sold products.
    async fn top_products(
        &self,
        request: ListTopProductsRequest,
        deadline: Deadline,
    ) -> Result<ListTopProductsResponse, Error>;

    /// Products most often bought together.
    async fn product_pairs(
        &self,
        request: ListProductPairsRequest,
        deadline: Deadline,
    ) -> Result<ListProductPairsResponse, Error>;

    /// What one user did.
    async fn user_behavior(
        &self,
        request: GetUserBehaviorRequest,
        deadline: Deadline,
    ) -> Result<GetUserBehaviorResponse, Error>;

    /// How many users got how far.
    async fn funnel(
        &self,
        request: GetFunnelRequest,
        deadline: Deadline,
    ) -> Result<GetFunnelResponse, Error>;
}
