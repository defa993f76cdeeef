//! The shop around the service: it places orders, and watches what becomes of
//! them.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, LazyLock, Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use chassis::{
    config::Config,
    kafka::{
        ConsumerOptions, Delivery, EmbeddedBroker, Handler, HandlerError, Outgoing, Poison,
        Publisher, Record, Settlement, headers,
    },
    service::{Context, Running, Service, prepare},
    telemetry::{Telemetry, TelemetryOptions},
};
use payments::Payments;
use proto::{
    event::{ORDERS, PAYMENTS, PlacedOrder, SettledPayment},
    events::v1::{OrderPlaced, PaymentSettled},
    id::OrderId,
};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tracing::instrument::WithSubscriber as _;

pub(crate) const DEAD_LETTERS: &str = "payments.dlq.v1";

/// A record that the shop saw.
#[derive(Debug, Clone)]
pub(crate) enum Seen {
    Settled(Event),
    DeadLetter { key: String, class: String },
}

/// A settled payment as its event tells it.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) payment: SettledPayment,
    pub(crate) id: String,
    pub(crate) trace_id: Option<String>,
}

type Mailbox = Arc<Mutex<Vec<Seen>>>;

/// Where a shop puts what it sees, and hands out what it publishes with.
type Opening = (Mailbox, oneshot::Sender<Publisher>);

/// Services are made from settings alone, so a test finds its shop by name.
static SHOPS: LazyLock<Mutex<HashMap<String, Opening>>> = LazyLock::new(Mutex::default);

struct Shop;

struct Window(Mailbox);

#[async_trait]
impl Handler for Window {
    type Event = Seen;

    fn decode(&self, record: &Record) -> Result<Seen, Poison> {
        let text = |name| record.text_header(name).unwrap_or_default().to_owned();
        if record.topic() == DEAD_LETTERS {
            let key = String::from_utf8_lossy(record.key().unwrap_or_default()).into_owned();
            let class = text(headers::DLQ_CLASS);
            return Ok(Seen::DeadLetter { key, class });
        }
        let traceparent = text(headers::TRACEPARENT);
        Ok(Seen::Settled(Event {
            payment: record.event::<PaymentSettled, SettledPayment>(SettledPayment::key)?,
            id: text(headers::CE_ID),
            trace_id: traceparent.split('-').nth(1).map(str::to_owned),
        }))
    }

    async fn handle(&self, batch: &[Delivery<Seen>]) -> Result<Vec<Settlement>, HandlerError> {
        let seen = batch.iter().map(|delivery| delivery.event.clone());
        self.0.lock().unwrap().extend(seen);
        Ok(vec![Settlement::Done; batch.len()])
    }
}

impl Service for Shop {
    const NAME: &'static str = "shop";
    const SECTION: &'static str = "SHOP";
    const ADMIN_ADDRESS: &'static str = "127.0.0.1:0";
    type Options = String;

    fn options(config: &mut Config) -> String {
        config.section("SHOP").get("NAME", "", "which test this is")
    }

    async fn start(name: String, context: &mut Context) -> anyhow::Result<()> {
        let (mailbox, sender) = SHOPS.lock().unwrap().remove(&name).unwrap();
        let _ = sender.send(context.publisher()?);
        let consumed = ConsumerOptions::new(&[PAYMENTS, DEAD_LETTERS]);
        context.consume(consumed, Arc::new(Window(mailbox)))
    }
}

/// A broker, a shop, and room for the service.
pub(crate) struct Fixture {
    broker: EmbeddedBroker,
    folder: TempDir,
    mailbox: Mailbox,
    publisher: Publisher,
    /// Without it, what the test publishes would belong to no trace.
    telemetry: Telemetry,
    _shop: Running,
}

impl Fixture {
    pub(crate) fn new(name: &str) -> Self {
        let topics = [
            (ORDERS, 2),
            (PAYMENTS, 2),
            (DEAD_LETTERS, 1),
            ("payments.replay.v1", 1),
            ("shop.dlq.v1", 1),
            ("shop.replay.v1", 1),
        ];
        let broker = EmbeddedBroker::start(topics).unwrap();
        let (sender, receiver) = oneshot::channel();
        let mailbox = Mailbox::default();
        let opening = (Arc::clone(&mailbox), sender);
        SHOPS.lock().unwrap().insert(name.to_owned(), opening);
        let shop = start::<Shop>(&broker, &[("SHOP__NAME", name)]);
        let options = TelemetryOptions::read(&mut Config::load(None, []));
        Self {
            broker,
            folder: TempDir::new().unwrap(),
            mailbox,
            publisher: receiver.blocking_recv().unwrap(),
            telemetry: Telemetry::new("test", &options).unwrap(),
            _shop: shop,
        }
    }

