//! One call seen from its server: its span, its metrics, and its failure logged
//! once.
//!
//! Invariant: a call is recorded exactly once, when its last byte is sent or
//! when it is dropped half-way (the caller is gone).

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use opentelemetry::{KeyValue, metrics::Histogram};
use tonic::{Code, Status, body::Body};
use tower::{Layer, Service};

use crate::{
    error::Error,
    telemetry::{self, Sampling, Telemetry, Traced},
};

/// Buckets for times in seconds, from a fast read to a slow charge; the
/// semantic conventions' advice for `rpc.server.duration`.
pub(crate) const SECONDS: [f64; 14] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// Observes every call of a server.
#[derive(Clone)]
pub(super) struct CallLayer(Arc<Instruments>);

struct Instruments {
    duration: Histogram<f64>,
    sampling: Sampling,
}

impl CallLayer {
    pub(super) fn new(telemetry: &Telemetry) -> Self {
        let duration = telemetry
            .meter()
            .f64_histogram("rpc.server.call.duration")
            .with_unit("s")
            .with_description("How long calls took, by method and status code")
            .with_boundaries(SECONDS.to_vec())
            .build();
        Self(Arc::new(Instruments {
            duration,
            sampling: telemetry.sampling().clone(),
        }))
    }
}

impl<S> Layer<S> for CallLayer {
    type Service = Observed<S>;

    fn layer(&self, inner: S) -> Observed<S> {
        Observed {
            inner,
            instruments: Arc::clone(&self.0),
        }
    }
}

/// A service whose calls are observed.
#[derive(Clone)]
pub(super) struct Observed<S> {
    inner: S,
    instruments: Arc<Instruments>,
}

impl<S, B> Service<Request<B>> for Observed<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let path = request.uri().path().trim_start_matches('/');
        // Health probes and reflection come every few seconds and tell nothing.
        let quiet = path.starts_with("grpc.");
        let traced = if quiet {
            Traced::not_kept()
        } else {
            let parent = telemetry::extract_headers(request.headers());
            let sampling = &self.instruments.sampling;
            sampling.begin(parent, || telemetry::span::grpc_server(path))
        };
        let mut call = Call {
            method: path.to_owned(),
            traced: traced.clone(),
            start: Instant::now(),
            code: Code::Cancelled,
            instruments: Arc::clone(&self.instruments),
        };
        let answer = traced.run(self.inner.call(request));
        Box::pin(async move {
            let response = answer.await?;
            if let Some(status) = response.extensions().get::<Status>() {
                call.fail(status);
            }
            if let Some(code) = code_in(response.headers()) {
                call.code = code;
            }
            Ok(response.map(|inner| Body::new(Observing { inner, call })))
        })
    }
}

fn code_in(headers: &HeaderMap) -> Option<Code> {
    headers
        .get(Status::GRPC_STATUS)
        .map(|value| Code::from_bytes(value.as_bytes()))
}

/// What is known of one call.
struct Call {
    method: String,
    traced: Traced,
    start: Instant,
    code: Code,
    instruments: Arc<Instruments>,
}

impl Call {
    /// Logs our own failures, with their cause; a caller's mistakes are not ours
    /// to log.
    fn fail(&self, status: &Status) {
        let cause = std::error::Error::source(status)
            .and_then(|source| source.downcast_ref::<Error>())
            .map_or_else(|| status.message().to_owned(), Error::cause);
        self.traced.in_scope(|| match status.code() {
            Code::Internal | Code::Unknown | Code::DataLoss => {
                tracing::error!(method = self.method, cause, "a call failed");
            }
            Code::Unavailable => tracing::debug!(method = self.method, cause, "unavailable"),
            _ => {}
        });
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let span = self.traced.span();
        span.record("rpc.grpc.status_code", self.code as i64);
        // Server spans are errors only where the server is to blame
        // (OpenTelemetry's semantic conventions for gRPC).
        if matches!(
            self.code,
            Code::Unknown
                | Code::DeadlineExceeded
                | Code::Unimplemented
                | Code::Internal
                | Code::Unavailable
                | Code::DataLoss
        ) {
            span.record("otel.status_code", "ERROR");
        }
        // Unimplemented methods are named by callers: keep them out of the
        // labels, or anybody could make a new time series with each call.
        let method = if self.code == Code::Unimplemented {
            "unknown"
        } else {
            &self.method
        };
        self.instruments.duration.record(
            self.start.elapsed().as_secs_f64(),
            &[
                KeyValue::new("rpc.method", method.to_owned()),
                KeyValue::new("rpc.grpc.status_code", i64::from(self.code as i32)),
            ],
        );
    }
}

/// A response body that tells how its call ended.
struct Observing {
    inner: Body,
    call: Call,
}

impl HttpBody for Observing {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        let Self { inner, call } = this;
        let frame = call.traced.in_scope(|| Pin::new(inner).poll_frame(context));
        if let Poll::Ready(Some(Ok(frame))) = &frame
            && let Some(code) = frame.trailers_ref().and_then(code_in)
        {
            this.call.code = code;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
