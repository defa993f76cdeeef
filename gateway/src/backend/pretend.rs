//! A backend for tests: knows what it is told, and fails as it is told.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard},
};

use async_trait::async_trait;
use chassis::{error::Error, grpc::Deadline, kafka::PublishError};
use proto::{
    analytics::v1::{
        FunnelStage, FunnelStageKind, GetFunnelRequest, GetFunnelResponse, GetOrderRateRequest,
        GetOrderRateResponse, GetStatsResponse, GetUserBehaviorRequest, GetUserBehaviorResponse,
        ListProductPairsRequest, ListProductPairsResponse, ListTopProductsRequest,
        ListTopProductsResponse, MoneyStats, ProductPair, ProductSales, RateBucket, Stats,
        UserBehavior, UserEventCount,
    },
    event::{PlacedOrder, TrackedEvent},
    events::v1::{NotificationKind, OrderLine, UserEventType},
    history::v1::{ListOrdersRequest, ListOrdersResponse, Order, OrderStatus},
    id::{NotificationId, OrderId, PaymentId},
    notifier::v1::{
        ListNotificationsRequest, ListNotificationsResponse, Notification, NotificationStatus,
        OrderNotifications,
    },
    payments::v1::{Payment, PaymentStatus},
    time::UnixMicros,
};

use super::Backend;

/// What publishing does.
#[derive(Debug, Clone, Default)]
pub(crate) enum Kafka {
    #[default]
    Takes,
    Fails(PublishError),
    NeverAnswers,
}

/// A service behind the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Peer {
    History,
    Payments,
    Notifier,
    Analytics,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) kafka: Kafka,
    pub(crate) published: Vec<PlacedOrder>,
    pub(crate) tracked: Vec<TrackedEvent>,
    pub(crate) away: HashSet<Peer>,
    pub(crate) hanging: HashSet<Peer>,
    /// Says INVALID_ARGUMENT to every list, as for a token of another list.
    pub(crate) refuses_tokens: bool,
    pub(crate) orders: HashMap<OrderId, Order>,
    pub(crate) payments: HashMap<OrderId, Payment>,
    pub(crate) notifications: HashMap<OrderId, OrderNotifications>,
    /// How many ids each call to history's batch asked for.
    pub(crate) batches: Vec<usize>,
    pub(crate) listed: Vec<ListOrdersRequest>,
    pub(crate) top: Vec<ListTopProductsRequest>,
    pub(crate) rates: Vec<GetOrderRateRequest>,
}

#[derive(Debug, Default)]
pub(crate) struct Pretend(Mutex<State>);

impl Pretend {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// An order stored by history, its payment open.
    pub(crate) fn store(&self, id: OrderId) {
        self.state().orders.insert(id, stored(id));
    }

    /// The order's payment came to its end.
    pub(crate) fn settle(&self, id: OrderId, status: OrderStatus) {
        let mut state = self.state();
        let order = state.orders.get_mut(&id).unwrap();
        order.set_status(status);
        order.settled_at = Some(at(3));
        state.payments.insert(id, payment(id, status));
    }

    /// One of the order's two mails was sent; after the second there are no
    /// more.
    pub(crate) fn mail(&self, id: OrderId, line: u16) {
        let mut state = self.state();
        let part = state.notifications.entry(id).or_default();
        part.order_id = id.to_string();
        part.notifications.push(mail(id, line));
        part.complete = part.notifications.len() == 2;
    }

    async fn answer(&self, peer: Peer) -> Result<(), Error> {
        let (away, hanging) = {
            let state = self.state();
            (state.away.contains(&peer), state.hanging.contains(&peer))
        };
        if hanging {
            std::future::pending::<()>().await;
        }
        if away {
            Err(Error::unavailable("it does not answer"))
        } else {
            Ok(())
        }
    }

    async fn within<T>(
        &self,
        peer: Peer,
        deadline: Deadline,
        answer: impl FnOnce(&mut State) -> T,
    ) -> Result<T, Error> {
        match tokio::time::timeout_at(deadline.instant(), self.answer(peer)).await {
            Ok(answered) => answered?,
            Err(_) => return Err(Error::unavailable("it hangs")),
        }
        Ok(answer(&mut self.state()))
    }

    async fn publish(&self) -> Result<(), PublishError> {
        let kafka = self.state().kafka.clone();
        match kafka {
            Kafka::Takes => Ok(()),
            Kafka::Fails(failure) => Err(failure),
            Kafka::NeverAnswers => std::future::pending().await,
        }
    }
}

