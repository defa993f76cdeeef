//! A broker inside the process, for trying out and developing.
//!
//! It is librdkafka's mock cluster: the real protocol on a loopback port, in
//! memory, gone with the process. It drops the oldest records of a partition
//! beyond 5 MiB or 100,000 records, read or not. So [`Admission`] refuses new
//! records before the slowest reader's backlog reaches half of that bound; with
//! that, an accepted record is lost only with the process.

use std::{
    collections::{HashMap, VecDeque},
    ffi::CString,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rdkafka::{ClientConfig, producer::BaseProducer};

use super::{Ack, raw::MockCluster};

/// Half of what the broker keeps of a partition (rdkafka_mock.c: 5 MiB).
const MAX_UNREAD_BYTES: u64 = 5 * 1024 * 1024 / 2;
/// Half of what the broker keeps of a partition (rdkafka_mock.c: 100,000).
const MAX_UNREAD_RECORDS: i64 = 50_000;
/// Records between two marks of how many bytes came before an offset.
const MARK_EVERY: i64 = 64;

/// A running embedded broker. It ends when this is dropped.
pub struct EmbeddedBroker {
    cluster: MockCluster,
    // Declared after the cluster, which lives inside of it.
    _client: BaseProducer,
}

impl std::fmt::Debug for EmbeddedBroker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EmbeddedBroker")
    }
}

impl EmbeddedBroker {
    /// Starts a broker with these topics, on a free loopback port.
    pub fn start<'t>(topics: impl IntoIterator<Item = (&'t str, i32)>) -> anyhow::Result<Self> {
        let client: BaseProducer = ClientConfig::new()
            .set("test.mock.num.brokers", "1")
            .set("client.id", "ordermesh.embedded")
            // Its only news is that it is a mock.
            .set("log_level", "0")
            .create()?;
        let cluster = MockCluster::of(&client)
            .ok_or_else(|| anyhow::anyhow!("librdkafka was built without its mock cluster"))?;
        cluster.set_initial_rebalance_delay(Duration::ZERO);
        for (topic, partitions) in topics {
            let name = CString::new(topic)?;
            anyhow::ensure!(
                cluster.create_topic(&name, partitions),
                "the embedded broker refused the topic {topic}"
            );
        }
        Ok(Self {
            cluster,
            _client: client,
        })
    }

    /// Where it listens, as `host:port`.
    pub fn bootstrap_servers(&self) -> String {
        self.cluster.bootstrap_servers()
    }
}

/// Keeps the backlog of every partition below what the embedded broker holds.
///
/// Invariant: `unread` of a partition counts at least the bytes between its
/// slowest group's position and its end; it may count up to [`MARK_EVERY`]
/// records too many, never too few. A group that never read counts from the
/// start.
#[derive(Debug, Default)]
pub struct Admission(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    readers: HashMap<String, Vec<Arc<str>>>,
    partitions: HashMap<(String, i32), Backlog>,
}

#[derive(Debug, Default)]
struct Backlog {
    /// One past the last record.
    end: i64,
    /// Bytes of all records.
    bytes: u64,
    /// Bytes of all records before an offset, every few records.
    marks: VecDeque<(i64, u64)>,
    positions: HashMap<Arc<str>, i64>,
}

impl Admission {
    /// A group reads these topics.
    pub fn subscribe(&self, group: &str, topics: &[&str]) {
        let group: Arc<str> = group.into();
        let mut state = self.state();
        for topic in topics {
            state
                .readers
                .entry((*topic).to_owned())
                .or_default()
                .push(Arc::clone(&group));
        }
    }

    /// Whether a topic can take one more record.
    pub fn admits(&self, topic: &str) -> bool {
        let state = self.state();
        let Some(readers) = state.readers.get(topic) else {
            return true;
        };
        state
            .partitions
            .iter()
            .filter(|((of, _), _)| of == topic)
            .all(|(_, backlog)| backlog.fits(readers))
    }

