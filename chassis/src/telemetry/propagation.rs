//! The W3C trace context (`traceparent`, `tracestate`) in and out of headers.

use opentelemetry::{
    Context,
    propagation::{Extractor, Injector, TextMapPropagator as _},
    trace::{SpanContext, TraceContextExt as _},
};
use opentelemetry_sdk::propagation::TraceContextPropagator;

/// HTTP and gRPC headers as a carrier of trace context.
#[derive(Debug)]
pub struct HeaderCarrier<'h>(pub &'h mut http::HeaderMap);

struct Headers<'h>(&'h http::HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

impl Injector for HeaderCarrier<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(name), Ok(value)) = (
            http::HeaderName::from_bytes(key.as_bytes()),
            http::HeaderValue::try_from(value),
        ) {
            self.0.insert(name, value);
        }
    }
}

struct Parent<'v> {
    traceparent: &'v str,
    tracestate: Option<&'v str>,
}

impl Extractor for Parent<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        match key {
            "traceparent" => Some(self.traceparent),
            "tracestate" => self.tracestate,
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent", "tracestate"]
    }
}

/// The remote parent that HTTP or gRPC headers name; an empty context when they
/// name none.
pub(crate) fn extract_headers(headers: &http::HeaderMap) -> Context {
    TraceContextPropagator::new().extract_with_context(&Context::new(), &Headers(headers))
}

/// The remote parent that a `traceparent` names; an empty context when it is
/// malformed.
pub fn extract(traceparent: &str, tracestate: Option<&str>) -> Context {
    let parent = Parent {
        traceparent,
        tracestate,
    };
    TraceContextPropagator::new().extract_with_context(&Context::new(), &parent)
}

/// Writes a context into a carrier.
pub fn inject(context: &Context, carrier: &mut dyn Injector) {
    TraceContextPropagator::new().inject_context(context, carrier);
}

/// A span context as a `traceparent` (W3C Trace Context, section 3.2), or
/// `None` when it is not valid.
pub fn traceparent(span: &SpanContext) -> Option<String> {
    span.is_valid().then(|| {
        format!(
            "00-{}-{}-{:02x}",
            span.trace_id(),
            span.span_id(),
            span.trace_flags().to_u8() & 0x01
        )
    })
}

/// The span context within a context.
pub(crate) fn span_context(context: &Context) -> SpanContext {
    context.span().span_context().clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_comes_back_as_it_was() {
        let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let span = span_context(&extract(text, None));
        assert_eq!(traceparent(&span).as_deref(), Some(text));
    }

    #[test]
    fn a_malformed_traceparent_is_no_parent() {
        for text in ["", "00-zz-b7ad6b7169203331-01", "ff-0-0-0"] {
            assert_eq!(traceparent(&span_context(&extract(text, None))), None);
        }
    }
}
