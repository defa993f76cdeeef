//! Counts and times batches.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use futures::future::BoxFuture;
use opentelemetry::{
    KeyValue,
    metrics::{Counter, Histogram, Meter},
};
use tower::{Service, ServiceExt as _};

use super::{Batch, Settled, Stopped};
use crate::{grpc::SECONDS, kafka::consumer::handler::PoisonClass};

/// Instruments of a consumer. Labels are topics and classes: bounded.
pub(in super::super) struct Instruments {
    records: Counter<u64>,
    dead: Counter<u64>,
    retries: Counter<u64>,
    batch: Histogram<u64>,
    duration: Histogram<f64>,
}

impl Instruments {
    pub(in super::super) fn new(meter: &Meter) -> Arc<Self> {
        Arc::new(Self {
            records: meter
                .u64_counter("ordermesh.consumer.records")
                .with_description("Records settled, by topic and outcome")
                .build(),
            dead: meter
                .u64_counter("ordermesh.consumer.dead_letters")
                .with_description("Records put into the dead-letter topic, by class")
                .build(),
            retries: meter
                .u64_counter("ordermesh.consumer.retries")
                .with_description("Tries that were repeated")
                .build(),
            batch: meter
                .u64_histogram("ordermesh.consumer.batch.size")
                .with_description("Records worked on together")
                .with_boundaries(vec![
                    1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0,
                ])
                .build(),
            duration: meter
                .f64_histogram("messaging.process.duration")
                .with_unit("s")
                .with_description("How long batches took until settled, retries included")
                .with_boundaries(SECONDS.to_vec())
                .build(),
        })
    }

    pub(super) fn retried(&self, topic: &str) {
        self.retries.add(1, &[destination(topic)]);
    }

    pub(super) fn dead(&self, topic: &str, class: PoisonClass) {
        let class = KeyValue::new("class", class.as_str());
        self.dead.add(1, &[destination(topic), class]);
    }
}

fn destination(topic: &str) -> KeyValue {
    KeyValue::new("messaging.destination.name", topic.to_owned())
}

#[derive(Clone)]
pub(super) struct Metrics<S> {
    inner: S,
    instruments: Arc<Instruments>,
}

impl<S> Metrics<S> {
    pub(super) fn new(inner: S, instruments: Arc<Instruments>) -> Self {
        Self { inner, instruments }
    }
}

impl<S> Service<Batch> for Metrics<S>
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

    fn call(&mut self, batch: Batch) -> Self::Future {
        let mut this = self.clone();
        Box::pin(async move {
            let topic = destination(&batch.lane.topic);
            let start = Instant::now();
            this.instruments
                .batch
                .record(batch.items.len() as u64, std::slice::from_ref(&topic));
            let settled = this.inner.ready().await?.call(batch).await?;
            let instruments = &this.instruments;
            instruments
                .duration
                .record(start.elapsed().as_secs_f64(), std::slice::from_ref(&topic));
            for (outcome, count) in [("done", settled.done), ("dead", settled.dead)] {
                if count > 0 {
                    let outcome = KeyValue::new("outcome", outcome);
                    instruments
                        .records
                        .add(count as u64, &[topic.clone(), outcome]);
                }
            }
            Ok(settled)
        })
    }
}
