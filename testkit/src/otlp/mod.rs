//! A trace collector that can be asked.
//!
//! Invariant: a span is kept before its export is answered, so a service that
//! has flushed its telemetry has no span that a query would miss.
//!
//! ```no_run
//! # async fn example(trace_id: &str) -> anyhow::Result<()> {
//! use std::time::Duration;
//! use testkit::otlp::Sink;
//!
//! let sink = Sink::start().await?;
//! // … run services with OTEL_EXPORTER_OTLP_ENDPOINT set to sink.endpoint() …
//! let spans = sink
//!     .wait_for_trace(trace_id, |spans| spans.len() == 9, Duration::from_secs(10))
//!     .await?;
//! println!("{}", sink.render_tree(trace_id));
//! # Ok(())
//! # }
//! ```

mod span;
mod tree;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status as GrpcStatus};

pub use span::{Kind, Link, Span, Status};

/// An OTLP/gRPC endpoint for traces on a free port of 127.0.0.1. It closes
/// when dropped.
#[derive(Debug)]
pub struct Sink {
    address: SocketAddr,
    spans: Arc<watch::Sender<Vec<Span>>>,
    serving: AbortHandle,
}

impl Sink {
    /// Opens the port; exports are taken from then on.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let spans = Arc::new(watch::Sender::new(Vec::new()));
        let collector = TraceServiceServer::new(Collector {
            spans: Arc::clone(&spans),
        });
        let serving = tokio::spawn(
            Server::builder()
                .add_service(collector)
                .serve_with_incoming(TcpListenerStream::new(listener)),
        )
        .abort_handle();
        Ok(Self {
            address,
            spans,
            serving,
        })
    }

    /// `http://127.0.0.1:port`, as `OTEL_EXPORTER_OTLP_ENDPOINT` takes it.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All spans received so far, in the order of their arrival.
    pub fn spans(&self) -> Vec<Span> {
        self.spans.borrow().clone()
    }

    /// The spans of one trace, by its id in hexadecimal.
    pub fn trace(&self, trace_id: &str) -> Vec<Span> {
        of_trace(&self.spans.borrow(), trace_id)
    }

    /// Waits until the spans of a trace satisfy `complete` and returns them.
    /// The error shows the tree as it stood when time was up.
    pub async fn wait_for_trace(
        &self,
        trace_id: &str,
        complete: impl Fn(&[Span]) -> bool,
        limit: Duration,
    ) -> anyhow::Result<Vec<Span>> {
        let mut news = self.spans.subscribe();
        let wanted = news.wait_for(|spans| complete(&of_trace(spans, trace_id)));
        if timeout(limit, wanted).await.is_err() {
            bail!(
                "waited {limit:?} for the trace {trace_id} to be complete; it has\n{}",
                self.render_tree(trace_id)
            );
        }
        Ok(self.trace(trace_id))
    }

    /// The trace as an indented tree, one line a span: name, service, kind and
    /// duration. Spans whose parent never arrived are marked as orphans.
    pub fn render_tree(&self, trace_id: &str) -> String {
        tree::render(&self.trace(trace_id))
    }

    /// Forgets all spans received so far.
    pub fn clear(&self) {
        self.spans.send_modify(Vec::clear);
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Spans as an indented tree, as [`Sink::render_tree`] does it.
pub fn render(spans: &[Span]) -> String {
    tree::render(spans)
}

fn of_trace(spans: &[Span], trace_id: &str) -> Vec<Span> {
    let wanted = |span: &&Span| span.trace_id.eq_ignore_ascii_case(trace_id);
    spans.iter().filter(wanted).cloned().collect()
}

#[derive(Debug)]
struct Collector {
    spans: Arc<watch::Sender<Vec<Span>>>,
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, GrpcStatus> {
        let received = request.into_inner().resource_spans;
        self.spans
            .send_modify(|spans| spans.extend(received.into_iter().flat_map(span::spans)));
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[cfg(test)]
mod tests;
