//! What a batch goes through, as a tower stack.
//!
//! From the outside in, and why there:
//!
//! - span: everything below happens within the batch's and the records' spans;
//! - metrics: counts what the layers below decided, dead letters included;
//! - dead letter: a batch is settled only when its dead letters are acknowledged;
//! - retry: decides what is dead, so it stands inside the dead letters; it tries
//!   again what is below it: a call with its own timeout;
//! - timeout: bounds one try, not the waiting between tries;
//! - decode: a record that cannot be decoded never reaches the handler, and costs
//!   its batch nothing.

mod dead_letter;
mod decode;
mod metrics;
mod retry;
mod span;

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;
use tower::{BoxError, ServiceBuilder, util::BoxCloneSyncService};

pub(super) use metrics::Instruments;

use super::{
    away::Away,
    handler::{Handler, HandlerError},
};
use crate::{
    kafka::{Publisher, Record},
    telemetry::Traced,
};

/// Records of one partition, to be settled together.
#[derive(Clone)]
pub(super) struct Batch {
    pub(super) items: Vec<Item>,
    pub(super) lane: Arc<Lane>,
}

/// A record with its `process` span.
#[derive(Clone)]
pub(super) struct Item {
    pub(super) record: Record,
    pub(super) traced: Traced,
}

/// The partition that a batch belongs to, for one assignment.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) topic: Arc<str>,
    pub(super) partition: i32,
    pub(super) group: Arc<str>,
    /// Cancelled when the partition is lost or the service stops.
    pub(super) stop: CancellationToken,
}

/// How a batch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Settled {
    pub(super) done: usize,
    pub(super) dead: usize,
}

/// The partition was lost, or the service stops, before the batch was settled.
/// Its records will be delivered again.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("stopped before the batch was settled")]
pub(super) struct Stopped;

/// The whole stack over a handler.
pub(super) type Pipeline = BoxCloneSyncService<Batch, Settled, Stopped>;

/// What the layers need.
pub(super) struct Parts {
    pub(super) service: &'static str,
    pub(super) publisher: Publisher,
    pub(super) instruments: Arc<Instruments>,
    pub(super) away: Away,
    pub(super) attempts: u32,
    pub(super) timeout: Duration,
}

pub(super) fn build<H: Handler>(handler: Arc<H>, parts: Parts) -> Pipeline {
    let Parts {
        service,
        publisher,
        instruments,
        away,
        attempts,
        timeout,
    } = parts;
    let stack = ServiceBuilder::new()
        .layer_fn(span::Spans::new)
        .layer_fn(|inner| metrics::Metrics::new(inner, Arc::clone(&instruments)))
        .layer_fn(|inner| {
            dead_letter::DeadLetters::new(
                inner,
                service,
                publisher.clone(),
                away.clone(),
                Arc::clone(&instruments),
            )
        })
        .layer_fn(|inner| {
            retry::Retries::new(inner, attempts, away.clone(), Arc::clone(&instruments))
        })
        .map_err(one_error)
        .timeout(timeout)
        .service(decode::Decode::new(handler));
    BoxCloneSyncService::new(stack)
}

/// A handler that does not answer in time waits for something: that is a
/// dependency away, not a guilty record.
fn one_error(error: BoxError) -> HandlerError {
    match error.downcast::<HandlerError>() {
        Ok(error) => *error,
        Err(error) if error.is::<tower::timeout::error::Elapsed>() => {
            HandlerError::Unavailable("no answer within the handler's timeout".to_owned())
        }
        Err(error) => HandlerError::Failed(error),
    }
}
