//! What the poll thread owns: the assigned partitions, each with its queue,
//! worker and ledger.
//!
//! librdkafka calls back on assignment and revocation from within `poll`, on the
//! poll thread. So everything here happens on that one thread; the locks are
//! never contended, they only satisfy the compiler.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc::Receiver},
    time::{Duration, Instant},
};

use rdkafka::{
    ClientContext, Offset, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext, Rebalance},
    error::KafkaError,
    message::{BorrowedMessage, Message as _},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    away::Away,
    ledger::Ledger,
    pipeline::{Instruments, Lane, Pipeline},
    progress::{PartitionProgress, Progress},
    worker::{self, Limits, Report},
};
use crate::kafka::{
    KafkaOptions, Record,
    client::{self, ClusterWatch},
};

/// How long a revocation waits for work in hand. Other members wait for us in
/// the meantime; what does not finish is redelivered to the next owner.
const REVOKE_WAIT: Duration = Duration::from_secs(10);
/// Bytes of a partition's unsettled records before fetching pauses. Records are
/// counted as well; this bounds large ones.
const MAX_OPEN_BYTES: usize = 8 * 1024 * 1024;

/// How workers are made.
pub(super) struct Workers {
    pub(super) runtime: tokio::runtime::Handle,
    pub(super) pipeline: Pipeline,
    pub(super) limits: Limits,
    pub(super) queue: usize,
    pub(super) group: Arc<str>,
    pub(super) reports: std::sync::mpsc::Sender<Report>,
}

/// The state of the poll thread, as librdkafka's callbacks need it.
pub(super) struct LoopContext {
    pub(super) options: KafkaOptions,
    pub(super) workers: Workers,
    pub(super) reports: Mutex<Receiver<Report>>,
    pub(super) watch: Arc<ClusterWatch>,
    pub(super) away: Away,
    pub(super) progress: Progress,
    pub(super) instruments: Arc<Instruments>,
    pub(super) partitions: Mutex<Partitions>,
}

type Key = (Arc<str>, i32);

/// Every assigned partition.
#[derive(Default)]
pub(super) struct Partitions {
    assigned: HashMap<Key, Assigned>,
    /// Positions that moved since they were last stored.
    moved: HashMap<Key, i64>,
}

struct Assigned {
    lane: Arc<Lane>,
    queue: Option<mpsc::Sender<Record>>,
    /// Records that came after the queue was full, until the pause took hold.
    overflow: VecDeque<Record>,
    paused: bool,
    ended: bool,
    ledger: Ledger,
}

impl LoopContext {
    pub(super) fn partitions(&self) -> MutexGuard<'_, Partitions> {
        self.partitions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a record that was read. Gives the partition that should be paused,
    /// if any.
    pub(super) fn deliver(&self, consumer: &BaseConsumer<Self>, message: &BorrowedMessage<'_>) {
        self.watch.answered();
        let topic = self.options.logical(message.topic());
        let mut partitions = self.partitions();
        let Some((key, assigned)) = partitions.find(topic, message.partition()) else {
            return;
        };
        let record = Record::copy(Arc::clone(&key.0), message);
        let size = message.payload_len() + message.key_len();
        if !assigned.ledger.deliver(record.offset(), size) {
            return;
        }
        assigned.overflow.push_back(record);
        assigned.hand_on();
        let full = !assigned.overflow.is_empty() || assigned.ledger.open_bytes() > MAX_OPEN_BYTES;
        if full && !assigned.paused {
            let list = list_of(&self.options, [(&key, None)]);
            match consumer.pause(&list) {
                Ok(()) => assigned.paused = true,
                Err(error) => tracing::debug!(%error, "a full partition could not be paused"),
            }
        }
    }

