//! Work within a trace, whether the trace is kept or not.
//!
//! Whether a trace is kept is decided where it begins, before anything is made for
//! it. A span costs microseconds even when nobody keeps it, and most are not kept
//! under load; so there are spans only in traces that are. In all others just the
//! trace's context goes along: its id stands in answers, logs and headers all the
//! same.
//!
//! Invariant: within [`Traced::run`] and [`Traced::in_scope`],
//! `opentelemetry::Context::current` is the trace's context.

use opentelemetry::{Context, context::FutureExt as _};
use tracing::{Instrument as _, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::{propagation, sampler};

/// Something that is done within a trace; by default outside of every trace.
#[derive(Debug, Clone)]
pub struct Traced {
    /// None in a trace that is not kept.
    span: Span,
    context: Context,
}

impl Default for Traced {
    fn default() -> Self {
        Self::in_context(Context::new())
    }
}

impl Traced {
    /// Within a span, as the sampler decides about it.
    pub(crate) fn in_span(span: Span) -> Self {
        let context = span.context();
        Self { span, context }
    }

    /// Within a span that continues a context.
    pub(super) fn below(parent: Context, span: Span) -> Self {
        // Fails only when the span was already started or there is no OpenTelemetry
        // layer; both leave the span without a parent, which is true.
        let _ = span.set_parent(parent);
        Self::in_span(span)
    }

    /// Within what has a context already; without a span of its own.
    pub(crate) fn in_context(context: Context) -> Self {
        Self {
            span: Span::none(),
            context,
        }
    }

    /// The beginning of a trace that is not kept.
    pub fn not_kept() -> Self {
        Self::in_context(sampler::not_kept())
    }

    /// A child of the context, made only where that is kept or is nothing yet.
    pub(crate) fn child_of(parent: Context, span: impl FnOnce() -> Span) -> Self {
        if is_passed(&parent) {
            Self::in_context(parent)
        } else {
            Self::below(parent, span())
        }
    }

    /// A child of what is going on.
    pub fn child(span: impl FnOnce() -> Span) -> Self {
        if Context::map_current(is_passed) {
            Self::in_context(Context::current())
        } else {
            Self::in_span(span())
        }
    }

    /// The span, to be told more; none in a trace that is not kept.
    pub fn span(&self) -> &Span {
        &self.span
    }

    /// The `traceparent` of what is done here (W3C Trace Context), or `None` outside
    /// of every trace.
    pub fn traceparent(&self) -> Option<String> {
        propagation::traceparent(&propagation::span_context(&self.context))
    }

    /// What goes into headers.
    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    /// Does something within the trace.
    pub fn in_scope<T>(&self, body: impl FnOnce() -> T) -> T {
        let _context = self.context.clone().attach();
        self.span.in_scope(body)
    }

    /// A future within the trace.
    pub fn run<F: Future>(self, future: F) -> impl Future<Output = F::Output> {
        future.with_context(self.context).instrument(self.span)
    }
}

/// In a trace that somebody decided not to keep.
pub(crate) fn is_passed(context: &Context) -> bool {
    let span = propagation::span_context(context);
    span.is_valid() && !span.is_sampled()
}
