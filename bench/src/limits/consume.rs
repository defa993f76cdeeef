//! Reading records and decoding them, and nothing else: what a consumer could
//! reach that did no work.

use std::time::{Duration, Instant};

use chassis::kafka::headers;
use prost::{Message, Name};
use proto::events::v1::{NotificationSent, OrderPlaced, PaymentSettled};
use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    message::{BorrowedMessage, Headers as _},
    metadata::MetadataTopic,
};

use crate::series::float;

/// Nothing came for so long: something is wrong.
const SILENCE: Duration = Duration::from_secs(20);

/// Reads so many records of topics and decodes them; gives records a second.
pub(crate) async fn rate(
    brokers: String,
    topics: Vec<String>,
    records: i64,
) -> anyhow::Result<f64> {
    tokio::task::spawn_blocking(move || read(&brokers, &topics, records)).await?
}

fn read(brokers: &str, topics: &[String], records: i64) -> anyhow::Result<f64> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "limit")
        .set("enable.auto.commit", "false")
        .create()?;
    let mut all = TopicPartitionList::new();
    for topic in topics {
        let metadata = consumer.fetch_metadata(Some(topic), SILENCE)?;
        for partition in metadata.topics().iter().flat_map(MetadataTopic::partitions) {
            all.add_partition_offset(topic, partition.id(), Offset::Beginning)?;
        }
    }
    consumer.assign(&all)?;
    let mut begin = None;
    let mut count = 0_i64;
    while count < records {
        let record = consumer.poll(SILENCE);
        let record =
            record.ok_or_else(|| anyhow::anyhow!("{count} of {records} records came"))??;
        begin.get_or_insert_with(Instant::now);
        decode(&record)?;
        count += 1;
    }
    let seconds = begin.map_or(f64::NAN, |begin| begin.elapsed().as_secs_f64());
    Ok(float(count) / seconds)
}

fn decode(record: &BorrowedMessage<'_>) -> anyhow::Result<()> {
    let kind = record.headers().and_then(|headers| {
        headers
            .iter()
            .find(|header| header.key == headers::CE_TYPE)
            .and_then(|header| header.value)
    });
    let payload = record.payload().unwrap_or_default();
    match kind {
        Some(kind) if kind == PaymentSettled::full_name().as_bytes() => {
            keep::<PaymentSettled>(payload)
        }
        Some(kind) if kind == NotificationSent::full_name().as_bytes() => {
            keep::<NotificationSent>(payload)
        }
        _ => keep::<OrderPlaced>(payload),
    }
}

/// Decodes so that the compiler cannot leave it out.
fn keep<M: Message + Name + Default>(payload: &[u8]) -> anyhow::Result<()> {
    std::hint::black_box(M::decode(payload)?);
    Ok(())
}
