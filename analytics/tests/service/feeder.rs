//! Stands for the services whose events analytics consumes.

use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex, mpsc},
};

use chassis::{
    config::Config,
    kafka::{EmbeddedBroker, Outgoing, Publisher},
    service::{Context, Running, Service},
};
use proto::{
    event::{
        NOTIFICATIONS, ORDERS, PAYMENTS, PlacedOrder, SentNotification, SettledPayment,
        TrackedEvent, USER_EVENTS,
    },
    events::v1,
};

use crate::fixture::launch;

/// A service is made from settings alone, so a test gets its publisher by name:
/// the broker's address.
static WAITING: LazyLock<Mutex<HashMap<String, mpsc::Sender<Publisher>>>> =
    LazyLock::new(Mutex::default);

struct Source;

impl Service for Source {
    const NAME: &'static str = "feeder";
    const SECTION: &'static str = "FEEDER";
    const ADMIN_ADDRESS: &'static str = "127.0.0.1:0";

    type Options = String;

    fn options(config: &mut Config) -> String {
        let mut section = config.section("FEEDER");
        section.get("NAME", "", "which test this is for")
    }

    async fn start(name: String, context: &mut Context) -> anyhow::Result<()> {
        let publisher = context.publisher()?;
        let sender = WAITING.lock().unwrap().remove(&name);
        sender.expect("a test waits").send(publisher)?;
        Ok(())
    }
}

/// Publishes events as the other services do.
pub(crate) struct Feeder {
    publisher: Publisher,
    running: Running,
}

impl Feeder {
    pub(crate) fn start(broker: &EmbeddedBroker) -> Self {
        let name = broker.bootstrap_servers();
        let (sender, receiver) = mpsc::channel();
        WAITING.lock().unwrap().insert(name.clone(), sender);
        let running = launch::<Source>(broker, &[("FEEDER__NAME", name)]);
        let publisher = receiver.recv().unwrap();
        Self { publisher, running }
    }

    pub(crate) async fn place(&self, order: &PlacedOrder) {
        self.publish(Self::placed(ORDERS, order)).await;
    }

    /// An order's event on any topic.
    pub(crate) fn placed(topic: &'static str, order: &PlacedOrder) -> Outgoing {
        let id = *order.order_id.as_uuid();
        let message = v1::OrderPlaced::from(order);
        let time = order.placed_at.as_micros();
        Outgoing::event(topic, order.key(), id, time, &message)
    }

    pub(crate) async fn settle(&self, payment: &SettledPayment) {
        let id = *payment.payment_id.as_uuid();
        let message = v1::PaymentSettled::from(payment);
        let time = payment.settled_at.as_micros();
        self.publish(Outgoing::event(PAYMENTS, payment.key(), id, time, &message))
            .await;
    }

    pub(crate) async fn notify(&self, mail: &SentNotification) {
        let id = *mail.notification_id.as_uuid();
        let message = v1::NotificationSent::from(mail);
        let time = mail.sent_at.as_micros();
        self.publish(Outgoing::event(
            NOTIFICATIONS,
            mail.key(),
            id,
            time,
            &message,
        ))
        .await;
    }

    pub(crate) async fn track(&self, event: &TrackedEvent) {
        let id = *event.event_id.as_uuid();
        let message = v1::UserEvent::from(event);
        let time = event.occurred_at.as_micros();
        self.publish(Outgoing::event(
            USER_EVENTS,
            event.key(),
            id,
            time,
            &message,
        ))
        .await;
    }

    /// Publishes on the feeder's own threads: only they know its tracer.
    pub(crate) async fn publish(&self, event: Outgoing) {
        let publisher = self.publisher.clone();
        let publishing = async move { publisher.publish(event).await };
        let published = self.running.handle().spawn(publishing).await;
        published.unwrap().unwrap();
    }
}
