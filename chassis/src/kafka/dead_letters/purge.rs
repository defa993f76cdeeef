//! Forgets dead letters.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Context as _;
use rdkafka::{
    Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions},
    client::DefaultClientContext,
};

use crate::kafka::{
    KafkaOptions,
    reader::{self, From, Stretch, Then},
};

/// How long the cluster may take to answer.
const ANSWER: Duration = Duration::from_secs(15);

/// What a purge takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Purge {
    /// Of each partition, the first offset that stays.
    pub keep_from: BTreeMap<i32, i64>,
    /// How many letters go.
    pub letters: usize,
}

impl Purge {
    /// The letters of a service that were written before then (milliseconds since
    /// the Unix epoch). A topic forgets from its beginning only, so of each
    /// partition those go that stand before the first that stays. Blocks.
    pub fn before(options: &KafkaOptions, service: &str, before_ms: i64) -> anyhow::Result<Self> {
        let mut purge = Self::default();
        let mut closed: BTreeMap<i32, bool> = BTreeMap::new();
        let stretch = Stretch::of(KafkaOptions::dead_letters(service), From::Beginning);
        reader::read(options, &[stretch], None, |letter| {
            let is_closed = closed.entry(letter.partition()).or_default();
            *is_closed |= letter.timestamp_ms() >= before_ms;
            if *is_closed {
                return Then::Enough;
            }
            purge.letters += 1;
            purge
                .keep_from
                .insert(letter.partition(), letter.offset() + 1);
            Then::Next
        })?;
        Ok(purge)
    }
}

/// Forgets them, for good.
pub async fn purge(options: &KafkaOptions, service: &str, purge: &Purge) -> anyhow::Result<()> {
    if purge.keep_from.is_empty() {
        return Ok(());
    }
    let topic = options.topic(&KafkaOptions::dead_letters(service));
    let admin: AdminClient<DefaultClientContext> = options.client("dlq").create()?;
    let mut offsets = TopicPartitionList::new();
    for (partition, offset) in &purge.keep_from {
        offsets.add_partition_offset(&topic, *partition, Offset::Offset(*offset))?;
    }
    let options = AdminOptions::new().operation_timeout(Some(ANSWER));
    let results = admin.delete_records(&offsets, &options).await?;
    for element in results.elements() {
        element
            .error()
            .with_context(|| format!("partition {} of {topic}", element.partition()))?;
    }
    Ok(())
}
