//! Works on one partition for the length of one assignment.
//!
//! Takes what is in the queue, up to a batch; never waits to fill one, so batches
//! grow with the load and a lone record is not held back. Several batches may be
//! in flight where the service says that their order does not matter; the ledger
//! sees to the offsets. While one is, the next is begun when it would be full,
//! or a moment after the last: else records that arrive one by one would each
//! become a batch.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};
use tower::{Service as _, ServiceExt as _};

use super::pipeline::{Batch, Item, Lane, Pipeline, Stopped};
use crate::{
    fault::{self, Mistake},
    kafka::Record,
    telemetry::Traced,
};

/// How long records that are no full batch gather beside a batch in flight. A
/// few database round trips; not felt next to a charge.
const GATHER: Duration = Duration::from_millis(5);

/// What workers tell the poll thread.
#[derive(Debug)]
pub(super) enum Report {
    /// The records of these offsets are settled.
    Finished {
        lane: Arc<Lane>,
        first: i64,
        last: i64,
    },
    /// The worker has ended and will report no more.
    Ended { lane: Arc<Lane> },
}

/// How a worker works.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) batch_max: usize,
    pub(super) batches_in_flight: usize,
}

pub(super) async fn run(
    lane: Arc<Lane>,
    mut queue: mpsc::Receiver<Record>,
    pipeline: Pipeline,
    limits: Limits,
    reports: std::sync::mpsc::Sender<Report>,
) {
    let ended = Ended {
        lane: Arc::clone(&lane),
        reports: reports.clone(),
    };
    let mut in_flight: FuturesUnordered<BoxFuture<'static, Result<(i64, i64), Stopped>>> =
        FuturesUnordered::new();
    let mut records = Vec::new();
    let mut gathered = Instant::now();
    loop {
        let has_room = in_flight.len() < limits.batches_in_flight;
        let is_due =
            in_flight.is_empty() || queue.len() >= limits.batch_max || gathered <= Instant::now();
        tokio::select! {
            biased;
            () = lane.stop.cancelled() => break,
            Some(finished) = in_flight.next() => report(&lane, finished, &reports),
            () = sleep_until(gathered), if has_room && !is_due => {}
            taken = queue.recv_many(&mut records, limits.batch_max), if has_room && is_due => {
                if taken == 0 {
                    break;
                }
                gathered = Instant::now() + GATHER;
                let records = std::mem::take(&mut records);
                in_flight.push(settle(
                    pipeline.clone(),
                    Arc::clone(&lane),
                    records,
                    reports.clone(),
                ));
            }
        }
    }
    // What is in hand is finished; what waits in the queue is given up and will
    // be delivered again.
    drop(queue);
    while let Some(finished) = in_flight.next().await {
        report(&lane, finished, &reports);
    }
    drop(ended);
}

fn settle(
    mut pipeline: Pipeline,
    lane: Arc<Lane>,
    records: Vec<Record>,
    reports: std::sync::mpsc::Sender<Report>,
) -> BoxFuture<'static, Result<(i64, i64), Stopped>> {
    Box::pin(async move {
        let range = match (records.first(), records.last()) {
            (Some(first), Some(last)) => (first.offset(), last.offset()),
            _ => return Err(Stopped),
        };
        if fault::makes(Mistake::EarlyOffsets) {
            report(&lane, Ok(range), &reports);
            // Long enough for the offset to be committed.
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        let items = records
            .into_iter()
            .map(|record| Item {
                record,
                traced: Traced::default(),
            })
            .collect();
        pipeline.ready().await?.call(Batch { items, lane }).await?;
        Ok(range)
    })
}

fn report(
    lane: &Arc<Lane>,
    finished: Result<(i64, i64), Stopped>,
    reports: &std::sync::mpsc::Sender<Report>,
) {
    if let Ok((first, last)) = finished {
        // The poll thread outlives its workers, but for the end of the process.
        let _ = reports.send(Report::Finished {
            lane: Arc::clone(lane),
            first,
            last,
        });
    }
}

/// Reports the worker's end, also when it panics: the poll thread must not wait
/// for a worker that is gone.
struct Ended {
    lane: Arc<Lane>,
    reports: std::sync::mpsc::Sender<Report>,
}

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.reports.send(Report::Ended {
            lane: Arc::clone(&self.lane),
        });
    }
}
