//! Making and listing topics. Topics are made on purpose, never by publishing to
//! them.

use std::time::Duration;

use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    error::RDKafkaErrorCode,
    producer::{BaseProducer, Producer as _},
};

use super::KafkaOptions;

/// How long the cluster may take to answer.
const ANSWER: Duration = Duration::from_secs(15);

/// A topic that should be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    /// Its logical name.
    pub name: String,
    /// How many partitions it is made with.
    pub partitions: i32,
    /// How many brokers hold each partition; -1: the cluster's default.
    pub replication: i32,
    /// Topic settings, for instance `retention.ms`.
    pub config: Vec<(&'static str, String)>,
}

/// A topic as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicState {
    /// Its logical name.
    pub name: String,
    /// Its partitions.
    pub partitions: usize,
    /// Brokers that hold its first partition.
    pub replication: usize,
    /// Records in it, roughly: the sum over partitions of high minus low
    /// watermark.
    pub records: i64,
}

/// Makes the topics that are missing. Tells for each whether it was made (true)
/// or was there.
pub async fn ensure_topics(
    options: &KafkaOptions,
    specs: &[TopicSpec],
) -> anyhow::Result<Vec<(String, bool)>> {
    let admin: AdminClient<DefaultClientContext> = options.client("topics").create()?;
    let names: Vec<String> = specs.iter().map(|spec| options.topic(&spec.name)).collect();
    let topics: Vec<NewTopic<'_>> = specs
        .iter()
        .zip(&names)
        .map(|(spec, name)| NewTopic {
            name,
            num_partitions: spec.partitions,
            replication: TopicReplication::Fixed(spec.replication),
            config: spec
                .config
                .iter()
                .map(|(key, value)| (*key, value.as_str()))
                .collect(),
        })
        .collect();
    let results = admin
        .create_topics(
            &topics,
            &AdminOptions::new().operation_timeout(Some(ANSWER)),
        )
        .await?;
    let mut made = Vec::with_capacity(results.len());
    let mut failures = Vec::new();
    for (result, spec) in results.into_iter().zip(specs) {
        match result {
            Ok(_) => made.push((spec.name.clone(), true)),
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => made.push((spec.name.clone(), false)),
            Err((name, code)) => failures.push(format!("{name}: {code}")),
        }
    }
    anyhow::ensure!(
        failures.is_empty(),
        "topics could not be made: {}",
        failures.join(", ")
    );
    Ok(made)
}

/// Every topic whose logical name passes the filter. Blocks for as long as the
/// cluster takes.
pub fn list_topics(
    options: &KafkaOptions,
    filter: impl Fn(&str) -> bool,
) -> anyhow::Result<Vec<TopicState>> {
    let client: BaseProducer = options.client("topics").create()?;
    let metadata = client.client().fetch_metadata(None, ANSWER)?;
    let mut states = Vec::new();
    for topic in metadata.topics() {
        let name = options.logical(topic.name());
        if !filter(name) {
            continue;
        }
        let mut records = 0;
        for partition in topic.partitions() {
            let (low, high) =
                client
                    .client()
                    .fetch_watermarks(topic.name(), partition.id(), ANSWER)?;
            records += high - low;
        }
        states.push(TopicState {
            name: name.to_owned(),
            partitions: topic.partitions().len(),
            replication: topic.partitions().first().map_or(0, |p| p.replicas().len()),
            records,
        });
    }
    states.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(states)
}
