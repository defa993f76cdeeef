//! The rest of the error table: what a gateway answers when what it needs is
//! away, late, or too much is asked of it.

use std::time::{Duration, Instant};

use chassis::{
    config::Config,
    service::{Running, prepare},
};
use e2e::{
    clients::channel,
    orders::{example, example_request, new_user},
};
use http::{StatusCode, header};
use proto::orders::v1::order_service_client::OrderServiceClient;
use testkit::{harness::Test, ports, rest::Rest};
use tonic::{Code, Request};
use tonic_types::StatusExt as _;

pub(crate) fn tests() -> Vec<Test> {
    vec![
        Test::new(
            "gateway::without kafka orders are refused, soon at once",
            kafka_away,
        ),
        Test::new("gateway::a passed deadline is told at both doors", deadline),
        Test::new(
            "gateway::more than it can take is shed with a hint",
            overload,
        ),
        Test::new(
            "gateway::without history reads are refused and orders are not",
            history_away,
        ),
    ]
}

/// A gateway without anything behind it.
struct Alone {
    rest: Rest,
    grpc: String,
    _running: Running,
}

impl Alone {
    async fn start(settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let free = || anyhow::Ok(format!("127.0.0.1:{}", ports::free()?));
        let (rest, grpc, nobody) = (free()?, free()?, free()?);
        let mut environment = vec![
            ("GATEWAY__REST_ADDRESS".to_owned(), rest.clone()),
            ("GATEWAY__GRPC_ADDRESS".to_owned(), grpc.clone()),
            ("GATEWAY__ADMIN_ADDRESS".to_owned(), free()?),
            ("KAFKA__BROKERS".to_owned(), nobody.clone()),
            ("TELEMETRY__LOG".to_owned(), "error".to_owned()),
        ];
        for service in ["HISTORY", "PAYMENTS", "NOTIFIER", "ANALYTICS"] {
            environment.push((format!("GATEWAY__{service}_ADDRESSES"), nobody.clone()));
        }
        for (key, value) in settings {
            environment.retain(|(of, _)| of != key);
            environment.push(((*key).to_owned(), (*value).to_owned()));
        }
        let running = tokio::task::spawn_blocking(move || {
            let mut config = Config::load(None, environment);
            let gateway = prepare::<gateway::Gateway>(&mut config);
            config.finish()?;
            gateway.start()
        });
        Ok(Self {
            rest: Rest::new(&rest),
            grpc,
            _running: running.await??,
        })
    }

    fn orders(&self) -> anyhow::Result<OrderServiceClient<tonic::transport::Channel>> {
        Ok(OrderServiceClient::new(channel(&self.grpc)?))
    }
}

async fn kafka_away() -> anyhow::Result<()> {
    let gateway = Alone::start(&[]).await?;
    let body = example(new_user()).to_string();
    let key = [("idempotency-key", "k1")];
    // The first ones wait for Kafka as long as records may; together, so that
    // the test waits once.
    let first = (0..8).map(|_| gateway.rest.post_with("/order", &key, body.clone()));
    for answer in futures::future::try_join_all(first).await? {
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
        assert_eq!(
            answer.json()["reason"],
            "KAFKA_UNAVAILABLE",
            "never reached a broker"
        );
        assert_ne!(answer.header(header::RETRY_AFTER), "");
    }
    // From now on the breaker answers.
    let mut slowest = Duration::ZERO;
    for _ in 0..20 {
        let start = Instant::now();
        let answer = tokio::time::timeout(
            Duration::from_secs(10),
            gateway.rest.post_with("/order", &key, body.clone()),
        )
        .await??;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        slowest = slowest.max(start.elapsed());
        if slowest > Duration::from_millis(500) {
            break; // That one was the trial.
        }
    }
    let status = gateway
        .orders()?
        .place_order(example_request(new_user()))
        .await
        .err();
    let status = status.unwrap_or_else(|| tonic::Status::ok("must be refused"));
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert!(status.get_details_retry_info().is_some());
    Ok(())
}

async fn deadline() -> anyhow::Result<()> {
    let gateway = Alone::start(&[("GATEWAY__PLACE_TIMEOUT", "200ms")]).await?;
    let answer = gateway.rest.post("/order", &example(new_user())).await?;
    assert_eq!(answer.status, StatusCode::GATEWAY_TIMEOUT, "{answer:?}");
    assert_eq!(answer.json()["reason"], "DEADLINE_EXCEEDED");

    let mut request = Request::new(example_request(new_user()));
    request.set_timeout(Duration::from_millis(50));
    let start = Instant::now();
    let status = gateway.orders()?.place_order(request).await.err();
    let code = status.map(|status| status.code());
    assert!(
        matches!(code, Some(Code::DeadlineExceeded | Code::Cancelled)),
        "{code:?}"
    );
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "the caller's own deadline counts"
    );
    Ok(())
}

async fn overload() -> anyhow::Result<()> {
    let gateway = Alone::start(&[
        ("GATEWAY__MAX_IN_FLIGHT", "2"),
        ("GATEWAY__PLACE_TIMEOUT", "2s"),
    ])
    .await?;
    let body = example(new_user());
    let many = (0..10).map(|_| gateway.rest.post("/order", &body));
    let answers = futures::future::try_join_all(many).await?;
    let shed: Vec<_> = answers
        .iter()
        .filter(|answer| answer.json()["reason"] == "OVERLOADED")
        .collect();
    assert_eq!(
        shed.len(),
        8,
        "two in flight, the others at once: {answers:?}"
    );
    for answer in shed {
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_ne!(answer.header(header::RETRY_AFTER), "");
        assert_eq!(
            answer.header(header::CONTENT_TYPE),
            "application/problem+json"
        );
    }
    Ok(())
}

async fn history_away() -> anyhow::Result<()> {
    let broker = chassis::kafka::EmbeddedBroker::start([("orders.v1", 1)])?;
    let brokers = broker.bootstrap_servers();
    let gateway = Alone::start(&[("KAFKA__BROKERS", &brokers)]).await?;
    let key = [("idempotency-key", "k1")];
    let body = example(new_user()).to_string();
    let placed = gateway.rest.post_with("/order", &key, body).await?;
    assert_eq!(
        placed.status,
        StatusCode::ACCEPTED,
        "history is asked, not needed: {placed:?}"
    );
    let id = placed.json()["orderId"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let answer = gateway.rest.get(&format!("/orders/{id}")).await?;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
    assert_eq!(answer.json()["reason"], "DEPENDENCY_UNAVAILABLE");
    let stats = gateway.rest.get("/analytics/stats").await?;
    assert_eq!(stats.status, StatusCode::SERVICE_UNAVAILABLE);
    Ok(())
}
