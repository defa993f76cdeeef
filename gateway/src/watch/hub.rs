//! The one poller of all watched orders.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use chassis::{
    error::{Error, Reason},
    grpc::Deadline,
    lock::locked,
    telemetry::Traced,
};
use futures::StreamExt as _;
use proto::{id::OrderId, time::UnixMicros};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

use super::{
    board::{Answers, Board, Look},
    pace::QUICKEST,
    watcher::{self, Watch},
};
use crate::{backend::Backend, place::RETRY_AFTER};

/// Orders asked for in one call. The services take 1,000; half of that keeps
/// the answer for the largest orders that can be (80 KB each) within what a
/// client takes.
const BATCH: usize = 500;
/// Calls of one round that run at once.
const CALLS_AT_ONCE: usize = 4;
/// How long a service may take to answer one look. A slower one is left out of
/// it, so that it does not hold up what the others know.
const LOOK_TIMEOUT: Duration = Duration::from_millis(500);

/// Settings of the hub.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HubOptions {
    /// How long an unknown order is watched before it is told to be unknown.
    pub(crate) patience: Duration,
    /// Watchers at once.
    pub(crate) most_watchers: usize,
}

/// Lets callers watch orders. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Hub(Arc<Shared>);

struct Shared {
    backend: Arc<dyn Backend>,
    board: Mutex<Board>,
    began: Notify,
    places: Arc<Semaphore>,
    most_watchers: usize,
}

impl Hub {
    /// A hub that nobody watches through yet.
    pub(crate) fn new(backend: Arc<dyn Backend>, options: HubOptions) -> Self {
        Self(Arc::new(Shared {
            backend,
            board: Mutex::new(Board::new(options.patience)),
            began: Notify::new(),
            places: Arc::new(Semaphore::new(options.most_watchers)),
            most_watchers: options.most_watchers,
        }))
    }

    /// How many callers watch an order.
    pub(crate) fn watchers(&self) -> usize {
        self.0.most_watchers - self.0.places.available_permits()
    }

    /// Watches an order: its whole current state as soon as it is known, then
    /// again at every change, until it is final.
    pub(crate) fn watch(&self, id: OrderId) -> Result<Watch, Error> {
        let place = Arc::clone(&self.0.places)
            .try_acquire_owned()
            .map_err(|_| {
                Error::new(
                    Reason::Overloaded,
                    "too many orders are being watched; try again",
                )
                .retry_after(RETRY_AFTER)
            })?;
        let now = Instant::now();
        let (watcher, watch) = watcher::pair(id, now, place);
        self.board().add(id, watcher, now);
        self.0.began.notify_one();
        Ok(watch)
    }

    /// Polls until the doors close, ends every watch, and waits for the end.
    pub(crate) async fn run(
        self,
        doors: CancellationToken,
        shutdown: CancellationToken,
    ) -> anyhow::Result<()> {
        // Whoever asked for a trace asked about a request; a poller that begins
        // fifty traces a second would crowd those out.
        tokio::select! {
            () = Traced::not_kept().run(self.poll()) => {}
            () = doors.cancelled() => {}
        }
        self.board().close();
        shutdown.cancelled().await;
        Ok(())
    }

    async fn poll(&self) {
        loop {
            let began = self.0.began.notified();
            let due = self.board().next_due();
            match due {
                None => began.await,
                Some(due) if due > Instant::now() => {
                    tokio::select! {
                        () = tokio::time::sleep_until(due.into()) => {}
                        () = began => {}
                    }
                }
                Some(_) => {
                    let start = tokio::time::Instant::now();
                    self.round(start.into()).await;
                    // What becomes due meanwhile goes together into the next.
                    tokio::time::sleep_until(start + QUICKEST).await;
                }
            }
        }
    }

    /// Looks at every order that is due.
    async fn round(&self, now: Instant) {
        let looks: Vec<Look> = {
            let mut board = self.board();
            std::iter::from_fn(|| board.look(now, BATCH)).collect()
        };
        futures::stream::iter(looks)
            .for_each_concurrent(CALLS_AT_ONCE, |look| async move {
                let answers = self.ask(&look).await;
                self.board()
                    .learn(&look, answers, Instant::now(), UnixMicros::now());
            })
            .await;
    }

    async fn ask(&self, look: &Look) -> Answers {
        let deadline = Deadline::after(LOOK_TIMEOUT);
        let backend = &self.0.backend;
        let (orders, payments, notifications) = tokio::join!(
            backend.orders(&look.orders, deadline),
            unless_empty(&look.payments, backend.payments(&look.payments, deadline)),
            unless_empty(
                &look.notifications,
                backend.notifications(&look.notifications, deadline)
            ),
        );
        Answers {
            orders,
            payments,
            notifications,
        }
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        locked(&self.0.board)
    }
}

async fn unless_empty<T>(
    ids: &[OrderId],
    call: impl Future<Output = Result<Vec<T>, Error>>,
) -> Result<Vec<T>, Error> {
    if ids.is_empty() {
        Ok(Vec::new())
    } else {
        call.await
    }
}

#[cfg(test)]
mod tests;
