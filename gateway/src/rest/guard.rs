//! What a request has to pass before anything is read of it or done for it.
//!
//! A layer by hand instead of a function (`axum::middleware::from_fn`): around each
//! such function axum clones and boxes everything below it, for every request.
//!
//! Invariant: a place at the gate is held until the answer begins, or the caller is
//! gone.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::{
    extract::Request,
    response::{IntoResponse as _, Response},
};
use http::HeaderMap;
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use super::failure::Failure;
use crate::gate::{Entered, Gate};

/// All headers of a request together. The server reads twice as much before it
/// hangs up, so that up to there the answer can be a problem.
const MAX_HEADER_BYTES: usize = 8 * 1024;

/// Lets through whose headers are within bounds.
pub(super) const fn headers() -> Guard {
    Guard(None)
}

/// Lets through whose headers are within bounds, and no more than can be done at once.
pub(super) const fn gate(gate: Gate) -> Guard {
    Guard(Some(gate))
}

/// The layer.
#[derive(Debug, Clone)]
pub(super) struct Guard(Option<Gate>);

impl Guard {
    fn check(&self, headers: &HeaderMap) -> Result<Option<Entered>, Failure> {
        let length: usize = headers
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len())
            .sum();
        if length > MAX_HEADER_BYTES {
            return Err(Failure::long_headers());
        }
        Ok(self.0.as_ref().map(Gate::enter).transpose()?)
    }
}

impl<S> Layer<S> for Guard {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded {
            inner,
            guard: self.clone(),
        }
    }
}

/// A service behind the guard.
#[derive(Debug, Clone)]
pub(super) struct Guarded<S> {
    inner: S,
    guard: Guard,
}

impl<S> Service<Request> for Guarded<S>
where
    S: Service<Request, Response = Response>,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Answering<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        match self.guard.check(request.headers()) {
            Ok(entered) => Answering::Passed {
                answer: self.inner.call(request),
                entered,
            },
            Err(failure) => Answering::Refused {
                failure: Some(failure),
            },
        }
    }
}

pin_project! {
    /// The answer to come.
    #[project = AnsweringProjection]
    pub(super) enum Answering<F> {
        Passed {
            #[pin]
            answer: F,
            entered: Option<Entered>,
        },
        // Told when polled: only then one is within the request's trace.
        Refused { failure: Option<Failure> },
    }
}

impl<F, E> Future for Answering<F>
where
    F: Future<Output = Result<Response, E>>,
{
    type Output = Result<Response, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            AnsweringProjection::Passed { answer, entered } => {
                let answer = ready!(answer.poll(context));
                entered.take();
                Poll::Ready(answer)
            }
            AnsweringProjection::Refused { failure } => match failure.take() {
                Some(failure) => Poll::Ready(Ok(failure.into_response())),
                None => Poll::Pending,
            },
        }
    }
}
