//! What leaves for an OpenTelemetry collector: spans, and metrics and logs where
//! asked for.
//!
//! A service's runtime carries the service's subscriber, which needs the
//! exporters, whose connections need a runtime. A small one of its own breaks
//! that circle, and keeps a slow collector away from the threads that do the
//! work.

use std::{thread, time::Duration};

use opentelemetry_otlp::{
    ExporterBuildError, LogExporter, MetricExporter, SpanExporter, WithExportConfig as _,
};
use tokio::{runtime::Runtime, sync::oneshot};

use super::TelemetryError;

/// Where each signal goes, if anywhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// Spans.
    pub traces: Option<String>,
    /// Metrics, besides `/metrics`.
    pub metrics: Option<String>,
    /// Logs, besides standard error.
    pub logs: Option<String>,
}

/// The connections, each where its signal goes somewhere.
#[derive(Debug)]
pub(super) struct Exporters {
    pub(super) spans: Option<SpanExporter>,
    pub(super) metrics: Option<MetricExporter>,
    pub(super) logs: Option<LogExporter>,
    pub(super) thread: ExporterThread,
}

/// Lives as long as the exporters may be used.
#[derive(Debug)]
pub(super) struct ExporterThread {
    _alive: oneshot::Sender<()>,
}

/// Connects, when something goes anywhere at all.
pub(super) fn connect(
    endpoints: &Endpoints,
    timeout: Duration,
) -> Result<Option<Exporters>, TelemetryError> {
    if *endpoints == Endpoints::default() {
        return Ok(None);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (spans, metrics, logs) = build(&runtime, endpoints, timeout)?;
    let (alive, gone) = oneshot::channel();
    thread::Builder::new()
        .name("otlp".to_owned())
        // Its work must not trace itself: this thread carries no subscriber.
        .spawn(move || runtime.block_on(gone).ok())?;
    Ok(Some(Exporters {
        spans,
        metrics,
        logs,
        thread: ExporterThread { _alive: alive },
    }))
}

type Built = (
    Option<SpanExporter>,
    Option<MetricExporter>,
    Option<LogExporter>,
);

fn build(
    runtime: &Runtime,
    endpoints: &Endpoints,
    timeout: Duration,
) -> Result<Built, ExporterBuildError> {
    let _inside = runtime.enter();
    let Endpoints {
        traces,
        metrics,
        logs,
    } = endpoints;
    let spans = traces.as_ref().map(|endpoint| {
        let builder = SpanExporter::builder().with_tonic();
        builder
            .with_endpoint(endpoint)
            .with_timeout(timeout)
            .build()
    });
    let metrics = metrics.as_ref().map(|endpoint| {
        let builder = MetricExporter::builder().with_tonic();
        builder
            .with_endpoint(endpoint)
            .with_timeout(timeout)
            .build()
    });
    let logs = logs.as_ref().map(|endpoint| {
        let builder = LogExporter::builder().with_tonic();
        builder
            .with_endpoint(endpoint)
            .with_timeout(timeout)
            .build()
    });
    Ok((spans.transpose()?, metrics.transpose()?, logs.transpose()?))
}
