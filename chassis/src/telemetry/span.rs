//! Spans by the OpenTelemetry semantic conventions, in one place, so that every
//! service names things alike.

use opentelemetry::{
    Context,
    trace::{SpanContext, Status},
};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::{Traced, propagation};

/// The server side of a gRPC call. `method` is `package.Service/Method`.
pub(crate) fn grpc_server(method: &str) -> Span {
    grpc("server", method)
}

/// The client side of a gRPC call.
pub(crate) fn grpc_client(method: &str) -> Traced {
    Traced::child(|| grpc("client", method))
}

fn grpc(kind: &'static str, method: &str) -> Span {
    let (service, name) = method.split_once('/').unwrap_or((method, ""));
    tracing::info_span!(
        "grpc",
        otel.name = method,
        otel.kind = kind,
        rpc.system = "grpc",
        rpc.service = service,
        rpc.method = name,
        rpc.grpc.status_code = tracing::field::Empty,
        otel.status_code = tracing::field::Empty,
    )
}

/// The server side of an HTTP request. `route` is the path's template.
pub(crate) fn http_server(method: &str, route: &str) -> Span {
    tracing::info_span!(
        "http",
        otel.name = format_args!("{method} {route}"),
        otel.kind = "server",
        http.request.method = method,
        http.route = route,
        http.response.status_code = tracing::field::Empty,
        otel.status_code = tracing::field::Empty,
    )
}

/// A record on its way to the broker. Its context is what consumers continue: the
/// child of a stored `traceparent`, or else of what is going on.
pub(crate) fn send(topic: &str, key: Option<&[u8]>, stored: Option<&str>) -> Traced {
    match stored {
        Some(stored) => {
            Traced::child_of(propagation::extract(stored, None), || sending(topic, key))
        }
        None => Traced::child(|| sending(topic, key)),
    }
}

fn sending(topic: &str, key: Option<&[u8]>) -> Span {
    let key = key.map(String::from_utf8_lossy);
    tracing::info_span!(
        "send",
        otel.name = format_args!("send {topic}"),
        otel.kind = "producer",
        messaging.system = "kafka",
        messaging.operation.type = "send",
        messaging.operation.name = "send",
        messaging.destination.name = topic,
        messaging.kafka.message.key = key.as_deref(),
        messaging.destination.partition.id = tracing::field::Empty,
        messaging.kafka.offset = tracing::field::Empty,
        otel.status_code = tracing::field::Empty,
        error.type = tracing::field::Empty,
    )
}

/// One record being worked on, child of its producer's span.
pub(crate) fn process(
    topic: &str,
    partition: i32,
    offset: i64,
    group: &str,
    parent: Context,
) -> Traced {
    Traced::child_of(parent, || processing(topic, partition, offset, group))
}

fn processing(topic: &str, partition: i32, offset: i64, group: &str) -> Span {
    tracing::info_span!(
        parent: None,
        "process",
        otel.name = format_args!("process {topic}"),
        otel.kind = "consumer",
        messaging.system = "kafka",
        messaging.operation.type = "process",
        messaging.operation.name = "process",
        messaging.destination.name = topic,
        messaging.destination.partition.id = partition,
        messaging.kafka.offset = offset,
        messaging.consumer.group.name = group,
        otel.status_code = tracing::field::Empty,
        error.type = tracing::field::Empty,
    )
}

/// A batch of records being worked on. It is a trace of its own and links to
/// every record's span.
pub(crate) fn batch(topic: &str, partition: i32, records: usize, group: &str) -> Span {
    tracing::info_span!(
        parent: None,
        "batch",
        otel.name = format_args!("batch {topic}"),
        otel.kind = "internal",
        messaging.system = "kafka",
        messaging.destination.name = topic,
        messaging.destination.partition.id = partition,
        messaging.batch.message_count = records,
        messaging.consumer.group.name = group,
        otel.status_code = tracing::field::Empty,
    )
}

/// A round trip or more to a database, within what is going on. By itself it is
/// nothing that a trace should begin with: polls and probes would fill the store.
pub(crate) fn database(system: &'static str, operation: &'static str) -> Span {
    if Span::current().is_none() {
        return Span::none();
    }
    tracing::info_span!(
        "database",
        otel.name = operation,
        otel.kind = "client",
        db.system.name = system,
        db.operation.name = operation,
        otel.status_code = tracing::field::Empty,
        error.type = tracing::field::Empty,
    )
}

/// Work that continues a trace which was stored as a `traceparent`, for
/// instance a mail that is sent after its order's records were worked on.
/// `kind` is an OpenTelemetry span kind: `client`, `internal`, …
pub fn continued(name: &str, kind: &'static str, traceparent: Option<&str>) -> Traced {
    let parent = traceparent.map_or_else(Context::new, |traceparent| {
        propagation::extract(traceparent, None)
    });
    Traced::child_of(parent, || {
        tracing::info_span!(
            parent: None,
            "continued",
            otel.name = name,
            otel.kind = kind,
            otel.status_code = tracing::field::Empty,
            error.type = tracing::field::Empty,
        )
    })
}

/// The span of what is going on, for others to [link](link) to.
pub(crate) fn current() -> SpanContext {
    Context::map_current(propagation::span_context)
}

/// Links what is going on to the span in which its work was done, unless that is its own
/// or is not kept.
pub(crate) fn link(to: SpanContext) {
    let span = Span::current();
    if to.is_sampled() && !span.is_none() && to != current() {
        span.add_link(to);
    }
}

/// Marks a span as failed, with words that hold no private data.
pub fn fail(span: &Span, error_type: &str, message: impl std::fmt::Display) {
    span.record("error.type", error_type);
    span.set_status(Status::error(message.to_string()));
}

/// Adds an attribute of ours, `ordermesh.…`, to what is going on. An id, never
/// anything of a person.
pub fn annotate(key: &'static str, id: impl std::fmt::Display) {
    let span = Span::current();
    if !span.is_none() {
        span.set_attribute(key, id.to_string());
    }
}

/// The trace id of what is going on as 32 hex digits, or `None`.
pub fn current_trace_id() -> Option<String> {
    Context::map_current(|context| {
        let context = propagation::span_context(context);
        context.is_valid().then(|| context.trace_id().to_string())
    })
}