/// So many seconds after a fixed time.
pub(crate) fn at(seconds: i64) -> prost_types::Timestamp {
    UnixMicros::from_micros(1_769_860_800_000_000 + seconds * 1_000_000).into()
}

pub(crate) fn stored(id: OrderId) -> Order {
    let line = |product_id, name: &str, unit_price| OrderLine {
        product_id,
        name: name.to_owned(),
        unit_price,
        quantity: 1,
    };
    Order {
        order_id: id.to_string(),
        user_id: 42,
        lines: vec![line(1, "Keyboard", 999), line(2, "Mouse", 499)],
        currency_code: "USD".to_owned(),
        total: 1498,
        status: OrderStatus::Accepted.into(),
        placed_at: Some(at(1)),
        stored_at: Some(at(2)),
        content_hash: vec![7; 32],
        trace_id: "0af7651916cd43dd8448eb211c80319c".to_owned(),
        ..Order::default()
    }
}

pub(crate) fn payment(id: OrderId, status: OrderStatus) -> Payment {
    let status = match status {
        OrderStatus::Paid => PaymentStatus::Captured,
        OrderStatus::Declined => PaymentStatus::Declined,
        _ => PaymentStatus::Pending,
    };
    Payment {
        payment_id: PaymentId::of(id).to_string(),
        order_id: id.to_string(),
        user_id: 42,
        amount: 1498,
        currency_code: "USD".to_owned(),
        status: status.into(),
        provider_reference: "ch_1".to_owned(),
        created_at: Some(at(2)),
        settled_at: Some(at(3)),
        ..Payment::default()
    }
}

pub(crate) fn mail(id: OrderId, line: u16) -> Notification {
    let kind = NotificationKind::OrderConfirmation;
    Notification {
        notification_id: NotificationId::of(id, kind, Some(line)).to_string(),
        order_id: id.to_string(),
        user_id: 42,
        kind: kind.into(),
        line: Some(line.into()),
        status: NotificationStatus::Sent.into(),
        recipient: "jane@example.com".to_owned(),
        message_id: format!("<{line}@mail.example>"),
        subject: "Your order".to_owned(),
        attempts: 1,
        created_at: Some(at(3)),
        sent_at: Some(at(4)),
        ..Notification::default()
    }
}

fn pick<T: Clone>(rows: &HashMap<OrderId, T>, ids: &[OrderId]) -> Vec<T> {
    ids.iter().filter_map(|id| rows.get(id).cloned()).collect()
}

fn refused_token() -> Error {
    Error::invalid_field("page_token", "belongs to a list with another filter")
}

#[async_trait]
impl Backend for Pretend {
    async fn publish_order(&self, order: &PlacedOrder) -> Result<(), PublishError> {
        self.publish().await?;
        self.state().published.push(order.clone());
        Ok(())
    }

    async fn publish_event(&self, event: &TrackedEvent) -> Result<(), PublishError> {
        self.publish().await?;
        self.state().tracked.push(event.clone());
        Ok(())
    }

    async fn known_order(&self, id: OrderId, deadline: Deadline) -> Result<Option<Order>, Error> {
        self.within(Peer::History, deadline, |state| {
            state.orders.get(&id).cloned()
        })
        .await
    }

    async fn orders(&self, ids: &[OrderId], deadline: Deadline) -> Result<Vec<Order>, Error> {
        self.within(Peer::History, deadline, |state| {
            state.batches.push(ids.len());
            pick(&state.orders, ids)
        })
        .await
    }

    async fn payments(&self, ids: &[OrderId], deadline: Deadline) -> Result<Vec<Payment>, Error> {
        self.within(Peer::Payments, deadline, |state| pick(&state.payments, ids))
            .await
    }

    async fn notifications(
        &self,
        ids: &[OrderId],
        deadline: Deadline,
    ) -> Result<Vec<OrderNotifications>, Error> {
        self.within(Peer::Notifier, deadline, |state| {
            pick(&state.notifications, ids)
        })
        .await
    }

    async fn notification(
        &self,
        id: NotificationId,
        deadline: Deadline,
    ) -> Result<Option<Notification>, Error> {
        self.within(Peer::Notifier, deadline, |state| {
            let mails = state.notifications.values();
            let mut mails = mails.flat_map(|of_order| &of_order.notifications);
            let mail = mails.find(|mail| mail.notification_id == id.to_string())?;
            Some(Notification {
                text_body: "Thank you for <b>your</b> order".to_owned(),
                html_body: "<p>Thank you</p>".to_owned(),
                ..mail.clone()
            })
        })
        .await
    }

