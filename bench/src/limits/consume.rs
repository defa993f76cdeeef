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
/// How often all of it is read and measured.
const READINGS: i64 = 3;

/// Reads all records of topics, of which there are so many, and decodes them; gives
/// records a second.
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
        // With the default of a second the reader waits whenever it was slower than
        // what fetches for it.
        .set("fetch.queue.backoff.ms", "10")
        // A reading ends with a fetch that finds nothing, and the next begins behind it.
        .set("fetch.wait.max.ms", "10")
        .create()?;
    let mut all = TopicPartitionList::new();
    for topic in topics {
        let metadata = consumer.fetch_metadata(Some(topic), SILENCE)?;
        for partition in metadata.topics().iter().flat_map(MetadataTopic::partitions) {
            all.add_partition_offset(topic, partition.id(), Offset::Offset(0))?;
        }
    }
    // The first connects, and is not measured.
    read_once(&consumer, &all, records)?;
    let begin = Instant::now();
    for _ in 0..READINGS {
        read_once(&consumer, &all, records)?;
    }
    Ok(float(READINGS * records) / begin.elapsed().as_secs_f64())
}

fn read_once(
    consumer: &BaseConsumer,
    all: &TopicPartitionList,
    records: i64,
) -> anyhow::Result<()> {
    consumer.assign(all)?;
    for count in 0..records {
        let record = consumer.poll(SILENCE);
        let record =
            record.ok_or_else(|| anyhow::anyhow!("{count} of {records} records came"))??;
        decode(&record)?;
    }
    // What it goes on to fetch belongs to no reading.
    consumer.unassign()?;
    Ok(())
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
