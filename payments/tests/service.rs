//! The whole service on librdkafka's own broker: orders in, events out, and what
//! its gRPC says. Another service plays the shop around it.

#[path = "support/mod.rs"]
mod support;

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use chassis::{
    config::Config,
    kafka::{
        ConsumerOptions, Delivery, EmbeddedBroker, Handler, HandlerError, KafkaOptions, Outgoing,
        Poison, Publisher, Record, Settlement, headers,
    },
    service::{Context, Running, Service, prepare},
    telemetry::{Telemetry, TelemetryOptions},
};
use payments::Payments;
use proto::{
    event::{ORDERS, PAYMENTS, PaymentResult, PlacedOrder, SettledPayment},
    events::v1::{DeclineCode, OrderPlaced, PaymentSettled},
    id::PaymentId,
    payments::v1::{
        BatchGetPaymentsRequest, GetPaymentRequest, GetPaymentStatsRequest, ListPaymentsRequest,
        PaymentStatus, get_payment_request::Id, payment_service_client::PaymentServiceClient,
    },
};
use support::{contradicting, order, with_token};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tonic::Code;
use tracing::instrument::WithSubscriber as _;

const DEAD_LETTERS: &str = "payments.dlq.v1";

/// What the shop sees.
#[derive(Debug)]
enum Seen {
    Settled {
        payment: SettledPayment,
        event_id: String,
        trace_id: Option<String>,
    },
    DeadLetter {
        key: String,
        class: String,
    },
}

type Mailbox = Arc<Mutex<Vec<Seen>>>;

/// Services are made from settings alone, so a test finds its shop by name.
static SHOPS: LazyLock<Mutex<HashMap<String, (Mailbox, oneshot::Sender<Publisher>)>>> =
    LazyLock::new(Mutex::default);

struct Shop;

struct Window(Mailbox);

#[async_trait]
impl Handler for Window {
    type Event = Seen;

    fn decode(&self, record: &Record) -> Result<Seen, Poison> {
        let text = |name| record.text_header(name).unwrap_or_default().to_owned();
        if record.topic() == DEAD_LETTERS {
            let key = String::from_utf8_lossy(record.key().unwrap_or_default()).into_owned();
            return Ok(Seen::DeadLetter {
                key,
                class: text(headers::DLQ_CLASS),
            });
        }
        Ok(Seen::Settled {
            payment: record.event::<PaymentSettled, SettledPayment>(SettledPayment::key)?,
            event_id: text(headers::CE_ID),
            trace_id: text(headers::TRACEPARENT)
                .split('-')
                .nth(1)
                .map(str::to_owned),
        })
    }

