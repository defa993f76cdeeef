//! A broker, an analytics service on it, and a caller.

use std::time::Duration;

use analytics::Analytics;
use chassis::{
    config::Config,
    kafka::{EmbeddedBroker, KafkaOptions, list_topics},
    service::{Running, Service, prepare},
};
use proto::{
    analytics::v1::{GetStatsRequest, Stats, analytics_service_client::AnalyticsServiceClient},
    event::{
        ContentHash, NOTIFICATIONS, ORDERS, PAYMENTS, PaymentResult, PlacedLine, PlacedOrder,
        SettledPayment, USER_EVENTS,
    },
    id::{OrderId, PaymentId, ProductId, UserId},
    money::{Currency, Money},
    time::UnixMicros,
};
use testkit::{ports, process::Scratch, wait::until};
use tokio::runtime::Runtime;
use tonic::transport::{Channel, Endpoint};

use crate::feeder::Feeder;

const DEAD_LETTERS: &str = "analytics.dlq.v1";

/// From publishing to reading takes milliseconds; a busy machine needs longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

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
    pub(crate) client: AnalyticsServiceClient<Channel>,
    pub(crate) runtime: Runtime,
    analytics: Option<Running>,
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
            (NOTIFICATIONS, 2),
            (USER_EVENTS, 2),
            (DEAD_LETTERS, 1),
            ("analytics.replay.v1", 1),
        ];
        let broker = EmbeddedBroker::start(topics).unwrap();
        let port = ports::free().unwrap();
        let runtime = Runtime::new().unwrap();
        let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{port}")).unwrap();
        let channel = runtime.block_on(async { endpoint.connect_lazy() });
        let mut fixture = Self {
            feeder: Feeder::start(&broker),
            client: AnalyticsServiceClient::new(channel),
            runtime,
            analytics: None,
            port,
            folder: Scratch::new("analytics").unwrap(),
            broker,
        };
        fixture.start_analytics();
        fixture
    }

    pub(crate) fn start_analytics(&mut self) {
        let file = self.folder.path().join("analytics.db");
        let url = format!("sqlite://{}", file.display());
        let address = format!("127.0.0.1:{}", self.port);
        let settings = [
            ("ANALYTICS__DATABASE_URL", url),
            ("ANALYTICS__GRPC_ADDRESS", address),
            ("ANALYTICS__ADMIN_ADDRESS", "127.0.0.1:0".to_owned()),
            ("ANALYTICS__WATCHERS_MAX", "2".to_owned()),
        ];
        self.analytics = Some(launch::<Analytics>(&self.broker, &settings));
    }

    /// Drains the service, as SIGTERM does.
    pub(crate) fn stop_analytics(&mut self) {
        if let Some(analytics) = self.analytics.take() {
            analytics.drain().unwrap();
        }
    }

    pub(crate) async fn stats(&self) -> anyhow::Result<Stats> {
        let answer = self.client.clone().get_stats(GetStatsRequest {}).await?;
        Ok(answer.into_inner().stats.unwrap_or_default())
    }

    /// The totals, once they are as wished.
    pub(crate) async fn stats_when(&self, wish: impl Fn(&Stats) -> bool) -> Stats {
        until("the events to be counted", PATIENCE, async || {
            let stats = self.stats().await?;
            anyhow::ensure!(wish(&stats), "{stats:?}");
            anyhow::Ok(stats)
        })
        .await
        .unwrap()
    }

    pub(crate) async fn await_dead_letters(&self, count: i64) {
        let brokers = self.broker.bootstrap_servers();
        until("the dead letters", PATIENCE, async || {
            let options = KafkaOptions::for_brokers(&brokers);
            let list = move || list_topics(&options, |name| name == DEAD_LETTERS);
            let topics = tokio::task::spawn_blocking(list).await??;
            let records: i64 = topics.iter().map(|topic| topic.records).sum();
            anyhow::ensure!(records == count, "{records} records");
            anyhow::Ok(())
        })
        .await
        .unwrap();
    }
}

/// An order of two products for 24.97 USD.
pub(crate) fn order(user: i64) -> PlacedOrder {
    let line = |product, name: &str, unit_price, quantity| PlacedLine {
        product_id: ProductId::try_from(product).unwrap(),
        name: name.to_owned(),
        unit_price,
        quantity,
    };
    PlacedOrder {
        order_id: OrderId::random(),
        user_id: UserId::try_from(user).unwrap(),
        lines: vec![line(1, "Keyboard", 999, 2), line(2, "Mouse", 499, 1)],
        total: Money::new(2 * 999 + 499, Currency::USD),
        email: "jane@example.com".parse().unwrap(),
        payment_token: None,
        placed_at: UnixMicros::now(),
        content_hash: ContentHash([7; 32]),
    }
}

pub(crate) fn payment(order: &PlacedOrder) -> SettledPayment {
    SettledPayment {
        payment_id: PaymentId::of(order.order_id),
        order_id: order.order_id,
        user_id: order.user_id,
        amount: order.total,
        result: PaymentResult::Captured,
        settled_at: UnixMicros::now(),
        order_placed_at: order.placed_at,
    }
}
