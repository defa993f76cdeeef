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
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use rdkafka::{ClientConfig, producer::BaseProducer};

use super::{Ack, raw::MockCluster};
use crate::lock::locked;

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
/// Invariant: what is counted as unread of a partition is at least the bytes between
/// its slowest group's position and its end, with those of every record on its way
/// there; it may count up to [`MARK_EVERY`] records too many, never too few. A group that
/// never read counts from the start, and a record on its way to every partition.
#[derive(Debug, Default)]
pub struct Admission(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    readers: HashMap<String, Vec<Arc<str>>>,
    partitions: HashMap<(String, i32), Backlog>,
    /// Records on their way, by topic.
    reserved: HashMap<String, OnTheWay>,
}

#[derive(Debug, Default, Clone, Copy)]
struct OnTheWay {
    records: i64,
    bytes: u64,
}

/// Room for a record on its way. Dropped when it surely did not get there.
#[derive(Debug)]
pub struct Reserved {
    admission: Arc<Admission>,
    topic: String,
    bytes: u64,
}

impl Reserved {
    /// The record is on the broker.
    pub fn published(self, ack: Ack) {
        let admission = &self.admission;
        admission.state().published(&self.topic, ack, self.bytes);
    }

    /// Nobody knows where the record is: its room stays taken.
    pub fn keep(mut self) {
        self.bytes = 0;
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if let Some(reserved) = self.admission.state().reserved.get_mut(&self.topic) {
            reserved.records -= 1;
            reserved.bytes -= self.bytes;
        }
    }
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

    /// Takes room for one more record of a topic, if there is any.
    pub fn reserve(this: &Arc<Self>, topic: &str, bytes: usize) -> Option<Reserved> {
        let mut state = this.state();
        if !state.admits(topic) {
            return None;
        }
        let bytes = bytes as u64;
        let reserved = state.reserved.entry(topic.to_owned()).or_default();
        reserved.records += 1;
        reserved.bytes += bytes;
        Some(Reserved {
            admission: Arc::clone(this),
            topic: topic.to_owned(),
            bytes,
        })
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
        locked(&self.0)
    }
}

impl State {
    fn admits(&self, topic: &str) -> bool {
        let Some(readers) = self.readers.get(topic) else {
            return true;
        };
        let reserved = self.reserved.get(topic).copied().unwrap_or_default();
        let none = Backlog::default();
        self.partitions
            .iter()
            .filter(|((of, _), _)| of == topic)
            .map(|(_, backlog)| backlog)
            // Before the first record is there, too.
            .chain([&none])
            .all(|backlog| backlog.fits(readers, reserved))
    }

    fn published(&mut self, topic: &str, ack: Ack, bytes: u64) {
        let backlog = self
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
        backlog.bytes += bytes;
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

    fn fits(&self, readers: &[Arc<str>], on_the_way: OnTheWay) -> bool {
        let slowest = self.slowest(readers);
        let before = self
            .marks
            .iter()
            .rev()
            .find(|(at, _)| *at <= slowest)
            .or(self.marks.front())
            .map_or(0, |(_, bytes)| *bytes);
        self.end - slowest + on_the_way.records < MAX_UNREAD_RECORDS
            && self.bytes - before + on_the_way.bytes < MAX_UNREAD_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(readers: &[&str]) -> Arc<Admission> {
        let admission = Arc::new(Admission::default());
        for group in readers {
            admission.subscribe(group, &["orders.v1"]);
        }
        admission
    }

    fn publish(admission: &Admission, offsets: std::ops::Range<i64>, bytes: u64) {
        for offset in offsets {
            let ack = Ack {
                partition: 0,
                offset,
            };
            admission.state().published("orders.v1", ack, bytes);
        }
    }

    fn admits(admission: &Arc<Admission>) -> bool {
        Admission::reserve(admission, "orders.v1", 1).is_some()
    }

    #[test]
    fn what_is_on_its_way_counts_until_its_fate_is_known() {
        let admission = admission(&["history"]);
        let half = usize::try_from(MAX_UNREAD_BYTES / 2).unwrap();
        let reserve = || Admission::reserve(&admission, "orders.v1", half);
        let (first, second) = (reserve().unwrap(), reserve().unwrap());
        assert!(reserve().is_none(), "both may get there");
        drop(first);
        let first = reserve().unwrap();
        second.published(Ack {
            partition: 0,
            offset: 0,
        });
        assert!(reserve().is_none(), "one is there, one on its way");
        drop(first);
    }

    #[test]
    fn what_may_be_anywhere_keeps_its_room() {
        let admission = admission(&["history"]);
        let half = usize::try_from(MAX_UNREAD_BYTES / 2).unwrap();
        let reserve = || Admission::reserve(&admission, "orders.v1", half);
        reserve().unwrap().keep();
        let other = reserve().unwrap();
        assert!(reserve().is_none());
        drop(other);
        assert!(reserve().is_some());
    }

    #[test]
    fn the_slowest_group_decides() {
        let admission = admission(&["payments", "history"]);
        publish(&admission, 0..3_000, 1_000);
        assert!(!admits(&admission), "3 MB unread");
        admission.consumed("payments", "orders.v1", 0, 3_000);
        assert!(!admits(&admission), "history has read nothing");
        admission.consumed("history", "orders.v1", 0, 1_000);
        assert!(admits(&admission), "2 MB unread");
        assert!(!admission.is_drained());
        admission.consumed("history", "orders.v1", 0, 3_000);
        assert!(admission.is_drained());
    }

    #[test]
    fn many_small_records_count_as_well() {
        let admission = admission(&["history"]);
        publish(&admission, 0..MAX_UNREAD_RECORDS, 1);
        assert!(!admits(&admission));
    }

    #[test]
    fn a_topic_nobody_reads_is_never_full() {
        let admission = admission(&[]);
        publish(&admission, 0..100_000, 1_000);
        assert!(admits(&admission) && admission.is_drained());
    }

    #[test]
    fn bytes_before_the_slowest_position_are_forgotten() {
        let admission = admission(&["history"]);
        for round in 0..100 {
            publish(&admission, round * 1_000..(round + 1) * 1_000, 1_000);
            admission.consumed("history", "orders.v1", 0, (round + 1) * 1_000);
            assert!(admits(&admission));
        }
        let marks = admission.state().partitions[&("orders.v1".to_owned(), 0)]
            .marks
            .len();
        assert!(marks <= 2, "{marks}");
    }
}