    /// Hands on what waited and resumes partitions that have room again.
    pub(super) fn make_room(&self, consumer: &BaseConsumer<Self>) {
        let mut resumed = Vec::new();
        for (key, assigned) in &mut self.partitions().assigned {
            if !assigned.paused {
                continue;
            }
            assigned.hand_on();
            // Half empty, so that pausing (which drops what librdkafka fetched
            // ahead) does not happen for every record.
            let room = assigned.queue.as_ref().is_some_and(|queue| {
                assigned.overflow.is_empty() && queue.capacity() * 2 >= queue.max_capacity()
            });
            if room && assigned.ledger.open_bytes() * 2 <= MAX_OPEN_BYTES {
                assigned.paused = false;
                resumed.push(key.clone());
            }
        }
        if resumed.is_empty() {
            return;
        }
        let list = list_of(&self.options, resumed.iter().map(|key| (key, None)));
        if let Err(error) = consumer.resume(&list) {
            tracing::debug!(%error, "partitions could not be resumed");
        }
    }

    /// Whether some partition waits for room.
    pub(super) fn any_paused(&self) -> bool {
        self.partitions()
            .assigned
            .values()
            .any(|assigned| assigned.paused)
    }

    /// Takes in what workers finished, and stores how far that is.
    pub(super) fn take_reports(&self, consumer: &BaseConsumer<Self>) {
        let reports = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
        while let Ok(report) = reports.try_recv() {
            self.partitions().apply(&report);
        }
        drop(reports);
        self.store(consumer);
    }

    fn store(&self, consumer: &BaseConsumer<Self>) {
        let mut partitions = self.partitions();
        let moved = std::mem::take(&mut partitions.moved);
        for (key, assigned) in &partitions.assigned {
            let progress = PartitionProgress {
                position: assigned.ledger.position(),
                open: assigned.ledger.open(),
                paused: assigned.paused,
            };
            self.progress.set(&key.0, key.1, progress);
        }
        drop(partitions);
        if moved.is_empty() {
            return;
        }
        if let Some(admission) = self.options.admission() {
            for ((topic, partition), position) in &moved {
                admission.consumed(&self.workers.group, topic, *partition, *position);
            }
        }
        let list = list_of(
            &self.options,
            moved.iter().map(|(key, at)| (key, Some(*at))),
        );
        if let Err(error) = consumer.store_offsets(&list) {
            // A partition in the list is no longer ours; the others are stored.
            tracing::debug!(%error, "some offsets were not stored");
        }
    }

    /// Stops the workers of some partitions (all, when `keys` is `None`), waits
    /// for what is in hand, and commits how far they got.
    pub(super) fn release(
        &self,
        consumer: &BaseConsumer<Self>,
        keys: Option<&[Key]>,
        mode: CommitMode,
    ) {
        let keys: Vec<Key> = match keys {
            Some(keys) => keys.to_vec(),
            None => self.partitions().assigned.keys().cloned().collect(),
        };
        self.partitions().stop(&keys);
        // A partition that is already somebody else's is not worth waiting for.
        let lost = consumer.assignment_lost();
        let deadline = Instant::now() + if lost { Duration::ZERO } else { REVOKE_WAIT };
        let reports = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
        while !self.partitions().all_ended(&keys) {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(report) = reports.recv_timeout(left) else {
                tracing::warn!("work in hand did not finish in time; it will be redelivered");
                break;
            };
            self.partitions().apply(&report);
        }
        drop(reports);
        self.store(consumer);
        let mut finished = Vec::new();
        for key in &keys {
            let removed = self.partitions().assigned.remove(key);
            if let Some(at) = removed.and_then(|assigned| assigned.ledger.position()) {
                finished.push((key, Some(at)));
            }
            self.progress.forget(&key.0, key.1);
            self.away.goes_on(&key.0, key.1);
        }
        if finished.is_empty() || lost {
            return;
        }
        if let Err(error) = consumer.commit(&list_of(&self.options, finished), mode) {
            tracing::warn!(%error, "offsets were not committed; some records will be redelivered");
        }
    }

