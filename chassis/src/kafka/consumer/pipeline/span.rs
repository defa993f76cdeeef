//! Spans of a batch and of each of its records.
//!
//! Each record gets a `process` span, child of its producer's, so that one order
//! is one trace. A batch of several is a span of its own that links to them.

use std::task::{Context, Poll};

use futures::future::BoxFuture;
use tower::{Service, ServiceExt as _};
use tracing::{Instrument as _, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::{Batch, Settled, Stopped};
use crate::{
    kafka::{Record, headers},
    telemetry,
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
        let alone = batch.items.len() == 1;
        let span = if alone {
            Span::none()
        } else {
            telemetry::span::batch(&lane.topic, lane.partition, batch.items.len(), &lane.group)
        };
        for item in &mut batch.items {
            item.span = of_record(&item.record, &batch.lane.group);
            if !alone {
                let context = telemetry::span_context(&item.span.context());
                if context.is_sampled() {
                    span.add_link(context);
                }
            }
        }
        // A record that is worked on alone needs no batch around it.
        let span = if alone {
            batch.items[0].span.clone()
        } else {
            span
        };
        Box::pin(async move { inner.ready().await?.call(batch).await }.instrument(span))
    }
}

fn of_record(record: &Record, group: &str) -> Span {
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
