//! Works on one partition for the length of one assignment.
//!
//! Takes what its source has, up to a batch; never waits to fill one, so batches
//! grow with the load and a lone record is not held back. Several batches may be
//! in flight where the service says that their order does not matter; the ledger
//! sees to the offsets. While one is, the next is begun when it is full, or a
//! moment after the last: else records that arrive one by one would each become a
//! batch.
//!
//! Nothing is taken that is not worked on soon: what the worker has no room for
//! stays in librdkafka's queue, which stops fetching when that is full.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use rdkafka::error::KafkaError;
use tokio::time::{Instant, sleep_until};
use tower::{Service as _, ServiceExt as _};

use super::{
    intake::Intake,
    ledger::Ledger,
    pipeline::{Batch, Item, Lane, Pipeline, Stopped},
    source::Source,
};
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
    /// How far the worker is.
    Progress {
        lane: Arc<Lane>,
        /// The offset to be stored; `None` before anything is settled.
        position: Option<i64>,
        /// Records taken and not yet settled.
        open: usize,
    },
    /// Reading failed; librdkafka goes on by itself.
    Failed(KafkaError),
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
    source: Arc<Source>,
    pipeline: Pipeline,
    limits: Limits,
    reports: std::sync::mpsc::Sender<Report>,
) {
    let ended = Ended {
        lane: Arc::clone(&lane),
        reports: reports.clone(),
    };
    let tell = |ledger: &Ledger| {
        // The poll thread outlives its workers, but for the end of the process.
        let _ = reports.send(Report::Progress {
            lane: Arc::clone(&lane),
            position: ledger.position(),
            open: ledger.open(),
        });
    };
    let mut intake = Intake::new(limits.batch_max);
    let mut in_flight: FuturesUnordered<BoxFuture<'static, Result<Offsets, Stopped>>> =
        FuturesUnordered::new();
    let mut emptied = false;
    let mut gathered = Instant::now();
    loop {
        if let Some(offset) = intake.begin_again() {
            tracing::warn!(
                topic = &*lane.topic,
                partition = lane.partition,
                offset,
                "the partition begins again at an earlier offset: its log was cut, or its \
                 topic made anew"
            );
        }
        let has_room =
            in_flight.is_empty() || in_flight.len() < limits.batches_in_flight && intake.has_room();
        if has_room && !emptied && !intake.is_full() {
            emptied = source.take(
                |record| intake.take(record),
                |error| {
                    let _ = reports.send(Report::Failed(error));
                },
            );
        }
        let is_due = intake.is_full() || in_flight.is_empty() || gathered <= Instant::now();
        if let Some(offsets) = Offsets::of(intake.waiting())
            && has_room
            && is_due
        {
            gathered = Instant::now() + GATHER;
            if fault::makes(Mistake::EarlyOffsets) {
                intake.ledger.finish(offsets.first, offsets.last);
            }
            tell(&intake.ledger);
            let records = intake.batch();
            in_flight.push(settle(pipeline.clone(), &lane, offsets, records));
            continue;
        }
        tokio::select! {
            biased;
            () = lane.stop.cancelled() => break,
            Some(finished) = in_flight.next() => {
                if let Ok(offsets) = finished {
                    intake.ledger.finish(offsets.first, offsets.last);
                    tell(&intake.ledger);
                }
            }
            () = sleep_until(gathered), if has_room && !intake.waiting().is_empty() => {}
            () = source.arrived(), if has_room && emptied => emptied = false,
        }
    }
    // What is in hand is finished; what waits is given up and will be delivered
    // again.
    while let Some(finished) = in_flight.next().await {
        if let Ok(offsets) = finished {
            intake.ledger.finish(offsets.first, offsets.last);
            tell(&intake.ledger);
        }
    }
    drop(ended);
}

/// The offsets of a batch's first and last record.
#[derive(Debug, Clone, Copy)]
struct Offsets {
    first: i64,
    last: i64,
}

impl Offsets {
    fn of(records: &[Record]) -> Option<Self> {
        Some(Self {
            first: records.first()?.offset(),
            last: records.last()?.offset(),
        })
    }
}

fn settle(
    mut pipeline: Pipeline,
    lane: &Arc<Lane>,
    offsets: Offsets,
    records: Vec<Record>,
) -> BoxFuture<'static, Result<Offsets, Stopped>> {
    let lane = Arc::clone(lane);
    Box::pin(async move {
        if fault::makes(Mistake::EarlyOffsets) {
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
        Ok(offsets)
    })
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
