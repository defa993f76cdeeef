//! How far a consumer is, for operators and for draining.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

use serde::Serialize;

use crate::lock::locked;

/// One partition's progress.
#[derive(Debug, Clone, Copy, Default, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PartitionProgress {
    /// Next offset to be read after a restart; `None` before anything finished.
    pub(crate) position: Option<i64>,
    /// Records read and not yet settled.
    pub(crate) open: usize,
}

/// Every assigned partition's progress, by the topic's logical name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress(Arc<Mutex<Partitions>>);

type Partitions = BTreeMap<(Arc<str>, i32), PartitionProgress>;

impl Progress {
    pub(super) fn set(&self, topic: &Arc<str>, partition: i32, progress: PartitionProgress) {
        self.lock().insert((Arc::clone(topic), partition), progress);
    }

    pub(super) fn forget(&self, topic: &Arc<str>, partition: i32) {
        self.lock().remove(&(Arc::clone(topic), partition));
    }

    pub(crate) fn snapshot(&self) -> Vec<(Arc<str>, i32, PartitionProgress)> {
        self.lock()
            .iter()
            .map(|((topic, partition), progress)| (Arc::clone(topic), *partition, *progress))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Partitions> {
        locked(&self.0)
    }
}