    fn assign(&self, list: &TopicPartitionList) {
        // Also an empty assignment means that the group works.
        self.watch.answered();
        let workers = &self.workers;
        for element in list.elements() {
            let topic: Arc<str> = self.options.logical(element.topic()).into();
            let lane = Arc::new(Lane {
                topic: Arc::clone(&topic),
                partition: element.partition(),
                group: Arc::clone(&workers.group),
                stop: CancellationToken::new(),
            });
            let (queue, records) = mpsc::channel(workers.queue);
            workers.runtime.spawn(worker::run(
                Arc::clone(&lane),
                records,
                workers.pipeline.clone(),
                workers.limits,
                workers.reports.clone(),
            ));
            let assigned = Assigned {
                lane,
                queue: Some(queue),
                overflow: VecDeque::new(),
                paused: false,
                ended: false,
                ledger: Ledger::default(),
            };
            self.partitions()
                .assigned
                .insert((topic, element.partition()), assigned);
        }
    }
}

impl Partitions {
    fn find(&mut self, topic: &str, partition: i32) -> Option<(Key, &mut Assigned)> {
        // A consumer has a few topics and at most some dozens of partitions.
        self.assigned
            .iter_mut()
            .find(|((of, number), _)| *number == partition && &**of == topic)
            .map(|(key, assigned)| (key.clone(), assigned))
    }

    fn apply(&mut self, report: &Report) {
        let (Report::Finished { lane, .. } | Report::Ended { lane }) = report;
        let key = (Arc::clone(&lane.topic), lane.partition);
        let Some(assigned) = self.assigned.get_mut(&key) else {
            return;
        };
        // The lane of an earlier assignment of the same partition: its offsets
        // mean nothing to this one.
        if !Arc::ptr_eq(&assigned.lane, lane) {
            return;
        }
        match report {
            Report::Finished { first, last, .. } => {
                if let Some(position) = assigned.ledger.finish(*first, *last) {
                    self.moved.insert(key, position);
                }
            }
            Report::Ended { .. } => assigned.ended = true,
        }
    }

    fn stop(&mut self, keys: &[Key]) {
        for key in keys {
            if let Some(assigned) = self.assigned.get_mut(key) {
                assigned.lane.stop.cancel();
                assigned.queue = None;
                assigned.overflow.clear();
            }
        }
    }

    fn all_ended(&self, keys: &[Key]) -> bool {
        keys.iter()
            .all(|key| self.assigned.get(key).is_none_or(|assigned| assigned.ended))
    }
}

impl Assigned {
    /// Hands records to the worker until its queue is full.
    fn hand_on(&mut self) {
        let Some(queue) = &self.queue else {
            return self.overflow.clear();
        };
        while let Ok(permit) = queue.try_reserve() {
            match self.overflow.pop_front() {
                Some(record) => permit.send(record),
                None => return,
            }
        }
    }
}

fn list_of<'k>(
    options: &KafkaOptions,
    keys: impl IntoIterator<Item = (&'k Key, Option<i64>)>,
) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for ((topic, partition), at) in keys {
        let mut element = list.add_partition(&options.topic(topic), *partition);
        if let Some(at) = at {
            // Fails only for logical offsets that are out of range; `at` is an
            // offset plus one.
            let _ = element.set_offset(Offset::Offset(at));
        }
    }
    list
}

impl ClientContext for LoopContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client::log(level, facility, message);
    }

    fn stats_raw(&self, statistics: &[u8]) {
        self.watch.on_statistics(statistics);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.watch.on_error(&error, reason);
    }
}

impl ConsumerContext for LoopContext {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(list) => {
                tracing::info!(partitions = list.count(), "partitions assigned");
                // Comes at every rebalance, if only with nothing new.
                self.instruments.rebalanced();
                self.assign(list);
            }
            Rebalance::Revoke(list) => {
                tracing::info!(partitions = list.count(), "partitions revoked");
                let keys: Vec<Key> = list
                    .elements()
                    .iter()
                    .map(|element| {
                        (
                            self.options.logical(element.topic()).into(),
                            element.partition(),
                        )
                    })
                    .collect();
                self.release(consumer, Some(&keys), CommitMode::Async);
            }
            Rebalance::Error(error) => tracing::warn!(%error, "a rebalance failed"),
        }
    }
}
