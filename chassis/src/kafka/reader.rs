//! Reads stretches of topics to their ends, as they are when it begins.
//!
//! Invariant: it joins no group and commits nothing, so nobody else notices. Where the
//! end is, is asked first: what is written meanwhile is not read, so reading ends
//! however fast others write.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
    message::Message as _,
    metadata::{MetadataPartition, MetadataTopic},
};

use super::{KafkaOptions, Record, partition::partition};

/// How long the cluster may be silent.
const ANSWER: Duration = Duration::from_secs(15);

/// Where reading begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// With the oldest record.
    Beginning,
    /// With the first written since then, in milliseconds since the Unix epoch. The
    /// embedded broker knows no times: there it is the beginning.
    Since(i64),
    /// So many before the end.
    Last(i64),
    /// With this offset, or the oldest after it.
    Offset(i64),
}

/// A part of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// The topic, by its logical name.
    pub topic: String,
    /// Which of its partitions.
    pub part: Part,
    /// From where, to the end.
    pub from: From,
}

impl Stretch {
    /// Of every partition of a topic, by its logical name.
    pub fn of(topic: impl Into<String>, from: From) -> Self {
        Self {
            topic: topic.into(),
            part: Part::All,
            from,
        }
    }
}

/// Partitions of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Every one.
    All,
    /// This one.
    Partition(i32),
    /// The one that has the records of a key.
    Key(Vec<u8>),
}

impl Part {
    fn of(&self, all: Vec<i32>) -> Vec<i32> {
        let only = match self {
            Self::All => return all,
            Self::Partition(partition) => *partition,
            Self::Key(key) => partition(key, i32::try_from(all.len()).unwrap_or(i32::MAX)),
        };
        all.into_iter()
            .filter(|partition| *partition == only)
            .collect()
    }
}

/// What to do after a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Go on.
    Next,
    /// Nothing more of its partition.
    Enough,
    /// Nothing more at all.
    Stop,
}

/// How reading ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Read {
    /// Whether it came to every end, or to where it was told to; not when the deadline
    /// passed before.
    pub complete: bool,
    /// Whether there are older records than those that [`From::Last`] began with.
    pub older: bool,
}

/// Hands on every record of these stretches, in the order of each partition. Blocks.
pub fn read(
    options: &KafkaOptions,
    stretches: &[Stretch],
    deadline: Option<Instant>,
    mut each: impl FnMut(Record) -> Then,
) -> anyhow::Result<Read> {
    let consumer = consumer(options)?;
    let reader = Reader {
        options,
        consumer: &consumer,
        deadline,
    };
    let Some(mut open) = reader.open(stretches)? else {
        return Ok(Read {
            complete: false,
            older: false,
        });
    };
    let topics: HashMap<String, Arc<str>> = stretches
        .iter()
        .map(|stretch| (options.topic(&stretch.topic), stretch.topic.as_str().into()))
        .collect();
    let older = open.older;
    while !open.partitions.is_empty() {
        let Some(patience) = reader.patience() else {
            return Ok(Read {
                complete: false,
                older,
            });
        };
        let message = match consumer.poll(patience) {
            Some(Ok(message)) => message,
            // Which topic's it is, is not told; its last record has told the same.
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                if let [topic] = stretches {
                    open.partitions
                        .remove(&(options.topic(&topic.topic), partition));
                }
                continue;
            }
            Some(Err(error)) => return Err(error).context("reading"),
            None if deadline.is_some() => continue,
            None => anyhow::bail!("Kafka did not answer for {ANSWER:?}"),
        };
        let key = (message.topic().to_owned(), message.partition());
        let Some(end) = open.partitions.get(&key).map(|range| range.end) else {
            continue;
        };
        let Some(topic) = topics.get(&key.0) else {
            continue;
        };
        let is_last = message.offset() + 1 >= end;
        let then = if message.offset() < end {
            each(Record::copy(Arc::clone(topic), &message))
        } else {
            Then::Enough
        };
        match then {
            Then::Next if !is_last => {}
            Then::Next | Then::Enough => {
                open.partitions.remove(&key);
                let mut done = TopicPartitionList::new();
                done.add_partition(&key.0, key.1);
                consumer.pause(&done)?;
            }
            Then::Stop => break,
        }
    }
    Ok(Read {
        complete: true,
        older,
    })
}

