//! Forgets in the background what no longer needs to be known.
//!
//! Invariant: figures do not change by it (see [`retention`](crate::retention)),
//! and it never stands in the way: it goes chunk by chunk, each a short
//! transaction of its own that waits for nobody.

use std::{sync::Arc, time::Duration};

use opentelemetry::metrics::{Counter, Meter};
use proto::time::UnixMicros;
use tokio_util::sync::CancellationToken;

use crate::{retention::Retention, store::Store};

/// How what may be forgotten is forgotten.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// From one look to the next, once nothing is left to forget.
    pub interval: Duration,
    /// Rows of each table in one transaction.
    pub chunk: u32,
}

/// Forgets until told to stop.
pub async fn run(
    store: Arc<dyn Store>,
    retention: Retention,
    pace: Pace,
    meter: Meter,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let forgotten = meter
        .u64_counter("ordermesh.analytics.forgotten")
        .with_description("Ids, halves of orders and users of a day that were pruned")
        .build();
    while !shutdown.is_cancelled() {
        forget(&*store, retention, pace, &forgotten, &shutdown).await;
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = tokio::time::sleep(pace.interval) => {}
        }
    }
    Ok(())
}

/// One round: chunk by chunk until nothing is left.
async fn forget(
    store: &dyn Store,
    retention: Retention,
    pace: Pace,
    forgotten: &Counter<u64>,
    shutdown: &CancellationToken,
) {
    let horizon = retention.horizon(UnixMicros::now());
    while !shutdown.is_cancelled() {
        match store.prune(horizon, pace.chunk.into()).await {
            Ok(0) => return,
            Ok(rows) => forgotten.add(rows as u64, &[]),
            Err(error) => {
                // Nothing is lost by forgetting later.
                tracing::warn!(%error, "old ids were not pruned; trying again later");
                return;
            }
        }
    }
}
