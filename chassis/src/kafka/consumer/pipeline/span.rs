//! Spans of a batch and of each of its records.
//!
//! Each record gets a `process` span, child of its producer's, so that one order
//! is one trace. A batch of several is a span of its own that links to them.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use futures::future::BoxFuture;
use tower::{Service, ServiceExt as _};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::{Batch, Item, Lane, Settled, Stopped};
use crate::{
    kafka::{Record, headers},
    telemetry::{self, Traced},
};

#[derive(Clone)]
pub(super) struct Spans<S>(S);

impl<S> Spans<S> {
    pub(super) fn new(inner: S) -> Self {
        Self(inner)
    }
}

impl<S> Service<Batch> for Spans<S>
where
    S: Service<Batch, Response = Settled, Error = Stopped> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Settled;
    type Error = Stopped;
    type Future = BoxFuture<'static, Result<Settled, Stopped>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Stopped>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut batch: Batch) -> Self::Future {
        let mut inner = self.0.clone();
        let lane = &batch.lane;
        for item in &mut batch.items {
            item.traced = of_record(&item.record, &batch.lane.group);
        }
        // A record that is worked on alone needs no batch around it.
        let traced = match batch.items.as_slice() {
            [alone] => alone.traced.clone(),
            items => of_batch(items, lane),
        };
        let work = async move {
            let (lane, offsets) = (Arc::clone(&batch.lane), Offsets::of(&batch));
            let settled = inner.ready().await?.call(batch).await?;
            offsets.tell(&lane, settled);
            Ok(settled)
        };
        Box::pin(traced.run(work))
    }
}

/// What a log says of a batch: one line, so that it shows the work and no load makes
/// it a flood.
struct Offsets {
    first: i64,
    last: i64,
    /// The record, when it came alone.
    alone: Option<Record>,
}

impl Offsets {
    fn of(batch: &Batch) -> Self {
        let offset = |item: &Item| item.record.offset();
        let alone = match batch.items.as_slice() {
            [alone] => Some(alone.record.clone()),
            _ => None,
        };
        Self {
            first: batch.items.first().map_or(-1, offset),
            last: batch.items.last().map_or(-1, offset),
            alone,
        }
    }

    fn tell(&self, lane: &Lane, settled: Settled) {
        let (topic, partition, dead) = (&*lane.topic, lane.partition, settled.dead);
        match &self.alone {
            // The key of a record that was understood is an id.
            Some(record) if dead == 0 => {
                let key = record.key().map(String::from_utf8_lossy);
                let key = key.as_deref();
                tracing::info!(topic, partition, offset = self.first, key, "record settled");
            }
            _ => tracing::info!(
                topic,
                partition,
                from = self.first,
                to = self.last,
                dead,
                "records settled"
            ),
        }
    }
}

/// Links to every record whose trace is kept.
fn of_batch(items: &[Item], lane: &Lane) -> Traced {
    let span = telemetry::span::batch(&lane.topic, lane.partition, items.len(), &lane.group);
    for item in items {
        let context = telemetry::span_context(item.traced.context());
        if context.is_sampled() {
            span.add_link(context);
        }
    }
    Traced::in_span(span)
}

fn of_record(record: &Record, group: &str) -> Traced {
    let parent = match record.text_header(headers::TRACEPARENT) {
        Some(parent) => telemetry::extract(parent, record.text_header(headers::TRACESTATE)),
        None => opentelemetry::Context::new(),
    };
    telemetry::span::process(
        record.topic(),
        record.partition(),
        record.offset(),
        group,
        parent,
    )
}