    async fn list_orders(
        &self,
        request: ListOrdersRequest,
        deadline: Deadline,
    ) -> Result<ListOrdersResponse, Error> {
        self.within(Peer::History, deadline, |state| {
            if state.refuses_tokens {
                return Err(refused_token());
            }
            state.listed.push(request);
            let orders = state.orders.values().cloned().collect();
            Ok(ListOrdersResponse {
                orders,
                next_page_token: "next".to_owned(),
            })
        })
        .await?
    }

    async fn list_notifications(
        &self,
        request: ListNotificationsRequest,
        deadline: Deadline,
    ) -> Result<ListNotificationsResponse, Error> {
        self.within(Peer::Notifier, deadline, |state| {
            let id = request.order_id.parse().unwrap();
            let notifications = state.notifications.get(&id).cloned().unwrap_or_default();
            ListNotificationsResponse {
                notifications: notifications.notifications,
                next_page_token: String::new(),
            }
        })
        .await
    }

    async fn stats(&self, deadline: Deadline) -> Result<GetStatsResponse, Error> {
        self.within(Peer::Analytics, deadline, |_| GetStatsResponse {
            stats: Some(Stats {
                orders: 3,
                units: 4,
                money: vec![money()],
                updated_at: Some(at(9)),
                ..Stats::default()
            }),
        })
        .await
    }

    async fn order_rate(
        &self,
        request: GetOrderRateRequest,
        deadline: Deadline,
    ) -> Result<GetOrderRateResponse, Error> {
        self.within(Peer::Analytics, deadline, |state| {
            state.rates.push(request);
            let bucket = RateBucket {
                start_time: Some(at(0)),
                orders: 3,
                orders_paid: 2,
            };
            GetOrderRateResponse {
                buckets: vec![bucket],
            }
        })
        .await
    }

    async fn top_products(
        &self,
        request: ListTopProductsRequest,
        deadline: Deadline,
    ) -> Result<ListTopProductsResponse, Error> {
        self.within(Peer::Analytics, deadline, |state| {
            state.top.push(request);
            let product = ProductSales {
                product_id: 1,
                name: "Keyboard".to_owned(),
                units: 3,
                orders: 3,
                revenue: 2997,
                currency_code: "USD".to_owned(),
            };
            ListTopProductsResponse {
                products: vec![product],
                next_page_token: String::new(),
            }
        })
        .await
    }

    async fn product_pairs(
        &self,
        _: ListProductPairsRequest,
        deadline: Deadline,
    ) -> Result<ListProductPairsResponse, Error> {
        self.within(Peer::Analytics, deadline, |_| {
            let pair = ProductPair {
                product_id: 1,
                other_product_id: 2,
                orders: 3,
            };
            ListProductPairsResponse {
                pairs: vec![pair],
                next_page_token: String::new(),
            }
        })
        .await
    }

    async fn user_behavior(
        &self,
        request: GetUserBehaviorRequest,
        deadline: Deadline,
    ) -> Result<GetUserBehaviorResponse, Error> {
        self.within(Peer::Analytics, deadline, |_| {
            if request.user_id != 42 {
                let reason = chassis::error::Reason::NotFound;
                return Err(Error::new(reason, "nothing is known of this user"));
            }
            let viewed = UserEventCount {
                r#type: UserEventType::ProductViewed.into(),
                count: 5,
            };
            Ok(GetUserBehaviorResponse {
                user: Some(UserBehavior {
                    user_id: 42,
                    orders: 3,
                    money: vec![money()],
                    events: vec![viewed],
                    first_seen_at: Some(at(0)),
                    last_seen_at: Some(at(9)),
                    ..UserBehavior::default()
                }),
            })
        })
        .await?
    }

    async fn funnel(
        &self,
        _: GetFunnelRequest,
        deadline: Deadline,
    ) -> Result<GetFunnelResponse, Error> {
        self.within(Peer::Analytics, deadline, |_| GetFunnelResponse {
            stages: vec![FunnelStage {
                kind: FunnelStageKind::Viewed.into(),
                users: 9,
            }],
        })
        .await
    }
}

fn money() -> MoneyStats {
    MoneyStats {
        currency_code: "USD".to_owned(),
        ordered: 1498,
        revenue: 999,
    }
}
