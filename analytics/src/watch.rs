//! The totals, as they change, for any number of watchers.
//!
//! Invariant: while somebody watches, the totals are read once an interval,
//! however many watch; while nobody does, not at all. They are read from the
//! database rather than told by the batches of this process, because other
//! instances count too.
//!
//! Memory is bounded: a watcher holds the newest totals and no queue, so a slow
//! one misses what was in between and never what is last.

use std::{sync::Arc, time::Duration};

use chassis::error::{Error, Reason};
use futures::{Stream, stream};
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::store::{Stats, Store};

/// Pause after the totals could not be read, at least. One question a second does
/// not hold up a database that is coming back.
const RETRY: Duration = Duration::from_secs(1);

/// Totals with the moment at which reading them began: of two, the one whose
/// reading began later shows at least as much.
#[derive(Debug, Clone)]
struct Seen {
    began: Instant,
    stats: Stats,
}

/// Where watchers come to.
#[derive(Clone)]
pub struct StatsWatch {
    store: Arc<dyn Store>,
    latest: Arc<watch::Sender<Option<Seen>>>,
    wanted: Arc<Notify>,
    seats: Arc<Semaphore>,
    closing: CancellationToken,
}

impl std::fmt::Debug for StatsWatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StatsWatch")
            .field("watchers", &self.latest.receiver_count())
            .finish_non_exhaustive()
    }
}

/// One who watches.
struct Watcher {
    changes: watch::Receiver<Option<Seen>>,
    last: Seen,
    told: bool,
    closing: CancellationToken,
    _seat: OwnedSemaphorePermit,
}

impl StatsWatch {
    /// For so many watchers at once. Their streams end when `closing` is
    /// cancelled.
    pub fn new(store: Arc<dyn Store>, seats: usize, closing: CancellationToken) -> Self {
        Self {
            store,
            latest: Arc::new(watch::Sender::new(None)),
            wanted: Arc::new(Notify::new()),
            seats: Arc::new(Semaphore::new(seats)),
            closing,
        }
    }

    /// The totals now, then again whenever they changed.
    pub async fn watch(&self) -> Result<impl Stream<Item = Stats> + Send + 'static, Error> {
        let seat = Arc::clone(&self.seats).try_acquire_owned().map_err(|_| {
            Error::new(
                Reason::Overloaded,
                "as many watch already as may; try again later, or ask for GetStats",
            )
            .retry_after(Duration::from_secs(5))
        })?;
        let changes = self.latest.subscribe();
        let began = Instant::now();
        let stats = self.store.stats().await?;
        self.wanted.notify_one();
        let watcher = Watcher {
            changes,
            last: Seen { began, stats },
            told: false,
            closing: self.closing.clone(),
            _seat: seat,
        };
        Ok(stream::unfold(watcher, async |mut watcher: Watcher| {
            let stats = watcher.next().await?;
            Some((stats, watcher))
        }))
    }

    /// Reads the totals once an interval while somebody watches, until told to
    /// stop.
    pub async fn poll(self, interval: Duration, shutdown: CancellationToken) -> anyhow::Result<()> {
        while !shutdown.is_cancelled() {
            if self.latest.receiver_count() == 0 {
                // A watcher that comes right now leaves its wish behind, so it
                // is not missed.
                tokio::select! {
                    () = shutdown.cancelled() => {}
                    () = self.wanted.notified() => {}
                }
                continue;
            }
            let began = Instant::now();
            let pause = match self.store.stats().await {
                Ok(stats) => {
                    self.tell(Seen { began, stats });
                    interval
                }
                // Readiness tells that the database is away; watchers wait for it.
                Err(error) => {
                    tracing::debug!(%error, "the totals were not read; trying again");
                    interval.max(RETRY)
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        Ok(())
    }

    /// Every reading, also one that shows nothing new: a watcher that could not
    /// tell whether the one before was newer than its own look learns it now.
    fn tell(&self, seen: Seen) {
        self.latest.send_replace(Some(seen));
    }
}

impl Watcher {
    async fn next(&mut self) -> Option<Stats> {
        if !self.told {
            self.told = true;
            return Some(self.last.stats.clone());
        }
        loop {
            tokio::select! {
                biased;
                () = self.closing.cancelled() => return None,
                changed = self.changes.changed() => changed.ok()?,
            }
            let seen = self.changes.borrow_and_update().clone();
            // What began to be read before this watcher's own look may show less.
            let newer =
                seen.filter(|seen| seen.began > self.last.began && seen.stats != self.last.stats);
            if let Some(seen) = newer {
                self.last = seen;
                return Some(self.last.stats.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests;
