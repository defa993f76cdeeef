//! One request seen from its server: its span, its metrics, and its failure
//! logged once.

use std::{sync::Arc, time::Instant};

use axum::{
    Router,
    extract::{MatchedPath, Request, State},
    middleware::{self, Next},
    response::Response,
};
use opentelemetry::{KeyValue, metrics::Histogram};

use crate::{
    error::{Error, Reason},
    grpc::SECONDS,
    telemetry::{self, Sampling, Telemetry},
};

/// A router whose requests are observed.
pub(crate) fn observed(router: Router, telemetry: &Telemetry) -> Router {
    let duration = telemetry
        .meter()
        .f64_histogram("http.server.request.duration")
        .with_unit("s")
        .with_description("How long requests took until their answer began, by route and status")
        .with_boundaries(SECONDS.to_vec())
        .build();
    let observer = Arc::new(Observer {
        duration,
        sampling: telemetry.sampling().clone(),
    });
    router.layer(middleware::from_fn_with_state(observer, observe))
}

struct Observer {
    duration: Histogram<f64>,
    sampling: Sampling,
}

async fn observe(State(observer): State<Arc<Observer>>, request: Request, next: Next) -> Response {
    let start = Instant::now();
    // The template, never the path: ids in labels would make endless series.
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "(none)".to_owned(), |path| path.as_str().to_owned());
    let method = known_method(request.method());
    let parent = telemetry::extract_headers(request.headers());
    let traced = observer
        .sampling
        .begin(parent, || telemetry::span::http_server(method, &route));
    let response = traced.clone().run(next.run(request)).await;
    let status = response.status();
    let span = traced.span();
    span.record("http.response.status_code", status.as_u16());
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
    if let Some(error) = response.extensions().get::<Arc<Error>>() {
        traced.in_scope(|| match error.reason() {
            Reason::Internal => tracing::error!(route, cause = error.cause(), "a request failed"),
            _ if status.is_server_error() => {
                tracing::debug!(route, cause = error.cause(), "a request was refused");
            }
            _ => {}
        });
    }
    observer.duration.record(
        start.elapsed().as_secs_f64(),
        &[
            KeyValue::new("http.request.method", method),
            KeyValue::new("http.route", route),
            KeyValue::new("http.response.status_code", i64::from(status.as_u16())),
        ],
    );
    response
}

/// Methods are the caller's words; unknown ones share a label (semantic
/// conventions: `_OTHER`).
fn known_method(method: &http::Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "_OTHER",
    }
}
