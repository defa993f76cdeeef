//! The two ends of one watch.
//!
//! Invariant: a watcher sees every view in its order and then how it ended. The
//! queue between is bounded; a watcher that lets it fill is cut off rather than
//! waited for, because all watchers share one poller.

use std::{
    sync::{Arc, OnceLock},
    time::Instant,
};

use chassis::error::{Error, Reason};
use proto::{id::OrderId, orders::v1::OrderView};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::{place::RETRY_AFTER, view};

/// Views that wait for a watcher. They come at most every 20 ms, so a watcher
/// that is cut off has read nothing for more than half a second of constant
/// change.
const QUEUE: usize = 32;

/// How a watch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Nothing more will happen to the order.
    Final,
    /// Nobody knows the order.
    Unknown,
    /// History did not answer, so nobody can tell whether it knows the order.
    Away,
    /// The watcher did not keep up.
    Slow,
    /// The gateway stops.
    Closing,
}

/// The hub's end.
#[derive(Debug)]
pub(super) struct Watcher {
    queue: mpsc::Sender<Arc<OrderView>>,
    ending: Arc<OnceLock<Ending>>,
    pub(super) since: Instant,
    /// The version of the view that was last put into the queue; 0: none.
    pub(super) seen: u64,
}

/// The caller's end.
#[derive(Debug)]
pub(crate) struct Watch {
    id: OrderId,
    queue: mpsc::Receiver<Arc<OrderView>>,
    ending: Arc<OnceLock<Ending>>,
    _place: OwnedSemaphorePermit,
}

/// Both ends of a watch of an order, which takes one of the watchers' places.
pub(super) fn pair(id: OrderId, now: Instant, place: OwnedSemaphorePermit) -> (Watcher, Watch) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let ending = Arc::new(OnceLock::new());
    let watcher = Watcher {
        queue: sender,
        ending: Arc::clone(&ending),
        since: now,
        seen: 0,
    };
    (
        watcher,
        Watch {
            id,
            queue: receiver,
            ending,
            _place: place,
        },
    )
}

impl Watcher {
    /// Whether the caller still watches.
    pub(super) fn is_there(&self) -> bool {
        !self.queue.is_closed()
    }

    /// Shows a view; false when the watcher is gone or cut off.
    pub(super) fn show(&mut self, version: u64, view: &Arc<OrderView>) -> bool {
        match self.queue.try_send(Arc::clone(view)) {
            Ok(()) => {
                self.seen = version;
                true
            }
            Err(mpsc::error::TrySendError::Full(_)) => {
                self.say(Ending::Slow);
                false
            }
            Err(mpsc::error::TrySendError::Closed(_)) => false,
        }
    }

    /// Ends the watch; what waits in the queue is still delivered.
    pub(super) fn end(self, ending: Ending) {
        self.say(ending);
    }

    fn say(&self, ending: Ending) {
        // Said before the queue closes, so the caller's end finds it. A watch
        // ends once: the first ending is the true one.
        let _ = self.ending.set(ending);
    }
}

impl Watch {
    /// The next view; `None` after the final one.
    pub(crate) async fn next(&mut self) -> Option<Result<Arc<OrderView>, Error>> {
        if let Some(view) = self.queue.recv().await {
            return Some(Ok(view));
        }
        // An error is told once; then the watch is over. A hub that is gone
        // without a word is closing.
        let ending = std::mem::replace(&mut self.ending, Arc::new(Ending::Final.into()));
        let error = match ending.get().copied().unwrap_or(Ending::Closing) {
            Ending::Final => return None,
            Ending::Unknown => view::unknown_order(self.id),
            Ending::Away => Error::unavailable("history does not answer; watch again"),
            Ending::Slow => {
                let message = "the changes were not read as fast as they came; watch again";
                Error::new(Reason::Overloaded, message).retry_after(RETRY_AFTER)
            }
            Ending::Closing => Error::unavailable("the gateway is stopping; watch again"),
        };
        Some(Err(error))
    }

    /// The rest of the watch as a stream.
    pub(crate) fn into_stream(
        self,
    ) -> impl futures::Stream<Item = Result<Arc<OrderView>, Error>> + Send + 'static {
        futures::stream::unfold(self, |mut watch| async move {
            watch.next().await.map(|item| (item, watch))
        })
    }
}