    /// A record is on the broker.
    pub fn published(&self, topic: &str, ack: Ack, bytes: usize) {
        let mut state = self.state();
        let backlog = state
            .partitions
            .entry((topic.to_owned(), ack.partition))
            .or_default();
        if backlog
            .marks
            .back()
            .is_none_or(|(at, _)| ack.offset >= at + MARK_EVERY)
        {
            backlog.marks.push_back((ack.offset, backlog.bytes));
        }
        backlog.end = backlog.end.max(ack.offset + 1);
        backlog.bytes += bytes as u64;
    }

    /// A group has settled everything before an offset.
    pub fn consumed(&self, group: &str, topic: &str, partition: i32, position: i64) {
        let mut state = self.state();
        let readers = state.readers.get(topic).cloned().unwrap_or_default();
        let backlog = state
            .partitions
            .entry((topic.to_owned(), partition))
            .or_default();
        backlog.positions.insert(group.into(), position);
        let slowest = backlog.slowest(&readers);
        while backlog.marks.get(1).is_some_and(|(at, _)| *at <= slowest) {
            backlog.marks.pop_front();
        }
    }

    /// Whether every group has settled every record.
    pub fn is_drained(&self) -> bool {
        let state = self.state();
        state.partitions.iter().all(|((topic, _), backlog)| {
            state
                .readers
                .get(topic)
                .is_none_or(|readers| backlog.slowest(readers) >= backlog.end)
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Backlog {
    fn slowest(&self, readers: &[Arc<str>]) -> i64 {
        readers
            .iter()
            .map(|group| self.positions.get(group).copied().unwrap_or(0))
            .min()
            .unwrap_or(self.end)
    }

    fn fits(&self, readers: &[Arc<str>]) -> bool {
        let slowest = self.slowest(readers);
        let before = self
            .marks
            .iter()
            .rev()
            .find(|(at, _)| *at <= slowest)
            .or(self.marks.front())
            .map_or(0, |(_, bytes)| *bytes);
        self.end - slowest < MAX_UNREAD_RECORDS && self.bytes - before < MAX_UNREAD_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publish(admission: &Admission, offsets: std::ops::Range<i64>, bytes: usize) {
        for offset in offsets {
            admission.published(
                "orders.v1",
                Ack {
                    partition: 0,
                    offset,
                },
                bytes,
            );
        }
    }

    #[test]
    fn the_slowest_group_decides() {
        let admission = Admission::default();
        admission.subscribe("payments", &["orders.v1"]);
        admission.subscribe("history", &["orders.v1"]);
        publish(&admission, 0..3_000, 1_000);
        assert!(!admission.admits("orders.v1"), "3 MB unread");
        admission.consumed("payments", "orders.v1", 0, 3_000);
        assert!(!admission.admits("orders.v1"), "history has read nothing");
        admission.consumed("history", "orders.v1", 0, 1_000);
        assert!(admission.admits("orders.v1"), "2 MB unread");
        assert!(!admission.is_drained());
        admission.consumed("history", "orders.v1", 0, 3_000);
        assert!(admission.is_drained());
    }

    #[test]
    fn many_small_records_count_as_well() {
        let admission = Admission::default();
        admission.subscribe("history", &["orders.v1"]);
        publish(&admission, 0..MAX_UNREAD_RECORDS, 1);
        assert!(!admission.admits("orders.v1"));
    }

    #[test]
    fn a_topic_nobody_reads_is_never_full() {
        let admission = Admission::default();
        publish(&admission, 0..100_000, 1_000);
        assert!(admission.admits("orders.v1") && admission.is_drained());
    }

    #[test]
    fn bytes_before_the_slowest_position_are_forgotten() {
        let admission = Admission::default();
        admission.subscribe("history", &["orders.v1"]);
        for round in 0..100 {
            publish(&admission, round * 1_000..(round + 1) * 1_000, 1_000);
            admission.consumed("history", "orders.v1", 0, (round + 1) * 1_000);
            assert!(admission.admits("orders.v1"));
        }
        let marks = admission.state().partitions[&("orders.v1".to_owned(), 0)]
            .marks
            .len();
        assert!(marks <= 2, "{marks}");
    }
}
