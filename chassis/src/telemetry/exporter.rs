//! The connection to the OpenTelemetry collector, on a thread of its own.
//!
//! A service's runtime carries the service's subscriber, which needs the
//! exporter, whose connection needs a runtime. A small one of its own breaks
//! that circle, and keeps a slow collector away from the threads that do the
//! work.

use std::{thread, time::Duration};

use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use tokio::sync::oneshot;

use super::TelemetryError;

/// Lives as long as the exporter may be used.
#[derive(Debug)]
pub(super) struct ExporterThread {
    _alive: oneshot::Sender<()>,
}

pub(super) fn connect(
    endpoint: &str,
    timeout: Duration,
) -> Result<(SpanExporter, ExporterThread), TelemetryError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let exporter = {
        let _inside = runtime.enter();
        SpanExporter::builder()
            .with_tonic()
            .with_endpoint(endpoint)
            .with_timeout(timeout)
            .build()?
    };
    let (alive, gone) = oneshot::channel();
    thread::Builder::new()
        .name("otlp".to_owned())
        // Its work must not trace itself: this thread carries no subscriber.
        .spawn(move || runtime.block_on(gone).ok())?;
    Ok((exporter, ExporterThread { _alive: alive }))
}