    async fn handle(&self, batch: &[Delivery<Seen>]) -> Result<Vec<Settlement>, HandlerError> {
        let mut seen = self.0.lock().unwrap();
        seen.extend(batch.iter().map(|delivery| match &delivery.event {
            Seen::Settled {
                payment,
                event_id,
                trace_id,
            } => Seen::Settled {
                payment: payment.clone(),
                event_id: event_id.clone(),
                trace_id: trace_id.clone(),
            },
            Seen::DeadLetter { key, class } => Seen::DeadLetter {
                key: key.clone(),
                class: class.clone(),
            },
        }));
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

struct Fixture {
    broker: EmbeddedBroker,
    folder: TempDir,
    mailbox: Mailbox,
    publisher: Publisher,
    /// Without it, what the test publishes would belong to no trace.
    telemetry: Telemetry,
    _shop: Running,
}

impl Fixture {
    fn new(name: &str) -> Self {
        let topics = [
            (ORDERS, 2),
            (PAYMENTS, 2),
            (DEAD_LETTERS, 1),
            ("shop.dlq.v1", 1),
        ];
        let broker = EmbeddedBroker::start(topics).unwrap();
        let (sender, receiver) = oneshot::channel();
        let mailbox = Mailbox::default();
        SHOPS
            .lock()
            .unwrap()
            .insert(name.to_owned(), (Arc::clone(&mailbox), sender));
        let shop = start::<Shop>(&broker, &[("SHOP__NAME", name)]);
        let publisher = receiver.blocking_recv().unwrap();
        let options = TelemetryOptions::read(&mut Config::load(None, []));
        let telemetry = Telemetry::new("test", &options).unwrap();
        Self {
            broker,
            folder: TempDir::new().unwrap(),
            mailbox,
            publisher,
            telemetry,
            _shop: shop,
        }
    }

    /// Starts the service; again with the same database, if it ran before.
    fn payments(&self, grpc: &str) -> Running {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        start::<Payments>(
            &self.broker,
            &[
                ("PAYMENTS__GRPC_ADDRESS", grpc),
                ("PAYMENTS__ADMIN_ADDRESS", "127.0.0.1:0"),
                (
                    "PAYMENTS__DATABASE_URL",
                    &format!("sqlite://{}", path("payments.db")),
                ),
                ("PAYMENTS__MOCK_JOURNAL", &path("charges")),
            ],
        )
    }

    fn charges(&self) -> usize {
        std::fs::read_to_string(self.folder.path().join("charges"))
            .unwrap()
            .lines()
            .count()
    }

    async fn place(&self, order: &PlacedOrder) {
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

    async fn until_seen(&self, count: usize) {
        until(|| self.mailbox.lock().unwrap().len() >= count).await;
    }
}

/// An order's trace, told by its id.
fn trace_id(order: &PlacedOrder) -> String {
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

async fn until(condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "waited 30 s in vain"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The test's own runtime; the services bring theirs.
fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Runtime::new().unwrap().block_on(test);
}

#[test]
fn orders_become_payments_with_events_in_their_traces() {
    assert_eq!(KafkaOptions::dead_letters(Payments::NAME), DEAD_LETTERS);
    let fixture = Fixture::new("orders");
    let grpc = format!("127.0.0.1:{}", testkit::ports::free().unwrap());
    let running = fixture.payments(&grpc);
    run(async {
        let captured = order();
        let declined = with_token(order(), "tok_insufficient_funds");
        let failing = with_token(order(), "tok_processing_error");
        for order in [
            &captured,
            &declined,
            &failing,
            &captured,
            &contradicting(&captured),
        ] {
            fixture.place(order).await;
        }
        // Two events, and two dead letters: the failing one and the conflict.
        fixture.until_seen(4).await;

        let mut client = PaymentServiceClient::connect(format!("http://{grpc}"))
            .await
            .unwrap();
        for (order, result, status) in [
            (&captured, PaymentResult::Captured, PaymentStatus::Captured),
            (
                &declined,
                PaymentResult::Declined(DeclineCode::InsufficientFunds),
                PaymentStatus::Declined,
            ),
        ] {
            let id = Some(Id::OrderId(order.order_id.to_string()));
            let answer = client.get_payment(GetPaymentRequest { id }).await.unwrap();
            let answer = answer.into_inner().payment.unwrap();
            assert_eq!(answer.status(), status);
            assert_eq!(answer.payment_id, PaymentId::of(order.order_id).to_string());
            let seen = fixture.mailbox.lock().unwrap();
            let events: Vec<_> = seen
                .iter()
                .filter_map(|seen| match seen {
                    Seen::Settled {
                        payment,
                        event_id,
                        trace_id,
                    } if payment.order_id == order.order_id => Some((payment, event_id, trace_id)),
                    _ => None,
                })
                .collect();
            let [(payment, event_id, trace)] = events[..] else {
                panic!("one event, not {events:?}");
            };
            assert_eq!(payment.result, result);
            assert_eq!(payment.order_placed_at, order.placed_at);
            assert_eq!(*event_id, answer.payment_id);
            assert_eq!(trace.as_deref(), Some(trace_id(order).as_str()));
        }

        let letters: HashMap<String, String> = fixture
            .mailbox
            .lock()
            .unwrap()
            .iter()
            .filter_map(|seen| match seen {
                Seen::DeadLetter { key, class } => Some((key.clone(), class.clone())),
                Seen::Settled { .. } => None,
            })
            .collect();
        assert_eq!(letters[&failing.key()], "exhausted");
        assert_eq!(letters[&captured.key()], "conflict");

        let list = ListPaymentsRequest {
            status: PaymentStatus::Pending.into(),
            ..Default::default()
        };
        let pending = client
            .list_payments(list)
            .await
            .unwrap()
            .into_inner()
            .payments;
        assert_eq!(
            pending.len(),
            1,
            "the failing one stays pending, to be seen"
        );
        assert_eq!(pending[0].order_id, failing.key());
        let stats = client
            .get_payment_stats(GetPaymentStatsRequest {})
            .await
            .unwrap()
            .into_inner();
        assert_eq!(
            (stats.pending, stats.captured, stats.declined.len()),
            (1, 1, 1)
        );
        assert_eq!(stats.captured_amounts[0].amount, captured.total.minor);
        let order_ids = vec![declined.key(), order().key()];
        let batch = client
            .batch_get_payments(BatchGetPaymentsRequest { order_ids })
            .await
            .unwrap();
        assert_eq!(batch.into_inner().payments.len(), 1);
        let id = Some(Id::OrderId(order().key()));
        let unknown = client
            .get_payment(GetPaymentRequest { id })
            .await
            .unwrap_err();
        assert_eq!(unknown.code(), Code::NotFound);
        assert_eq!(fixture.charges(), 2);
    });
    running.drain().unwrap();
}

#[test]
fn a_restart_under_load_charges_nothing_twice() {
    let fixture = Fixture::new("restart");
    let grpc = format!("127.0.0.1:{}", testkit::ports::free().unwrap());
    let orders: Vec<PlacedOrder> = (0..600).map(|_| order()).collect();
    let running = fixture.payments(&grpc);
    run(async {
        futures::future::join_all(orders.iter().map(|order| fixture.place(order))).await;
        fixture.until_seen(1).await;
    });
    running.drain().unwrap();
    let running = fixture.payments(&grpc);
    run(async {
        let paid = || {
            let seen = fixture.mailbox.lock().unwrap();
            let ids = seen.iter().filter_map(|seen| match seen {
                Seen::Settled { payment, .. } => Some(payment.order_id),
                Seen::DeadLetter { .. } => None,
            });
            ids.collect::<std::collections::HashSet<_>>().len()
        };
        until(|| paid() == orders.len()).await;
    });
    running.drain().unwrap();
    assert_eq!(fixture.charges(), orders.len());
}
