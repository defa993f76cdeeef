//! Spans on their way out, and how many did not make it.
//!
//! Invariant: ending a span never waits. A span that ends while as many wait as
//! may is dropped at once, and counted; so is one that the collector did not take.
//! The bound is kept here, in front of the SDK's own queue, because that one does
//! not tell a service's own meter what it drops.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use opentelemetry::{
    Context, KeyValue,
    metrics::{Counter, Meter},
};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{BatchConfigBuilder, BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor},
};

/// Hands spans on in batches, as far as there is room.
#[derive(Debug)]
pub(super) struct Bounded {
    inner: BatchSpanProcessor,
    queue: Arc<Queue>,
}

impl Bounded {
    /// With room for so many spans.
    pub(super) fn new<E>(exporter: E, room: usize, meter: &Meter) -> Self
    where
        E: SpanExporter + 'static,
    {
        let queue = Arc::new(Queue::new(room, meter));
        let counting = Counting {
            inner: exporter,
            queue: Arc::clone(&queue),
        };
        // The other settings are the SDK's to read (`OTEL_BSP_…`).
        let config = BatchConfigBuilder::default()
            .with_max_queue_size(room)
            .build();
        let inner = BatchSpanProcessor::builder(counting)
            .with_batch_config(config)
            .build();
        Self { inner, queue }
    }
}

/// What waits, and what became of the rest. Named by the semantic conventions for
/// the SDK's own metrics.
#[derive(Debug)]
struct Queue {
    waiting: AtomicUsize,
    room: usize,
    processed: Counter<u64>,
    exported: Counter<u64>,
}

impl Queue {
    fn new(room: usize, meter: &Meter) -> Self {
        let queue = Self {
            waiting: AtomicUsize::new(0),
            room,
            processed: meter
                .u64_counter("otel.sdk.processor.span.processed")
                .with_description("Spans that were dropped, by why (error.type)")
                .build(),
            exported: meter
                .u64_counter("otel.sdk.exporter.span.exported")
                .with_description("Spans handed to the collector; with error.type: in vain")
                .build(),
        };
        // So that the first one that is dropped is an increase.
        queue.dropped(0);
        queue.done(0, true);
        queue.done(0, false);
        queue
    }

    fn has_room(&self) -> bool {
        self.waiting
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |waiting| {
                (waiting < self.room).then_some(waiting + 1)
            })
            .is_ok()
    }

    fn dropped(&self, spans: u64) {
        let full = KeyValue::new("error.type", "queue_full");
        self.processed.add(spans, &[full]);
    }

    fn done(&self, spans: u64, taken: bool) {
        let failed = KeyValue::new("error.type", "export_failed");
        let attributes = if taken { &[][..] } else { &[failed][..] };
        self.exported.add(spans, attributes);
    }
}

impl SpanProcessor for Bounded {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.inner.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if !span.span_context.is_sampled() {
            return;
        }
        if self.queue.has_room() {
            self.inner.on_end(span);
        } else {
            self.queue.dropped(1);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

/// Counts what an exporter is given.
#[derive(Debug)]
struct Counting<E> {
    inner: E,
    queue: Arc<Queue>,
}

impl<E: SpanExporter> SpanExporter for Counting<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        self.queue.waiting.fetch_sub(spans, Ordering::Relaxed);
        let result = self.inner.export(batch).await;
        self.queue.done(spans as u64, result.is_ok());
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use opentelemetry::{
        metrics::MeterProvider as _,
        trace::{Span as _, Tracer as _, TracerProvider as _},
    };
    use opentelemetry_sdk::{
        error::OTelSdkError, metrics::SdkMeterProvider, trace::SdkTracerProvider,
    };
    use prometheus::{Registry, TextEncoder};

    use super::*;

    /// Takes nothing until it is let go, and then refuses.
    #[derive(Debug)]
    struct Stuck(std::sync::Mutex<mpsc::Receiver<()>>);

    impl SpanExporter for Stuck {
        async fn export(&self, _: Vec<SpanData>) -> OTelSdkResult {
            let _ = self.0.lock().unwrap().recv();
            Err(OTelSdkError::InternalFailure("gone".to_owned()))
        }
    }

    #[test]
    fn what_a_stuck_collector_costs_is_counted_to_the_span() {
        let registry = Registry::new();
        let reader = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .build()
            .unwrap();
        let meters = SdkMeterProvider::builder().with_reader(reader).build();
        let (go, stuck) = mpsc::channel();
        let bounded = Bounded::new(Stuck(stuck.into()), 100, &meters.meter("test"));
        let tracers = SdkTracerProvider::builder()
            .with_span_processor(bounded)
            .build();
        let tracer = tracers.tracer("test");
        for _ in 0..1_000 {
            tracer.start("span").end();
        }
        drop(go);
        let _ = tracers.shutdown();
        let text = TextEncoder::new()
            .encode_to_string(&registry.gather())
            .unwrap();
        let count = |name: &str| {
            let lines = text.lines().filter(|line| line.starts_with(name));
            lines
                .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
                .sum::<f64>()
        };
        let dropped = count("otel_sdk_processor_span_processed_total");
        let failed = count("otel_sdk_exporter_span_exported_total");
        assert!(dropped >= 1.0 && failed >= 100.0, "{text}");
        assert!((dropped + failed - 1_000.0).abs() < 0.5, "{text}");
    }
}
