//! What the poll thread owns: the assigned partitions, each with its source and
//! worker, and how far that is.
//!
//! librdkafka calls back on assignment and revocation from within `poll`, on the
//! poll thread. So everything here happens on that one thread; the locks are
//! never contended, they only satisfy the compiler.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, Weak, mpsc::Receiver},
    thread,
    time::{Duration, Instant},
};

use rdkafka::{
    ClientContext, Offset, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext, Rebalance},
    error::KafkaError,
};
use tokio_util::sync::CancellationToken;

use super::{
    away::Away,
    pipeline::{Instruments, Lane, Pipeline},
    progress::{PartitionProgress, Progress},
    source::Source,
    topics::Topics,
    worker::{self, Limits, Report},
};
use crate::{
    kafka::{
        KafkaOptions,
        client::{self, ClusterWatch},
    },
    lock::locked,
};

/// How long a revocation waits for work in hand. Other members wait for us in
/// the meantime; what does not finish is redelivered to the next owner.
const REVOKE_WAIT: Duration = Duration::from_secs(10);

/// How workers are made.
pub(super) struct Workers {
    pub(super) runtime: tokio::runtime::Handle,
    pub(super) pipeline: Pipeline,
    pub(super) limits: Limits,
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
    /// The consumer that this is the context of, once there is one.
    pub(super) consumer: OnceLock<Weak<BaseConsumer<Self>>>,
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
    source: Arc<Source>,
    position: Option<i64>,
    open: usize,
    ended: bool,
}

impl LoopContext {
    pub(super) fn partitions(&self) -> MutexGuard<'_, Partitions> {
        locked(&self.partitions)
    }

    /// Takes in what workers tell, and stores how far they are. An error when one has
    /// ended that was not told to: its partition would stand still.
    pub(super) fn take_reports(
        &self,
        consumer: &BaseConsumer<Self>,
        topics: &mut Topics,
    ) -> anyhow::Result<()> {
        let reports = locked(&self.reports);
        while let Ok(report) = reports.try_recv() {
            match &report {
                Report::Failed(error) => self.failed(error, topics),
                Report::Progress { .. } => self.watch.admitted(),
                Report::Ended { lane } => anyhow::ensure!(
                    lane.stop.is_cancelled(),
                    "the worker of {}[{}] panicked",
                    lane.topic,
                    lane.partition
                ),
            }
            self.partitions().apply(&report);
        }
        drop(reports);
        self.store(consumer);
        Ok(())
    }

    /// Takes in what reading failed for.
    pub(super) fn failed(&self, error: &KafkaError, topics: &mut Topics) {
        if !topics.missed(error) && !self.watch.refuses(error) {
            // Readiness tells that brokers are away; this repeats with every attempt.
            tracing::debug!(%error, "reading from Kafka failed; librdkafka tries again");
        }
        // An error that comes at once, over and over, must not burn a core.
        thread::sleep(Duration::from_millis(10));
    }

    fn store(&self, consumer: &BaseConsumer<Self>) {
        let mut partitions = self.partitions();
        let moved = std::mem::take(&mut partitions.moved);
        for (key, assigned) in &partitions.assigned {
            let progress = PartitionProgress {
                position: assigned.position,
                open: assigned.open,
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
        let reports = locked(&self.reports);
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
            if let Some(at) = removed.and_then(|assigned| assigned.position) {
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
        self.watch.admitted();
        let workers = &self.workers;
        let Some(consumer) = self.consumer.get().and_then(Weak::upgrade) else {
            // It is on its end, and lets everything go that it still gets.
            return;
        };
        for element in list.elements() {
            let topic: Arc<str> = self.options.logical(element.topic()).into();
            let partition = element.partition();
            let source = Source::split(&consumer, Arc::clone(&topic), element.topic(), partition);
            let Some(source) = source.map(Arc::new) else {
                tracing::error!(
                    topic = element.topic(),
                    partition,
                    "no such partition can be"
                );
                continue;
            };
            let lane = Arc::new(Lane {
                topic: Arc::clone(&topic),
                partition,
                group: Arc::clone(&workers.group),
                stop: CancellationToken::new(),
            });
            workers.runtime.spawn(worker::run(
                Arc::clone(&lane),
                Arc::clone(&source),
                workers.pipeline.clone(),
                workers.limits,
                workers.reports.clone(),
            ));
            let assigned = Assigned {
                lane,
                source,
                position: None,
                open: 0,
                ended: false,
            };
            self.partitions()
                .assigned
                .insert((topic, partition), assigned);
        }
    }
}

impl Partitions {
    fn apply(&mut self, report: &Report) {
        let (Report::Progress { lane, .. } | Report::Ended { lane }) = report else {
            return;
        };
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
            Report::Progress { position, open, .. } => {
                assigned.open = *open;
                if assigned.position != *position {
                    assigned.position = *position;
                    self.moved.extend(position.map(|position| (key, position)));
                }
            }
            Report::Failed(_) => {}
            Report::Ended { .. } => assigned.ended = true,
        }
    }

    fn stop(&mut self, keys: &[Key]) {
        for key in keys {
            if let Some(assigned) = self.assigned.get_mut(key) {
                assigned.lane.stop.cancel();
                assigned.source.close();
            }
        }
    }

    fn all_ended(&self, keys: &[Key]) -> bool {
        keys.iter()
            .all(|key| self.assigned.get(key).is_none_or(|assigned| assigned.ended))
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