    /// Starts the service; with the same database as before, if it ran before.
    pub(crate) fn payments(&self, grpc_address: &str) -> Running {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        let database = format!("sqlite://{}", path("payments.db"));
        let settings = [
            ("PAYMENTS__GRPC_ADDRESS", grpc_address),
            ("PAYMENTS__ADMIN_ADDRESS", "127.0.0.1:0"),
            ("PAYMENTS__DATABASE_URL", &database),
            ("PAYMENTS__MOCK_JOURNAL", &path("charges")),
        ];
        start::<Payments>(&self.broker, &settings)
    }

    /// How many charges the provider made.
    pub(crate) fn charges(&self) -> usize {
        let journal = std::fs::read_to_string(self.folder.path().join("charges"));
        journal.unwrap().lines().count()
    }

    /// Places an order, in the trace of [`trace_id`].
    pub(crate) async fn place(&self, order: &PlacedOrder) {
        let event = Outgoing::event(
            ORDERS,
            order.key(),
            *order.order_id.as_uuid(),
            order.placed_at.as_micros(),
            &OrderPlaced::from(order),
        );
        let parent = format!("00-{}-b7ad6b7169203331-01", trace_id(order));
        self.publisher
            .publish(event.with_parent(Some(parent)))
            .with_subscriber(self.telemetry.dispatch().clone())
            .await
            .unwrap();
    }

    pub(crate) async fn until_seen(&self, count: usize) {
        until("records to be seen", || self.seen().len() >= count).await;
    }

    /// Waits until so many orders have an event.
    pub(crate) async fn until_settled(&self, count: usize) {
        until("payments to be settled", || self.settled().len() >= count).await;
    }

    /// Every event about an order.
    pub(crate) fn events(&self, order: &PlacedOrder) -> Vec<Event> {
        let seen = self.seen();
        let events = seen.iter().filter_map(|seen| match seen {
            Seen::Settled(event) => Some(event),
            Seen::DeadLetter { .. } => None,
        });
        let about = events.filter(|event| event.payment.order_id == order.order_id);
        about.cloned().collect()
    }

    /// The classes of dead letters, by key.
    pub(crate) fn dead_letters(&self) -> HashMap<String, String> {
        let seen = self.seen();
        let letters = seen.iter().filter_map(|seen| match seen {
            Seen::DeadLetter { key, class } => Some((key.clone(), class.clone())),
            Seen::Settled(_) => None,
        });
        letters.collect()
    }

    fn settled(&self) -> HashSet<OrderId> {
        let seen = self.seen();
        let orders = seen.iter().filter_map(|seen| match seen {
            Seen::Settled(event) => Some(event.payment.order_id),
            Seen::DeadLetter { .. } => None,
        });
        orders.collect()
    }

    fn seen(&self) -> MutexGuard<'_, Vec<Seen>> {
        self.mailbox.lock().unwrap()
    }
}

/// An order's trace, told by its id.
pub(crate) fn trace_id(order: &PlacedOrder) -> String {
    order.order_id.as_uuid().simple().to_string()
}

fn start<S: Service>(broker: &EmbeddedBroker, settings: &[(&str, &str)]) -> Running {
    let brokers = broker.bootstrap_servers();
    let shared = [
        ("KAFKA__BROKERS", brokers.as_str()),
        ("KAFKA__FETCH_WAIT_MAX_MS", "10"),
        ("TELEMETRY__LOG", "off"),
    ];
    let settings = shared.iter().chain(settings);
    let settings = settings.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let mut config = Config::load(None, settings);
    let prepared = prepare::<S>(&mut config);
    config.finish().unwrap();
    prepared.start().unwrap()
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let patience = Duration::from_secs(30);
    testkit::wait::until(what, patience, async || condition())
        .await
        .unwrap();
}
