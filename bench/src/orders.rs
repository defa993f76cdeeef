//! Orders as the gateway puts them on Kafka, to fill a topic with.

use std::time::{Duration, Instant};

use chassis::kafka::headers;
use prost::{Message as _, Name as _};
use proto::{
    event::{ContentHash, PlacedLine, PlacedOrder},
    events::v1::OrderPlaced,
    id::{OrderId, ProductId, UserId},
    money::{Currency, Money},
    time::UnixMicros,
};
use rdkafka::{
    ClientConfig,
    error::{KafkaError, RDKafkaErrorCode},
    message::{Header, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, Producer as _},
};

use crate::series::float;

/// Users and products of the backlog.
const USERS: i64 = 10_000;
const PRODUCTS: i64 = 500;
const FLUSH: Duration = Duration::from_secs(30);

/// One order of a backlog: one line, so one mail.
pub(crate) fn order(number: i64) -> anyhow::Result<PlacedOrder> {
    Ok(PlacedOrder {
        order_id: OrderId::random(),
        user_id: UserId::try_from(number % USERS + 1)?,
        lines: vec![PlacedLine {
            product_id: ProductId::try_from(number % PRODUCTS + 1)?,
            name: format!("Product {}", number % PRODUCTS + 1),
            unit_price: 999,
            quantity: 1,
        }],
        total: Money::new(999, Currency::USD),
        email: "buyer@customers.example".parse()?,
        payment_token: None,
        placed_at: UnixMicros::now(),
        content_hash: ContentHash([7; 32]),
    })
}

/// As the gateway's, in a trace that is not kept, as nearly all are under load.
fn headers_of(order: &PlacedOrder, key: &str, full_name: &str) -> OwnedHeaders {
    let trace = order.order_id.as_uuid().as_simple().to_string();
    let traceparent = format!("00-{trace}-{}-00", &trace[..16]);
    let time = order.placed_at.to_string();
    let headers = [
        (headers::CE_SPECVERSION, "1.0"),
        (headers::CE_ID, key),
        (headers::CE_TYPE, full_name),
        (headers::CE_SOURCE, "/ordermesh/gateway"),
        (headers::CE_TIME, &time),
        (headers::CONTENT_TYPE, headers::PROTOBUF),
        (headers::TRACEPARENT, &traceparent),
    ];
    let all = OwnedHeaders::new_with_capacity(headers.len());
    headers.into_iter().fold(all, |all, (key, value)| {
        let value = Some(value);
        all.insert(Header { key, value })
    })
}

/// Puts so many orders on a topic, as fast as one thread and the producer can; gives
/// records a second.
pub(crate) async fn fill(brokers: String, topic: String, orders: i64) -> anyhow::Result<f64> {
    tokio::task::spawn_blocking(move || fill_now(&brokers, &topic, orders)).await?
}

fn fill_now(brokers: &str, topic: &str, orders: i64) -> anyhow::Result<f64> {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("linger.ms", "5")
        .set("compression.type", "lz4")
        .set("partitioner", "murmur2_random")
        .create()?;
    let full_name = OrderPlaced::full_name();
    // Connecting, and asking for a producer's id, is not producing.
    let unmeasured = orders / 10;
    let mut begin = Instant::now();
    for number in 1..=orders {
        if number == unmeasured + 1 {
            producer.flush(FLUSH)?;
            begin = Instant::now();
        }
        let order = order(number)?;
        let (key, value) = (order.key(), OrderPlaced::from(&order).encode_to_vec());
        let mut record = BaseRecord::to(topic)
            .key(&key)
            .payload(&value)
            .headers(headers_of(&order, &key, &full_name));
        loop {
            match producer.send(record) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), again)) => {
                    producer.poll(Duration::from_millis(5));
                    record = again;
                }
                Err((error, _)) => return Err(error.into()),
            }
        }
        producer.poll(Duration::ZERO);
    }
    producer.flush(FLUSH)?;
    Ok(float(orders - unmeasured) / begin.elapsed().as_secs_f64())
}
