//! axum alone, and axum with rdkafka: what a gateway could reach that did nothing
//! else. Each runs as a process of its own, as the gateway does.

use std::{env, time::Duration};

use ::axum::{Json, Router, extract::State, http::StatusCode, routing::post};
use anyhow::Context as _;
use bytes::Bytes;
use clap::Args;
use rdkafka::{
    ClientConfig,
    producer::{FutureProducer, FutureRecord},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Arguments {}

#[derive(Debug, Clone, Args)]
pub(crate) struct KafkaArguments {
    #[arg(long)]
    brokers: String,
    #[arg(long)]
    topic: String,
    /// Any of the producer's settings, as librdkafka names it.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    settings: Vec<String>,
}

pub(crate) fn alone(_: Arguments) -> anyhow::Result<()> {
    let router = Router::new().route("/order", post(async |body: Bytes| answer(&body)));
    serve(router)
}

fn answer(body: &[u8]) -> (StatusCode, Json<Value>) {
    // Parsed, as no server could do without.
    match serde_json::from_slice::<Value>(body) {
        Ok(order) => {
            let user = &order["userId"];
            let order_id = uuid::Uuid::now_v7();
            let answer = json!({ "orderId": order_id, "userId": user });
            (StatusCode::ACCEPTED, Json(answer))
        }
        Err(_) => (StatusCode::BAD_REQUEST, Json(Value::Null)),
    }
}

pub(crate) fn with_kafka(arguments: KafkaArguments) -> anyhow::Result<()> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &arguments.brokers)
        .set("acks", "all")
        .set("enable.idempotence", "true");
    for setting in &arguments.settings {
        let (name, value) = setting.split_once('=').context("--set NAME=VALUE")?;
        config.set(name, value);
    }
    let producer: FutureProducer = config.create()?;
    let router = Router::new()
        .route("/order", post(publish))
        .with_state((producer, arguments.topic));
    serve(router)
}

async fn publish(
    State((producer, topic)): State<(FutureProducer, String)>,
    body: Bytes,
) -> (StatusCode, Json<Value>) {
    let (status, answer) = answer(&body);
    if status != StatusCode::ACCEPTED {
        return (status, answer);
    }
    let key = uuid::Uuid::now_v7();
    let record = FutureRecord::to(&topic).key(key.as_bytes()).payload(&*body);
    match producer.send(record, Duration::from_secs(10)).await {
        Ok(_) => (status, answer),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, Json(Value::Null)),
    }
}

fn serve(router: Router) -> anyhow::Result<()> {
    let port: u16 = env::var("PORT").context("PORT")?.parse()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        println!("ready");
        ::axum::serve(listener, router).await?;
        Ok(())
    })
}
