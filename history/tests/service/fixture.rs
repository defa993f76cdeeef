//! A broker, a history on it, and a caller.

use std::time::Duration;

use chassis::{
    config::Config,
    error::Error,
    kafka::{EmbeddedBroker, KafkaOptions, list_topics},
    service::{Running, Service, prepare},
};
use history::History;
use proto::{
    event::{
        ContentHash, ORDERS, PAYMENTS, PaymentResult, PlacedLine, PlacedOrder, SettledPayment,
    },
    history::v1::{
        GetOrderRequest, Order, OrderStatus, history_service_client::HistoryServiceClient,
    },
    id::{OrderId, PaymentId, ProductId, UserId},
    money::{Currency, Money},
    time::UnixMicros,
};
use testkit::{ports, process::Scratch, wait::until};
use tokio::runtime::Runtime;
use tonic::transport::{Channel, Endpoint};

use crate::feeder::Feeder;

const DEAD_LETTERS: &str = "history.dlq.v1";

/// From publishing to reading takes milliseconds; a busy machine needs longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Starts a service on a broker.
pub(crate) fn launch<S: Service>(broker: &EmbeddedBroker, settings: &[(&str, String)]) -> Running {
    let shared = [
        ("KAFKA__BROKERS", broker.bootstrap_servers()),
        // The embedded broker holds an empty fetch for the whole wait.
        ("KAFKA__FETCH_WAIT_MAX_MS", "10".to_owned()),
        ("TELEMETRY__LOG", "off".to_owned()),
    ];
    let settings = settings.iter().cloned().chain(shared);
    let settings = settings.map(|(key, value)| (key.to_owned(), value));
    let mut config = Config::load(None, settings);
    let prepared = prepare::<S>(&mut config);
    config.finish().unwrap();
    prepared.start().unwrap()
}

pub(crate) struct Fixture {
    pub(crate) feeder: Feeder,
    pub(crate) client: HistoryServiceClient<Channel>,
    pub(crate) runtime: Runtime,
    history: Option<Running>,
    port: u16,
    folder: Scratch,
    // Ends after those who are connected to it.
    broker: EmbeddedBroker,
}

impl Fixture {
    pub(crate) fn start() -> Self {
        let topics = [
            (ORDERS, 2),
            (PAYMENTS, 2),
            (DEAD_LETTERS, 1),
            ("history.replay.v1", 1),
        ];
        let broker = EmbeddedBroker::start(topics).unwrap();
        let port = ports::free().unwrap();
        let runtime = Runtime::new().unwrap();
        let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{port}")).unwrap();
        let channel = runtime.block_on(async { endpoint.connect_lazy() });
        let mut fixture = Self {
            feeder: Feeder::start(&broker),
            client: HistoryServiceClient::new(channel),
            runtime,
            history: None,
            port,
            folder: Scratch::new("history").unwrap(),
            broker,
        };
        fixture.start_history();
        fixture
    }

    pub(crate) fn start_history(&mut self) {
        let file = self.folder.path().join("history.db");
        let settings = [
            (
                "HISTORY__DATABASE_URL",
                format!("sqlite://{}", file.display()),
            ),
            ("HISTORY__GRPC_ADDRESS", format!("127.0.0.1:{}", self.port)),
            ("HISTORY__ADMIN_ADDRESS", "127.0.0.1:0".to_owned()),
        ];
        self.history = Some(launch::<History>(&self.broker, &settings));
    }

    /// Drains the service, as SIGTERM does.
    pub(crate) fn stop_history(&mut self) {
        if let Some(history) = self.history.take() {
            history.drain().unwrap();
        }
    }

    pub(crate) async fn get(&self, order_id: OrderId) -> Result<Order, Error> {
        let request = GetOrderRequest {
            order_id: order_id.to_string(),
        };
        let answer = self.client.clone().get_order(request).await?;
        Ok(answer
            .into_inner()
            .order
            .expect("an answer holds its order"))
    }

    pub(crate) async fn get_when(&self, order_id: OrderId, status: OrderStatus) -> Order {
        until("the order to be stored", PATIENCE, async || {
            let order = self
                .get(order_id)
                .await
                .map_err(|error| error.to_string())?;
            if order.status() == status {
                Ok(order)
            } else {
                Err(format!("it is {:?}", order.status()))
            }
        })
        .await
        .unwrap()
    }

    pub(crate) async fn await_dead_letters(&self, count: i64) {
        let brokers = self.broker.bootstrap_servers();
        until("the dead letters", PATIENCE, async || {
            let options = KafkaOptions::for_brokers(&brokers);
            let topics = tokio::task::spawn_blocking(move || {
                list_topics(&options, |name| name == DEAD_LETTERS)
            })
            .await??;
            let records: i64 = topics.iter().map(|topic| topic.records).sum();
            anyhow::ensure!(records == count, "{records} records");
            anyhow::Ok(())
        })
        .await
        .unwrap();
    }
}

/// An order of user 42 with a line of 9.99 USD.
pub(crate) fn order() -> PlacedOrder {
    PlacedOrder {
        order_id: OrderId::random(),
        user_id: UserId::try_from(42).unwrap(),
        lines: vec![PlacedLine {
            product_id: ProductId::try_from(1).unwrap(),
            name: "Keyboard".to_owned(),
            unit_price: 999,
            quantity: 1,
        }],
        total: Money::new(999, Currency::USD),
        email: "jane@example.com".parse().unwrap(),
        payment_token: None,
        placed_at: UnixMicros::now(),
        content_hash: ContentHash([7; 32]),
    }
}

pub(crate) fn payment(order: &PlacedOrder, result: PaymentResult) -> SettledPayment {
    SettledPayment {
        payment_id: PaymentId::of(order.order_id),
        order_id: order.order_id,
        user_id: order.user_id,
        amount: order.total,
        result,
        settled_at: UnixMicros::now(),
        order_placed_at: order.placed_at,
    }
}
