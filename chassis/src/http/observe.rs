//! One request seen from its server: its span, its metrics, and its failure
//! logged once.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use axum::{
    Router,
    extract::{MatchedPath, Request},
    response::Response,
};
use futures::future::BoxFuture;
use opentelemetry::{KeyValue, metrics::Histogram};
use tower::{Service, layer::layer_fn};

use crate::{
    error::{Error, Reason},
    grpc::SECONDS,
    telemetry::{self, Sampling, Telemetry, Traced},
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
    router.layer(layer_fn(move |inner| Observed {
        inner,
        observer: Arc::clone(&observer),
    }))
}

struct Observer {
    duration: Histogram<f64>,
    sampling: Sampling,
}

/// A service whose requests are observed. By hand instead of a function
/// (`axum::middleware::from_fn`), for which axum clones and boxes once more.
#[derive(Clone)]
struct Observed<S> {
    inner: S,
    observer: Arc<Observer>,
}

impl<S> Service<Request> for Observed<S>
where
    S: Service<Request, Response = Response>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let start = Instant::now();
        // The template, never the path: ids in labels would make endless series.
        let route = request.extensions().get::<MatchedPath>().cloned();
        let method = known_method(request.method());
        let parent = telemetry::extract_headers(request.headers());
        let traced = self.observer.sampling.begin(parent, || {
            telemetry::span::http_server(method, template(route.as_ref()))
        });
        let answer = traced.in_scope(|| self.inner.call(request));
        let answer = traced.clone().run(answer);
        let observer = Arc::clone(&self.observer);
        Box::pin(async move {
            let response = answer.await?;
            let route = template(route.as_ref());
            tell(&traced, route, &response);
            observer.duration.record(
                start.elapsed().as_secs_f64(),
                &[
                    KeyValue::new("http.request.method", method),
                    KeyValue::new("http.route", route.to_owned()),
                    KeyValue::new(
                        "http.response.status_code",
                        i64::from(response.status().as_u16()),
                    ),
                ],
            );
            Ok(response)
        })
    }
}

fn template(route: Option<&MatchedPath>) -> &str {
    route.map_or("(none)", MatchedPath::as_str)
}

/// Tells the span what came of its request, and the log what failed.
fn tell(traced: &Traced, route: &str, response: &Response) {
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
