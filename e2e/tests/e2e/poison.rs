//! Records that never will work go to the dead-letter topics; the services go on.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Context as _;
use e2e::{
    footing::{Footing, Kind, STORING},
    orders::{example, new_user},
};
use http::StatusCode;
use rdkafka::{
    ClientConfig, Message as _,
    consumer::{Consumer as _, StreamConsumer},
    message::{Header, OwnedHeaders},
    producer::{FutureProducer, FutureRecord},
};
use testkit::harness::Test;

use crate::on_both_alone;

pub(crate) fn tests() -> Vec<Test> {
    on_both_alone(
        "poison goes to every service's dead letters and nobody stops",
        poison,
    )
    .into()
}

async fn poison(kind: Kind) -> anyhow::Result<()> {
    let mut footing = Footing::start(kind, &[]).await?;
    let topic = footing.topic("orders.v1");
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", footing.brokers())
        .create()?;
    let typed = |kind: &'static str| {
        OwnedHeaders::new().insert(Header {
            key: "ce_type",
            value: Some(kind),
        })
    };
    let placed = "ordermesh.events.v1.OrderPlaced";
    let planted: [(&str, &[u8], OwnedHeaders); 4] = [
        ("undecodable", b"\xff\xff\xff not protobuf", typed(placed)),
        ("undecodable", b"", typed(placed)),
        (
            "unsupported",
            b"\x0a\x01x",
            typed("ordermesh.events.v2.OrderPlaced"),
        ),
        ("invalid", b"\x0a\x01x", typed(placed)),
    ];
    for (class, value, headers) in planted.clone() {
        let record = FutureRecord::to(&topic)
            .key(class)
            .payload(value)
            .headers(headers);
        let sent = producer.send(record, Duration::from_secs(10)).await;
        sent.map_err(|(error, _)| error)?;
    }
    let order = footing
        .rest
        .post("/order", &example(new_user()))
        .await?
        .json();
    let id = order["orderId"].as_str().unwrap_or_default();
    let last = footing
        .rest
        .get(&format!("/orders/{id}?wait=20s&until=final"))
        .await?;
    assert_eq!(last.status, StatusCode::OK, "the services go on: {last:?}");

    let mut expected: Vec<(String, Vec<u8>)> = planted
        .iter()
        .map(|(class, value, _)| ((*class).to_owned(), value.to_vec()))
        .collect();
    expected.sort();
    for service in STORING {
        let mut letters = dead_letters(&footing, service, planted.len()).await?;
        letters.sort();
        assert_eq!(
            letters, expected,
            "{service}: every one, byte for byte, with its class"
        );
    }
    footing.down().await
}

/// Class and value of a service's dead letters.
async fn dead_letters(
    footing: &Footing,
    service: &str,
    count: usize,
) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let consumer: StreamConsumer = ClientConfig::new()
        .set("bootstrap.servers", footing.brokers())
        .set("group.id", format!("test.{}", uuid::Uuid::now_v7()))
        .set("auto.offset.reset", "earliest")
        .set("fetch.wait.max.ms", "10")
        .create()?;
    consumer.subscribe(&[&footing.topic(&format!("{service}.dlq.v1"))])?;
    let mut letters = Vec::new();
    while letters.len() < count {
        let message = tokio::time::timeout(Duration::from_secs(30), consumer.recv())
            .await
            .with_context(|| format!("{service}: {} of {count} letters came", letters.len()))??;
        let headers: BTreeMap<String, String> = message
            .headers()
            .into_iter()
            .flat_map(rdkafka::message::Headers::iter)
            .map(|header| {
                let value = String::from_utf8_lossy(header.value.unwrap_or_default());
                (header.key.to_owned(), value.into_owned())
            })
            .collect();
        assert_eq!(headers["dlq_origin_topic"], "orders.v1");
        assert!(headers["dlq_consumer_group"].ends_with(&format!("ordermesh.{service}")));
        let value = message.payload().unwrap_or_default().to_vec();
        letters.push((headers["dlq_error_class"].clone(), value));
    }
    Ok(letters)
}
