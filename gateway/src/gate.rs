//! How many requests are worked on at once, at both doors together.
//!
//! Invariant: a request beyond the bound is refused at once, before anything is
//! read or parsed for it. Waiting would not help: under more load than can be
//! done, a queue only makes every caller wait for its full length, until all of
//! them give up.

use std::sync::Arc;

use chassis::error::{Error, Reason};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::place::RETRY_AFTER;

/// Lets in so many requests at once. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    places: Arc<Semaphore>,
    most: usize,
}

/// Leave to work on one request, until dropped.
#[derive(Debug)]
pub(crate) struct Entered {
    _place: OwnedSemaphorePermit,
}

impl Gate {
    /// For so many requests at once.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(most)),
            most,
        }
    }

    /// How many requests are being worked on.
    pub(crate) fn entered(&self) -> usize {
        self.most - self.places.available_permits()
    }

    /// Lets a request in, or refuses it.
    pub(crate) fn enter(&self) -> Result<Entered, Error> {
        match Arc::clone(&self.places).try_acquire_owned() {
            Ok(place) => Ok(Entered { _place: place }),
            Err(_) => Err(Error::new(
                Reason::Overloaded,
                "more requests are being worked on than may; try again",
            )
            .retry_after(RETRY_AFTER)),
        }
    }
}
