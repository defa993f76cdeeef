//! Stands for the services whose events history consumes.

use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex, mpsc},
};

use chassis::{
    config::Config,
    kafka::{EmbeddedBroker, Outgoing, Publisher, headers},
    service::{Context, Running, Service},
};
use prost::{Message as _, Name as _};
use proto::{
    event::{ORDERS, PAYMENTS, PlacedOrder, SettledPayment},
    events::v1,
};

/// Services are made from settings alone, so a test gets its publisher by name:
/// the brokers' address.
static WAITING: LazyLock<Mutex<HashMap<String, mpsc::Sender<Publisher>>>> =
    LazyLock::new(Mutex::default);

struct Source;

impl Service for Source {
    const NAME: &'static str = "feeder";
    const SECTION: &'static str = "FEEDER";
    const ADMIN_ADDRESS: &'static str = "127.0.0.1:0";

    type Options = String;

    fn options(config: &mut Config) -> String {
        config
            .section("FEEDER")
            .get("NAME", "", "which test this is for")
    }

    async fn start(name: String, context: &mut Context) -> anyhow::Result<()> {
        let publisher = context.publisher()?;
        let sender = WAITING.lock().unwrap().remove(&name);
        sender.expect("a test waits").send(publisher)?;
        Ok(())
    }
}

/// Publishes events as the gateway and payments do.
pub(crate) struct Feeder {
    publisher: Publisher,
    running: Running,
}

impl Feeder {
    pub(crate) fn start(broker: &EmbeddedBroker) -> Self {
        let name = broker.bootstrap_servers();
        let (sender, receiver) = mpsc::channel();
        WAITING.lock().unwrap().insert(name.clone(), sender);
        let running = super::fixture::launch::<Source>(broker, &[("FEEDER__NAME", name)]);
        Self {
            publisher: receiver.recv().unwrap(),
            running,
        }
    }

    pub(crate) async fn place(&self, order: &PlacedOrder, trace_id: &str) {
        let parent = format!("00-{trace_id}-00f067aa0ba902b7-01");
        self.publish(Self::placed(ORDERS, order).with_parent(Some(parent)))
            .await;
    }

    /// An order's event on any topic.
    pub(crate) fn placed(topic: &'static str, order: &PlacedOrder) -> Outgoing {
        let id = *order.order_id.as_uuid();
        let message = v1::OrderPlaced::from(order);
        Outgoing::event(
            topic,
            order.key(),
            id,
            order.placed_at.as_micros(),
            &message,
        )
    }

    pub(crate) async fn settle(&self, payment: &SettledPayment) {
        let id = *payment.payment_id.as_uuid();
        let message = v1::PaymentSettled::from(payment);
        let time = payment.settled_at.as_micros();
        self.publish(Outgoing::event(PAYMENTS, payment.key(), id, time, &message))
            .await;
    }

    /// Publishes on the feeder's own threads: only they know its tracer.
    pub(crate) async fn publish(&self, event: Outgoing) {
        let publisher = self.publisher.clone();
        let publishing = async move { publisher.publish(event).await };
        self.running
            .handle()
            .spawn(publishing)
            .await
            .unwrap()
            .unwrap();
    }

    /// An order's event with a `traceparent` of any kind, which no tracer of ours
    /// would send.
    pub(crate) async fn place_with_header(&self, order: &PlacedOrder, traceparent: &[u8]) {
        let header = |name: &str, value: &[u8]| (name.to_owned(), Some(value.to_vec()));
        let headers = vec![
            header(headers::CE_TYPE, v1::OrderPlaced::full_name().as_bytes()),
            header(headers::CONTENT_TYPE, headers::PROTOBUF.as_bytes()),
            header(headers::TRACEPARENT, traceparent),
        ];
        let payload = v1::OrderPlaced::from(order).encode_to_vec();
        let key = order.key().into_bytes();
        let event = Outgoing::raw(ORDERS.to_owned(), Some(key), Some(payload), headers);
        // On the test's thread, where no tracer adds a header of its own.
        self.publisher.publish(event).await.unwrap();
    }
}
