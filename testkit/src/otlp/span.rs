//! Spans as tests want to read them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode as WireCode;
use opentelemetry_proto::tonic::trace::v1::{self as wire, ResourceSpans};

/// The resource attribute that names the service.
const SERVICE_NAME: &str = "service.name";

/// One finished span, with its ids in lower-case hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// 32 digits, the same in all spans of a trace.
    pub trace_id: String,
    /// 16 digits.
    pub span_id: String,
    /// The parent's `span_id`, empty for a root.
    pub parent_span_id: String,
    /// What was done, such as `process orders.v1`.
    pub name: String,
    /// Its place in a conversation.
    pub kind: Kind,
    /// The resource's `service.name`, empty if it has none.
    pub service: String,
    /// The span's own attributes, rendered as text.
    pub attributes: BTreeMap<String, String>,
    /// The spans that it names without being their child.
    pub links: Vec<Link>,
    /// How it ended.
    pub status: Status,
    /// What its error says, empty if nothing.
    pub status_message: String,
    /// Unix time in nanoseconds.
    pub start_ns: u64,
    /// Unix time in nanoseconds.
    pub end_ns: u64,
}

impl Span {
    /// From start to end.
    pub fn duration(&self) -> Duration {
        Duration::from_nanos(self.end_ns.saturating_sub(self.start_ns))
    }

    /// An attribute's value as text, if the span has it.
    pub fn attribute(&self, key: &str) -> Option<&str> {
        self.attributes.get(key).map(String::as_str)
    }

    /// Whether it has no parent.
    pub fn is_root(&self) -> bool {
        self.parent_span_id.is_empty()
    }
}

/// A span's reference to another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// 32 hexadecimal digits.
    pub trace_id: String,
    /// 16 hexadecimal digits.
    pub span_id: String,
    /// The link's attributes, rendered as text.
    pub attributes: BTreeMap<String, String>,
}

/// A span's kind; the names are OpenTelemetry's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Not said.
    Unspecified,
    /// Within one service.
    Internal,
    /// Answers a request.
    Server,
    /// Makes a request.
    Client,
    /// Sends a message.
    Producer,
    /// Receives or processes a message.
    Consumer,
}

impl Kind {
    /// In capitals, as the specification writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unspecified => "UNSPECIFIED",
            Self::Internal => "INTERNAL",
            Self::Server => "SERVER",
            Self::Client => "CLIENT",
            Self::Producer => "PRODUCER",
            Self::Consumer => "CONSUMER",
        }
    }
}

/// How the work that a span stands for ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Nothing was said, which is the usual case of success.
    Unset,
    /// Success, as the application's developer decided.
    Ok,
    /// Failure.
    Error,
}

/// All spans of what one service sent at once.
pub(super) fn spans(resource_spans: ResourceSpans) -> impl Iterator<Item = Span> {
    let mut resource = attributes(resource_spans.resource.unwrap_or_default().attributes);
    let service = resource.remove(SERVICE_NAME).unwrap_or_default();
    resource_spans
        .scope_spans
        .into_iter()
        .flat_map(|scope| scope.spans)
        .map(move |span| convert(span, service.clone()))
}

fn convert(span: wire::Span, service: String) -> Span {
    let kind = match span.kind() {
        wire::span::SpanKind::Unspecified => Kind::Unspecified,
        wire::span::SpanKind::Internal => Kind::Internal,
        wire::span::SpanKind::Server => Kind::Server,
        wire::span::SpanKind::Client => Kind::Client,
        wire::span::SpanKind::Producer => Kind::Producer,
        wire::span::SpanKind::Consumer => Kind::Consumer,
    };
    let status = span.status.unwrap_or_default();
    Span {
        trace_id: hex(&span.trace_id),
        span_id: hex(&span.span_id),
        parent_span_id: hex(&span.parent_span_id),
        name: span.name,
        kind,
        service,
        attributes: attributes(span.attributes),
        links: span.links.into_iter().map(link).collect(),
        status: match status.code() {
            WireCode::Unset => Status::Unset,
            WireCode::Ok => Status::Ok,
            WireCode::Error => Status::Error,
        },
        status_message: status.message,
        start_ns: span.start_time_unix_nano,
        end_ns: span.end_time_unix_nano,
    }
}

fn link(link: wire::span::Link) -> Link {
    Link {
        trace_id: hex(&link.trace_id),
        span_id: hex(&link.span_id),
        attributes: attributes(link.attributes),
    }
}

fn attributes(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    attributes
        .into_iter()
        .map(|attribute| (attribute.key, render(attribute.value)))
        .collect()
}

/// Plain text: `true`, `7`, `[a, b]`, `{key: value}`, bytes in hexadecimal.
fn render(value: Option<AnyValue>) -> String {
    let Some(value) = value.and_then(|value| value.value) else {
        return String::new();
    };
    match value {
        Value::StringValue(text) => text,
        Value::BoolValue(value) => value.to_string(),
        Value::IntValue(value) => value.to_string(),
        Value::DoubleValue(value) => value.to_string(),
        Value::BytesValue(bytes) => hex(&bytes),
        Value::ArrayValue(array) => {
            let values: Vec<_> = array
                .values
                .into_iter()
                .map(|value| render(Some(value)))
                .collect();
            format!("[{}]", values.join(", "))
        }
        Value::KvlistValue(list) => {
            let entries: Vec<_> = attributes(list.values)
                .into_iter()
                .map(|(key, value)| format!("{key}: {value}"))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
        // Belongs to the profiling signal; to be treated as absent.
        Value::StringValueStrindex(_) => String::new(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
