//! Records with markup in all their parts, which become dead letters.

use std::time::Duration;

use e2e::footing::Footing;
use prost::{Message as _, Name as _};
use proto::events::v1::{OrderLine, OrderPlaced};
use rdkafka::{
    ClientConfig,
    message::{Header, OwnedHeaders},
    producer::{FutureProducer, FutureRecord},
};

const PATIENCE: Duration = Duration::from_secs(60);
/// Text that would run, were it taken for markup.
pub(crate) const MARKUP: &str = "<img src=x onerror=alert(1)>";

/// Puts a record where orders are that nobody can decode, with markup around it.
pub(crate) async fn undecodable(footing: &Footing) -> anyhow::Result<()> {
    let name = OrderPlaced::full_name();
    let headers = [("ce_type", &*name), ("x-note", MARKUP)];
    put(footing, "orders.v1", MARKUP, b"\xff no protobuf", &headers).await
}

/// Puts records with markup in all their parts where they become dead letters, three of
/// history's: one that nobody can decode, one that breaks every rule, and one that somebody
/// else wrote.
pub(crate) async fn three(footing: &Footing) -> anyhow::Result<()> {
    let of = |part: &str| format!("{MARKUP} {part}");
    undecodable(footing).await?;
    let order = OrderPlaced {
        order_id: of("payload"),
        currency_code: MARKUP.to_owned(),
        email: MARKUP.to_owned(),
        lines: vec![OrderLine {
            name: MARKUP.to_owned(),
            ..OrderLine::default()
        }],
        ..OrderPlaced::default()
    };
    let (key, header, value) = (of("key"), of("header"), of("value"));
    let name = OrderPlaced::full_name();
    let headers = [
        ("ce_type", &*name),
        ("traceparent", MARKUP),
        (&*header, &*value),
    ];
    put(footing, "orders.v1", &key, &order.encode_to_vec(), &headers).await?;
    let (kind, topic, class, message) = (of("type"), of("topic"), of("class"), of("message"));
    let headers = [
        ("ce_type", &*kind),
        ("dlq_origin_topic", &*topic),
        ("dlq_origin_partition", "0"),
        ("dlq_origin_offset", "0"),
        // No calendar holds it.
        ("dlq_origin_timestamp", "9000000000000000"),
        ("dlq_error_class", &*class),
        ("dlq_error_message", &*message),
    ];
    put(footing, "history.dlq.v1", &key, MARKUP.as_bytes(), &headers).await
}

async fn put(
    footing: &Footing,
    topic: &str,
    key: &str,
    payload: &[u8],
    headers: &[(&str, &str)],
) -> anyhow::Result<()> {
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", footing.brokers())
        .create()?;
    let topic = footing.topic(topic);
    let headers = headers
        .iter()
        .fold(OwnedHeaders::new(), |all, (key, value)| {
            let value = Some(*value);
            all.insert(Header { key, value })
        });
    let record = FutureRecord::to(&topic)
        .key(key)
        .payload(payload)
        .headers(headers);
    let sent = producer.send(record, PATIENCE).await;
    sent.map_err(|(error, _)| error)?;
    Ok(())
}
