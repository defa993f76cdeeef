//! Reads a topic from a point in time to its end, as it is now.

use std::{collections::BTreeSet, ops::ControlFlow, sync::Arc, time::Duration};

use anyhow::Context as _;
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
    metadata::{MetadataPartition, MetadataTopic},
};

use crate::kafka::{KafkaOptions, Record};

/// How long the cluster may be silent.
const ANSWER: Duration = Duration::from_secs(15);

/// Hands on every record of a topic, by its logical name, that was written since
/// then (milliseconds since the Unix epoch), until the topic's end or until told
/// to stop. Joins no group and commits nothing. Blocks.
pub fn scan(
    options: &KafkaOptions,
    topic: &str,
    since_ms: Option<i64>,
    mut each: impl FnMut(Record) -> ControlFlow<()>,
) -> anyhow::Result<()> {
    let consumer: BaseConsumer = options
        .client("dlq")
        .set("group.id", options.group("dlq"))
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("isolation.level", "read_committed")
        .create()?;
    let full_name = options.topic(topic);
    let (assignment, mut open) = assignment(&consumer, &full_name, since_ms)
        .with_context(|| format!("topic {full_name}"))?;
    consumer.assign(&assignment)?;
    let name: Arc<str> = topic.into();
    while !open.is_empty() {
        match consumer.poll(ANSWER) {
            Some(Ok(message)) => {
                if each(Record::copy(Arc::clone(&name), &message)).is_break() {
                    return Ok(());
                }
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                open.remove(&partition);
            }
            Some(Err(error)) => return Err(error).context(format!("topic {full_name}")),
            None => anyhow::bail!("Kafka did not answer for {ANSWER:?}"),
        }
    }
    Ok(())
}

fn assignment(
    consumer: &BaseConsumer,
    topic: &str,
    since_ms: Option<i64>,
) -> anyhow::Result<(TopicPartitionList, BTreeSet<i32>)> {
    let metadata = consumer.fetch_metadata(Some(topic), ANSWER)?;
    let partitions: BTreeSet<i32> = metadata
        .topics()
        .iter()
        .filter(|found| found.name() == topic)
        .flat_map(MetadataTopic::partitions)
        .map(MetadataPartition::id)
        .collect();
    anyhow::ensure!(
        !partitions.is_empty(),
        "does not exist; `ordermesh topics create` makes it"
    );
    let mut list = TopicPartitionList::new();
    for partition in &partitions {
        let from = since_ms.map_or(Offset::Beginning, Offset::Offset);
        list.add_partition_offset(topic, *partition, from)?;
    }
    if since_ms.is_some() {
        list = consumer.offsets_for_times(list, ANSWER)?;
    }
    Ok((list, partitions))
}
