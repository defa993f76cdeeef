//! Puts dead letters back, to the service that gave them up.

use std::{collections::HashSet, ops::ControlFlow, time::Duration};

use anyhow::Context as _;
use rdkafka::{
    message::{Header, OwnedHeaders},
    producer::{FutureProducer, FutureRecord},
};

use super::{DeadLetter, Origin, origin, scan};
use crate::kafka::{KafkaOptions, Record, headers};

/// How long one record may take.
const DELIVERY: Duration = Duration::from_secs(15);

/// Headers that tell of the failure which a replay leaves behind.
const OF_THE_FAILURE: [&str; 5] = [
    headers::DLQ_GROUP,
    headers::DLQ_CLASS,
    headers::DLQ_MESSAGE,
    headers::DLQ_ATTEMPTS,
    headers::DLQ_REPLAYS,
];

/// What was put back to a service so far.
#[derive(Debug, Default)]
pub struct Replays(HashSet<(Origin, u32)>);

impl Replays {
    /// Reads a service's replay topic. Blocks.
    pub fn of(options: &KafkaOptions, service: &str) -> anyhow::Result<Self> {
        let mut replays = HashSet::new();
        scan(options, &KafkaOptions::replays(service), None, |record| {
            if let Some(origin) = origin(&record) {
                replays.insert((origin, count(&record)));
            }
            ControlFlow::Continue(())
        })?;
        Ok(Self(replays))
    }

    /// Whether this failure was put back already.
    pub fn contain(&self, letter: &DeadLetter) -> bool {
        self.0
            .contains(&(letter.origin.clone(), letter.replays + 1))
    }
}

fn count(record: &Record) -> u32 {
    let text = record.text_header(headers::DLQ_REPLAYS);
    text.and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// Puts letters of one service back, at most so many a second, and tells of each
/// when it is. Returns once every in-sync replica has them.
///
/// Who calls this twice with the same letters puts them back twice; see
/// [`Replays::contain`]. Their effects happen once all the same.
pub async fn replay(
    options: &KafkaOptions,
    service: &str,
    letters: &[DeadLetter],
    per_second: Option<u32>,
    mut done: impl FnMut(),
) -> anyhow::Result<()> {
    let producer: FutureProducer = options
        .client("dlq")
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("partitioner", "murmur2_random")
        .set("message.max.bytes", (4 * 1024 * 1024).to_string())
        .create()?;
    let topic = options.topic(&KafkaOptions::replays(service));
    let mut pace =
        per_second.map(|rate| tokio::time::interval(Duration::from_secs(1) / rate.max(1)));
    for letter in letters {
        if let Some(pace) = &mut pace {
            pace.tick().await;
        }
        let record = FutureRecord {
            topic: &topic,
            partition: None,
            payload: letter.record.payload(),
            key: letter.record.key(),
            timestamp: None,
            headers: Some(replay_headers(letter)),
        };
        producer
            .send(record, DELIVERY)
            .await
            .map_err(|(error, _)| error)
            .with_context(|| format!("{} was not put back", letter.id()))?;
        done();
    }
    Ok(())
}

/// The record's own headers and where it first stood, and how often it has been
/// put back.
fn replay_headers(letter: &DeadLetter) -> OwnedHeaders {
    let mut out = OwnedHeaders::new();
    for (name, value) in letter.record.headers() {
        let name = String::from_utf8_lossy(name);
        if !OF_THE_FAILURE.contains(&&*name) {
            out = out.insert(Header { key: &name, value });
        }
    }
    if origin(&letter.record).is_none() {
        let at = &letter.origin;
        for (key, value) in [
            (headers::DLQ_TOPIC, at.topic.clone()),
            (headers::DLQ_PARTITION, at.partition.to_string()),
            (headers::DLQ_OFFSET, at.offset.to_string()),
        ] {
            let value = Some(&value);
            out = out.insert(Header { key, value });
        }
    }
    let count = (letter.replays + 1).to_string();
    out.insert(Header {
        key: headers::DLQ_REPLAYS,
        value: Some(&count),
    })
}
