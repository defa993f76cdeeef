//! Traces, metrics and logs of one service.
//!
//! Nothing here is global: several services share a process in `ordermesh up`,
//! and each keeps its own providers, resource, registry and subscriber. A thread
//! belongs to a service by carrying its subscriber; [`Telemetry::runtime`] and
//! [`Telemetry::thread`] see to that.
//!
//! Invariant: telemetry never slows or fails the work. Spans go into a bounded
//! queue that drops what does not fit, and counts it; without an endpoint nothing is exported at all.

mod bounded;
mod exporter;
mod logs;
mod options;
mod propagation;
mod resource;
mod sampler;
pub mod span;
mod traced;

use std::{
    cell::RefCell,
    io,
    sync::{Arc, LazyLock},
    thread,
    time::Duration,
};

use opentelemetry::{metrics::Meter, metrics::MeterProvider as _, trace::TracerProvider as _};
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_sdk::{
    logs::SdkLoggerProvider,
    metrics::SdkMeterProvider,
    trace::{SdkTracerProvider, SpanLimits},
};
use prometheus::{Encoder as _, Registry, TextEncoder, process_collector::ProcessCollector};
use tracing::{Dispatch, level_filters::LevelFilter};
use tracing_subscriber::{
    Layer as _,
    filter::{FilterExt as _, Targets, filter_fn},
    layer::{Filter, SubscriberExt as _},
};

use bounded::Bounded;
pub use exporter::Endpoints;
use exporter::Exporters;
pub use logs::LogFormat;
pub use options::{SamplerOption, TelemetryOptions};
pub use propagation::{HeaderCarrier, extract, inject, traceparent};
pub(crate) use propagation::{extract_headers, span_context};
pub(crate) use sampler::Sampling;
pub use traced::Traced;

/// Links of one span. OpenTelemetry's default is 128; a batch span links to
/// every record of its batch, which holds up to a thousand.
const MAX_LINKS: u32 = 2_048;

thread_local! {
    /// Keeps a service thread's subscriber in force until the thread ends.
    static SUBSCRIBER: RefCell<Option<tracing::dispatcher::DefaultGuard>> =
        const { RefCell::new(None) };
}

/// Stands beside a process's only subscriber. While there is just one, `tracing`
/// asks the thread that reaches a call site first whether it is of interest, and
/// keeps the answer for all: on a thread without subscriber it is never.
static SECOND: LazyLock<Dispatch> =
    LazyLock::new(|| Dispatch::new(tracing_subscriber::registry().with(LevelFilter::OFF)));

/// A service's telemetry.
#[derive(Debug, Clone)]
pub struct Telemetry {
    dispatch: Dispatch,
    sampling: Sampling,
    tracers: SdkTracerProvider,
    meters: SdkMeterProvider,
    /// While logs are exported.
    loggers: Option<SdkLoggerProvider>,
    meter: Meter,
    registry: Registry,
    /// Where the exporter's connection lives, while there is one.
    _exporter: Option<Arc<exporter::ExporterThread>>,
}

/// Telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The OTLP endpoint cannot be used.
    #[error("OTEL_EXPORTER_OTLP_ENDPOINT: {0}")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    /// The exporter's thread could not be started.
    #[error("the exporter's thread: {0}")]
    Thread(#[from] io::Error),
    /// The Prometheus registry refused an instrument.
    #[error("metrics: {0}")]
    Metrics(String),
}

impl Telemetry {
    /// Sets up a service's telemetry.
    pub fn new(service: &'static str, options: &TelemetryOptions) -> Result<Self, TelemetryError> {
        LazyLock::force(&SECOND);
        let resource = resource::of(service, options);
        let exporters = exporter::connect(&options.endpoints, options.export_timeout)?;
        let (spans, metrics, logs, thread) = match exporters {
            Some(Exporters {
                spans,
                metrics,
                logs,
                thread,
            }) => (spans, metrics, logs, Some(Arc::new(thread))),
            None => (None, None, None, None),
        };

        let registry = Registry::new();
        // Prometheus' own names: `process_resident_memory_bytes` and so on.
        registry
            .register(Box::new(ProcessCollector::for_self()))
            .map_err(|error| TelemetryError::Metrics(error.to_string()))?;
        let exporter = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .scope_info_enabled(false)
            .build()
            .map_err(|error| TelemetryError::Metrics(error.to_string()))?;
        let mut meters = SdkMeterProvider::builder()
            .with_resource(resource.clone())
            .with_reader(exporter);
        if let Some(metrics) = metrics {
            meters = meters.with_periodic_exporter(metrics);
        }
        let meters = meters.build();
        let meter = meters.meter("ordermesh");
        build_info(&meter);

        let (sampling, sampler) = Sampling::from_options(options);
        let mut tracers = SdkTracerProvider::builder()
            .with_resource(resource.clone())
            .with_sampler(sampler)
            .with_span_limits(SpanLimits {
                max_links_per_span: MAX_LINKS,
                ..SpanLimits::default()
            });
        if let Some(spans) = spans {
            tracers = tracers.with_span_processor(Bounded::new(spans, options.queue, &meter));
        }
        let tracers = tracers.build();
        let loggers = logs.map(|logs| {
            SdkLoggerProvider::builder()
                .with_resource(resource)
                .with_batch_exporter(logs)
                .build()
        });

        let written = logs::layer(service, options.log_format).with_filter(filter(&options.log));
        // Filtered also when there is none: a layer without a filter of its own makes
        // every span, also those that no other layer asks for (h2's, at TRACE).
        let exported = loggers.as_ref().map(OpenTelemetryTracingBridge::new);
        let exported = exported.with_filter(filter(&options.log));
        let spans = tracing_opentelemetry::layer()
            .with_tracer(tracers.tracer("ordermesh"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_level(false)
            .with_tracked_inactivity(false)
            .with_filter(LevelFilter::INFO);
        let layers = tracing_subscriber::registry().with(spans).with(written);
        let dispatch = Dispatch::new(layers.with(exported));
        Ok(Self {
            dispatch,
            sampling,
            tracers,
            meters,
            loggers,
            meter,
            registry,
            _exporter: thread,
        })
    }

    /// Where a service's instruments come from.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Who decides which traces are kept.
    pub(crate) fn sampling(&self) -> &Sampling {
        &self.sampling
    }

    /// The subscriber that a service's threads carry.
    pub fn dispatch(&self) -> &Dispatch {
        &self.dispatch
    }

    /// Makes the calling thread the service's own, until it ends.
    pub fn adopt_thread(&self) {
        adopt(&self.dispatch);
    }

    /// A runtime whose threads belong to the service.
    pub fn runtime(
        &self,
        name: &'static str,
        workers: usize,
    ) -> io::Result<tokio::runtime::Runtime> {
        let dispatch = self.dispatch.clone();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(workers)
            .thread_name(name)
            .on_thread_start(move || adopt(&dispatch))
            .enable_all()
            .build()?;
        let handle = runtime.handle().clone();
        self.meter
            .u64_observable_gauge("ordermesh.runtime.tasks")
            .with_description("Tasks that are alive: connections, requests, workers")
            .with_callback(move |tasks| tasks.observe(alive(&handle), &[]))
            .build();
        Ok(runtime)
    }

    /// An operating system thread that belongs to the service.
    pub fn thread<T: Send + 'static>(
        &self,
        name: &str,
        body: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<thread::JoinHandle<T>> {
        let dispatch = self.dispatch.clone();
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            adopt(&dispatch);
            body()
        })
    }