fn consumer(options: &KafkaOptions) -> anyhow::Result<BaseConsumer> {
    let mut config = options.client("reader");
    config
        .set("group.id", options.group("reader"))
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("isolation.level", "read_committed")
        .set("auto.offset.reset", "earliest")
        // Whoever waits for the end waits for an empty fetch, too.
        .set("fetch.wait.max.ms", "10")
        // Somebody looks, beside a service's own work: little is fetched ahead.
        .set("queued.max.messages.kbytes", "4096")
        .set("fetch.max.bytes", (8 * 1024 * 1024).to_string());
    Ok(config.create()?)
}

struct Reader<'r> {
    options: &'r KafkaOptions,
    consumer: &'r BaseConsumer,
    deadline: Option<Instant>,
}

/// A partition: the topic's name on the cluster, and its number.
type Key = (String, i32);

/// What is to be read: of each partition from which offset to which.
#[derive(Debug, Default)]
struct Open {
    partitions: BTreeMap<Key, Range<i64>>,
    older: bool,
}

impl Reader<'_> {
    /// How long to wait now; `None` when there is no more time.
    fn patience(&self) -> Option<Duration> {
        match self.deadline {
            None => Some(ANSWER),
            Some(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                (!left.is_zero()).then_some(left.min(ANSWER))
            }
        }
    }

    /// Assigns the stretches; `None` when there is no more time.
    fn open(&self, stretches: &[Stretch]) -> anyhow::Result<Option<Open>> {
        let mut open = Open::default();
        let mut timed = TopicPartitionList::new();
        for stretch in stretches {
            let topic = self.options.topic(&stretch.topic);
            let Some(partitions) = self.partitions(&topic)? else {
                return Ok(None);
            };
            for partition in stretch.part.of(partitions) {
                let Some(patience) = self.patience() else {
                    return Ok(None);
                };
                let (low, high) = self
                    .consumer
                    .fetch_watermarks(&topic, partition, patience)
                    .with_context(|| format!("topic {topic}"))?;
                let at = match stretch.from {
                    From::Beginning => low,
                    From::Since(_) if self.options.admission().is_some() => low,
                    From::Since(millis) => {
                        timed.add_partition_offset(&topic, partition, Offset::Offset(millis))?;
                        low
                    }
                    From::Last(count) => low.max(high.saturating_sub(count)),
                    From::Offset(offset) => low.max(offset),
                };
                open.older |= matches!(stretch.from, From::Last(_)) && at > low;
                open.partitions.insert((topic.clone(), partition), at..high);
            }
        }
        if timed.count() > 0 {
            let Some(patience) = self.patience() else {
                return Ok(None);
            };
            for found in self.consumer.offsets_for_times(timed, patience)?.elements() {
                let key = (found.topic().to_owned(), found.partition());
                if let Some(range) = open.partitions.get_mut(&key) {
                    range.start = match found.offset() {
                        Offset::Offset(at) => at,
                        // Nothing is as young.
                        _ => range.end,
                    };
                }
            }
        }
        open.partitions.retain(|_, range| !range.is_empty());
        let mut assigned = TopicPartitionList::new();
        for ((topic, partition), range) in &open.partitions {
            assigned.add_partition_offset(topic, *partition, Offset::Offset(range.start))?;
        }
        self.consumer.assign(&assigned)?;
        Ok(Some(open))
    }

    fn partitions(&self, topic: &str) -> anyhow::Result<Option<Vec<i32>>> {
        let Some(patience) = self.patience() else {
            return Ok(None);
        };
        let metadata = self
            .consumer
            .fetch_metadata(Some(topic), patience)
            .with_context(|| format!("topic {topic}"))?;
        let partitions: Vec<i32> = metadata
            .topics()
            .iter()
            .filter(|found| found.name() == topic)
            .flat_map(MetadataTopic::partitions)
            .map(MetadataPartition::id)
            .collect();
        anyhow::ensure!(
            !partitions.is_empty(),
            "topic {topic} does not exist; `ordermesh topics create` makes it"
        );
        Ok(Some(partitions))
    }
}
