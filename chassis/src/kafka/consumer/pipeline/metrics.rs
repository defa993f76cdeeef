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
use crate::{
    grpc::SECONDS,
    kafka::consumer::{figures::Figures, handler::PoisonClass},
};

/// Instruments of a consumer. Labels are topics and classes: bounded.
pub(in super::super) struct Instruments {
    records: Counter<u64>,
    dead: Counter<u64>,
    retries: Counter<u64>,
    batch: Histogram<u64>,
    duration: Histogram<f64>,
    age: Histogram<f64>,
    rebalances: Counter<u64>,
    figures: Figures,
}

impl Instruments {
    pub(in super::super) fn new(meter: &Meter, topics: &[&str]) -> Arc<Self> {
        let instruments = Self {
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
            age: meter
                .f64_histogram("ordermesh.consumer.event.age")
                .with_unit("s")
                .with_description("From a record's timestamp until it was settled, by topic")
                .with_boundaries(SECONDS.to_vec())
                .build(),
            rebalances: meter
                .u64_counter("ordermesh.consumer.rebalances")
                .with_description("Times that the group dealt out its partitions anew")
                .build(),
            figures: Figures::new(topics),
        };
        // A counter that begins at 1 is no increase to who reads it: the first dead
        // letter must be one.
        for topic in topics {
            instruments.retries.add(0, &[destination(topic)]);
            for class in PoisonClass::ALL {
                let class = KeyValue::new("class", class.as_str());
                instruments.dead.add(0, &[destination(topic), class]);
            }
        }
        Arc::new(instruments)
    }

    /// The same for operators.
    pub(in super::super) fn figures(&self) -> &Figures {
        &self.figures
    }

    pub(in super::super) fn rebalanced(&self) {
        self.rebalances.add(1, &[]);
    }

    /// What users wait for: how old a record is when its effect is there.
    fn settled(&self, since_ms: &[i64], topic: &KeyValue) {
        let now = now_ms();
        for since in since_ms {
            let age = u32::try_from(now.saturating_sub(*since)).unwrap_or(0);
            let topic = std::slice::from_ref(topic);
            self.age.record(f64::from(age) / 1_000.0, topic);
            self.figures.aged(age);
        }
    }

    pub(super) fn retried(&self, topic: &str) {
        self.retries.add(1, &[destination(topic)]);
        self.figures.retried(topic);
    }

    pub(super) fn dead(&self, topic: &str, class: PoisonClass) {
        let class = KeyValue::new("class", class.as_str());
        self.dead.add(1, &[destination(topic), class]);
        self.figures.dead(topic);
    }
}

fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
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
            let lane = Arc::clone(&batch.lane);
            let topic = destination(&lane.topic);
            let start = Instant::now();
            this.instruments
                .batch
                .record(batch.items.len() as u64, std::slice::from_ref(&topic));
            let since: Vec<i64> = batch
                .items
                .iter()
                .map(|item| item.record.timestamp_ms())
                // It has none, or none that says when.
                .filter(|since| *since > 0)
                .collect();
            let settled = this.inner.ready().await?.call(batch).await?;
            let instruments = &this.instruments;
            instruments.settled(&since, &topic);
            let figures = &instruments.figures;
            figures.settled(&lane.topic, settled.done + settled.dead);
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