    /// The metrics in Prometheus' text format (version 0.0.4).
    pub fn metrics_text(&self) -> Result<String, TelemetryError> {
        let mut text = Vec::new();
        TextEncoder::new()
            .encode(&self.registry.gather(), &mut text)
            .map_err(|error| TelemetryError::Metrics(error.to_string()))?;
        String::from_utf8(text).map_err(|error| TelemetryError::Metrics(error.to_string()))
    }

    /// Sends what is still in the queue, within a bound. What cannot be sent is
    /// dropped: telemetry must not keep a process from ending.
    pub fn flush(&self, within: Duration) {
        if let Err(error) = self.tracers.shutdown_with_timeout(within) {
            tracing::debug!(%error, "the last spans were not exported");
        }
        if let Some(loggers) = &self.loggers
            && let Err(error) = loggers.shutdown_with_timeout(within)
        {
            tracing::debug!(%error, "the last logs were not exported");
        }
        if let Err(error) = self.meters.shutdown_with_timeout(within) {
            tracing::debug!(%error, "the meter provider did not stop in time");
        }
    }
}

fn alive(runtime: &tokio::runtime::Handle) -> u64 {
    runtime.metrics().num_alive_tasks() as u64
}

fn adopt(dispatch: &Dispatch) {
    let guard = tracing::dispatcher::set_default(dispatch);
    SUBSCRIBER.with_borrow_mut(|subscriber| *subscriber = Some(guard));
}

/// Events only: a line has its trace from OpenTelemetry's context, and spans that
/// a log layer sees are written out for it, each time, for nothing. A wrong filter
/// was reported when the options were read.
fn filter<S>(directives: &str) -> impl Filter<S> + use<S> {
    let targets: Targets = directives
        .parse()
        .unwrap_or_else(|_| Targets::new().with_default(LevelFilter::INFO));
    targets.and(filter_fn(|metadata: &tracing::Metadata<'_>| {
        !metadata.is_span()
    }))
}

/// The usual `build_info` gauge: always 1, the facts are its labels.
fn build_info(meter: &Meter) {
    meter
        .u64_gauge("ordermesh.build.info")
        .with_description("Always 1; the labels tell the version")
        .build()
        .record(
            1,
            &[opentelemetry::KeyValue::new(
                "version",
                env!("CARGO_PKG_VERSION"),
            )],
        );
}

#[cfg(test)]
mod tests {
    use tracing::Span;

    use super::*;
    use crate::config::Config;

    fn span() -> Span {
        tracing::info_span!("reached first by a thread of nobody")
    }

    #[test]
    fn what_no_layer_asks_for_is_not_made() {
        let options = TelemetryOptions::read(&mut Config::load(None, []));
        let telemetry = Telemetry::new("test", &options).unwrap();
        let theirs = || (tracing::trace_span!("of a library"), span());
        let (detail, ours) = tracing::dispatcher::with_default(telemetry.dispatch(), theirs);
        assert!(detail.is_disabled() && !ours.is_disabled());
    }

    #[test]
    fn a_thread_without_subscriber_silences_no_call_site() {
        let options = TelemetryOptions::read(&mut Config::load(None, []));
        let telemetry = Telemetry::new("test", &options).unwrap();
        assert!(thread::spawn(|| span().is_disabled()).join().unwrap());
        let theirs = tracing::dispatcher::with_default(telemetry.dispatch(), span);
        assert!(!theirs.is_disabled());
    }
}
