//! The real backend: Kafka through the chassis' publisher, the services through
//! its channels.

use anyhow::Context as _;
use async_trait::async_trait;
use chassis::{
    error::{Error, Reason},
    grpc::{Deadline, ServiceChannel, read},
    kafka::{Outgoing, PublishError, Publisher},
};
use opentelemetry::metrics::Meter;
use proto::{
    analytics::v1::{
        GetFunnelRequest, GetFunnelResponse, GetOrderRateRequest, GetOrderRateResponse,
        GetStatsRequest, GetStatsResponse, GetUserBehaviorRequest, GetUserBehaviorResponse,
        ListProductPairsRequest, ListProductPairsResponse, ListTopProductsRequest,
        ListTopProductsResponse, analytics_service_client::AnalyticsServiceClient,
    },
    event::{self, PlacedOrder, TrackedEvent},
    events::v1::{OrderPlaced, UserEvent},
    history::v1::{
        BatchGetOrdersRequest, ListOrdersRequest, ListOrdersResponse, Order,
        history_service_client::HistoryServiceClient,
    },
    id::{NotificationId, OrderId},
    notifier::v1::{
        BatchGetOrderNotificationsRequest, GetNotificationRequest, ListNotificationsRequest,
        ListNotificationsResponse, Notification, OrderNotifications,
        notifier_service_client::NotifierServiceClient,
    },
    payments::v1::{
        BatchGetPaymentsRequest, Payment, payment_service_client::PaymentServiceClient,
    },
};

use super::Backend;

/// Largest answer of a service. A page or batch of 1,000 usual orders is half a
/// megabyte; one of the largest orders that can be (100 lines with names of 800
/// bytes) would be 80 MB, and is refused rather than held.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// Where the services are; each `host:port` or a URL.
#[derive(Debug, Clone)]
pub(crate) struct Addresses {
    pub(crate) history: Vec<String>,
    pub(crate) payments: Vec<String>,
    pub(crate) notifier: Vec<String>,
    pub(crate) analytics: Vec<String>,
}

/// Kafka and the services themselves.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    publisher: Publisher,
    history: HistoryServiceClient<ServiceChannel>,
    payments: PaymentServiceClient<ServiceChannel>,
    notifier: NotifierServiceClient<ServiceChannel>,
    analytics: AnalyticsServiceClient<ServiceChannel>,
}

impl Live {
    /// Connects when first used. Must be called inside of a tokio runtime.
    pub(crate) fn new(
        publisher: Publisher,
        addresses: &Addresses,
        meter: &Meter,
    ) -> anyhow::Result<Self> {
        let channel = |service: &'static str, addresses: &[String]| {
            let channel = ServiceChannel::new(addresses)
                .with_context(|| format!("GATEWAY__{}_ADDRESSES", service.to_ascii_uppercase()))?;
            channel.observe(meter, service);
            anyhow::Ok(channel)
        };
        let history = channel("history", &addresses.history)?;
        let payments = channel("payments", &addresses.payments)?;
        let notifier = channel("notifier", &addresses.notifier)?;
        let analytics = channel("analytics", &addresses.analytics)?;
        Ok(Self {
            publisher,
            history: HistoryServiceClient::new(history).max_decoding_message_size(MAX_ANSWER_BYTES),
            payments: PaymentServiceClient::new(payments)
                .max_decoding_message_size(MAX_ANSWER_BYTES),
            notifier: NotifierServiceClient::new(notifier)
                .max_decoding_message_size(MAX_ANSWER_BYTES),
            analytics: AnalyticsServiceClient::new(analytics)
                .max_decoding_message_size(MAX_ANSWER_BYTES),
        })
    }
}

/// One read, with the deadline on the wire and retries within it.
macro_rules! read {
    ($client:expr, $method:ident, $request:expr, $deadline:expr) => {{
        let request = $request;
        read($deadline, || {
            let mut client = $client.clone();
            let request = $deadline.request(request.clone());
            async move { client.$method(request).await }
        })
        .await
    }};
}

