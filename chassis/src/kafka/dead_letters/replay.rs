//! Puts dead letters back, to the service that gave them up.

use std::{
    collections::{BTreeMap, HashSet},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use rdkafka::{
    message::{Header, OwnedHeaders},
    producer::{FutureProducer, FutureRecord},
};

use super::{DeadLetter, Found, Late, Origin, origin};
use crate::kafka::{
    KafkaOptions, Record, headers,
    reader::{self, From, Stretch, Then},
};

/// How long services remember ids. An older event may have had its effect and be
/// forgotten, so that its replay would have it again.
pub const REMEMBERED: Duration = Duration::from_secs(45 * 24 * 60 * 60);

/// How far clocks of those who write may differ, amply.
const CLOCKS: i64 = 5 * 60 * 1_000;

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

/// What was put back to services.
#[derive(Debug, Default)]
pub struct Replays(HashSet<(String, Origin, u32)>);

impl Replays {
    /// Reads services' replay topics, each from its time on (milliseconds since the Unix
    /// epoch). Blocks, until the deadline at most.
    pub fn since(
        options: &KafkaOptions,
        services: &BTreeMap<String, i64>,
        deadline: Option<Instant>,
    ) -> anyhow::Result<Self> {
        let mut replays = HashSet::new();
        let stretches: Vec<Stretch> = services
            .iter()
            .map(|(service, since)| {
                let from = From::Since(since.saturating_sub(CLOCKS).max(0));
                Stretch::of(KafkaOptions::replays(service), from)
            })
            .collect();
        if stretches.is_empty() {
            return Ok(Self::default());
        }
        let read = reader::read(options, &stretches, deadline, |record| {
            let service = services
                .keys()
                .find(|service| KafkaOptions::replays(service) == record.topic());
            if let (Some(service), Some(origin)) = (service, origin(&record)) {
                replays.insert((service.clone(), origin, count(&record)));
            }
            Then::Next
        })?;
        anyhow::ensure!(read.complete, Late);
        Ok(Self(replays))
    }

    /// Whether this failure was put back already.
    pub fn contain(&self, letter: &DeadLetter) -> bool {
        let failure = (
            letter.service.clone(),
            letter.origin.clone(),
            letter.replays + 1,
        );
        self.0.contains(&failure)
    }
}

/// What becomes of letters that somebody wants put back.
#[derive(Debug, Clone, Default)]
pub struct Triage {
    /// They can be.
    pub waiting: Vec<DeadLetter>,
    /// They were before.
    pub before: Vec<DeadLetter>,
    /// Services no longer know whether they took effect; see [`REMEMBERED`].
    pub too_old: Vec<DeadLetter>,
}

impl Triage {
    /// As of now, in milliseconds since the Unix epoch. `force` puts back old ones, too.
    pub fn of(found: Vec<Found>, now_ms: i64, force: bool) -> Self {
        let remembered = i64::try_from(REMEMBERED.as_millis()).unwrap_or(i64::MAX);
        let oldest = now_ms.saturating_sub(remembered);
        let mut triage = Self::default();
        for Found { letter, is_back } in found {
            let pile = if is_back {
                &mut triage.before
            } else if force || letter.origin_timestamp_ms >= oldest {
                &mut triage.waiting
            } else {
                &mut triage.too_old
            };
            pile.push(letter);
        }
        triage
    }
}

fn count(record: &Record) -> u32 {
    let text = record.text_header(headers::DLQ_REPLAYS);
    text.and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// Puts letters of one service back, at most so many a second, and tells of each
/// when it is. Returns once every in-sync replica has them.
///
/// Who calls this twice with the same letters puts them back twice; see [`Triage`]. Their effects happen once all the same.
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