fn texts(ids: &[OrderId]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

/// An order as the record that goes on Kafka.
pub(crate) fn order_record(order: &PlacedOrder) -> Outgoing {
    Outgoing::event(
        event::ORDERS,
        order.key(),
        *order.order_id.as_uuid(),
        order.placed_at.as_micros(),
        &OrderPlaced::from(order),
    )
}

#[async_trait]
impl Backend for Live {
    async fn publish_order(&self, order: &PlacedOrder) -> Result<(), PublishError> {
        self.publisher.publish(order_record(order)).await.map(drop)
    }

    async fn publish_event(&self, event: &TrackedEvent) -> Result<(), PublishError> {
        let record = Outgoing::event(
            event::USER_EVENTS,
            event.key(),
            *event.event_id.as_uuid(),
            event.occurred_at.as_micros(),
            &UserEvent::from(event),
        );
        self.publisher.publish(record).await.map(drop)
    }

    async fn known_order(&self, id: OrderId, deadline: Deadline) -> Result<Option<Order>, Error> {
        let request = BatchGetOrdersRequest {
            order_ids: texts(&[id]),
        };
        let mut client = self.history.clone();
        let orders = client.batch_get_orders(deadline.request(request)).await?;
        Ok(orders.into_inner().orders.pop())
    }

    async fn orders(&self, ids: &[OrderId], deadline: Deadline) -> Result<Vec<Order>, Error> {
        let request = BatchGetOrdersRequest {
            order_ids: texts(ids),
        };
        Ok(read!(self.history, batch_get_orders, request, deadline)?.orders)
    }

    async fn payments(&self, ids: &[OrderId], deadline: Deadline) -> Result<Vec<Payment>, Error> {
        let request = BatchGetPaymentsRequest {
            order_ids: texts(ids),
        };
        Ok(read!(self.payments, batch_get_payments, request, deadline)?.payments)
    }

    async fn notifications(
        &self,
        ids: &[OrderId],
        deadline: Deadline,
    ) -> Result<Vec<OrderNotifications>, Error> {
        let request = BatchGetOrderNotificationsRequest {
            order_ids: texts(ids),
        };
        Ok(read!(
            self.notifier,
            batch_get_order_notifications,
            request,
            deadline
        )?
        .orders)
    }

    async fn notification(
        &self,
        id: NotificationId,
        deadline: Deadline,
    ) -> Result<Option<Notification>, Error> {
        let request = GetNotificationRequest {
            notification_id: id.to_string(),
        };
        match read!(self.notifier, get_notification, request, deadline) {
            Ok(response) => Ok(response.notification),
            Err(error) if error.reason() == Reason::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn list_orders(
        &self,
        request: ListOrdersRequest,
        deadline: Deadline,
    ) -> Result<ListOrdersResponse, Error> {
        read!(self.history, list_orders, request, deadline)
    }

    async fn list_notifications(
        &self,
        request: ListNotificationsRequest,
        deadline: Deadline,
    ) -> Result<ListNotificationsResponse, Error> {
        read!(self.notifier, list_notifications, request, deadline)
    }

    async fn stats(&self, deadline: Deadline) -> Result<GetStatsResponse, Error> {
        read!(self.analytics, get_stats, GetStatsRequest {}, deadline)
    }

    async fn order_rate(
        &self,
        request: GetOrderRateRequest,
        deadline: Deadline,
    ) -> Result<GetOrderRateResponse, Error> {
        read!(self.analytics, get_order_rate, request, deadline)
    }

    async fn top_products(
        &self,
        request: ListTopProductsRequest,
        deadline: Deadline,
    ) -> Result<ListTopProductsResponse, Error> {
        read!(self.analytics, list_top_products, request, deadline)
    }

    async fn product_pairs(
        &self,
        request: ListProductPairsRequest,
        deadline: Deadline,
    ) -> Result<ListProductPairsResponse, Error> {
        read!(self.analytics, list_product_pairs, request, deadline)
    }

    async fn user_behavior(
        &self,
        request: GetUserBehaviorRequest,
        deadline: Deadline,
    ) -> Result<GetUserBehaviorResponse, Error> {
        read!(self.analytics, get_user_behavior, request, deadline)
    }

    async fn funnel(
        &self,
        request: GetFunnelRequest,
        deadline: Deadline,
    ) -> Result<GetFunnelResponse, Error> {
        read!(self.analytics, get_funnel, request, deadline)
    }
}
