//! The sink against a real OTLP client.

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1 as wire;

use super::*;

const TRACE: &str = "0123456789abcdef0123456789abcdef";
const SOON: Duration = Duration::from_secs(5);

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

fn text(text: &str) -> Value {
    Value::StringValue(text.to_owned())
}

fn span(id: u8, parent: Option<u8>, name: &str) -> wire::Span {
    wire::Span {
        trace_id: [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef].repeat(2),
        span_id: vec![id; 8],
        parent_span_id: parent.map(|id| vec![id; 8]).unwrap_or_default(),
        name: name.to_owned(),
        kind: wire::span::SpanKind::Consumer.into(),
        start_time_unix_nano: u64::from(id) * 1_000,
        end_time_unix_nano: u64::from(id) * 1_000 + 2_000_000,
        ..wire::Span::default()
    }
}

async fn export(sink: &Sink, service: &str, spans: Vec<wire::Span>) {
    let request = ExportTraceServiceRequest {
        resource_spans: vec![wire::ResourceSpans {
            resource: Some(Resource {
                attributes: vec![attribute("service.name", text(service))],
                ..Resource::default()
            }),
            scope_spans: vec![wire::ScopeSpans {
                spans,
                ..wire::ScopeSpans::default()
            }],
            ..wire::ResourceSpans::default()
        }],
    };
    TraceServiceClient::connect(sink.endpoint())
        .await
        .unwrap()
        .export(request)
        .await
        .unwrap();
}

#[tokio::test]
async fn spans_are_kept_with_their_service_and_attributes() {
    let sink = Sink::start().await.unwrap();
    let mut sent = span(1, None, "process orders.v1");
    let tags = ArrayValue {
        values: vec![
            AnyValue {
                value: Some(text("a")),
            },
            AnyValue {
                value: Some(Value::IntValue(2)),
            },
        ],
    };
    sent.attributes = vec![
        attribute("messaging.system", text("kafka")),
        attribute("tags", Value::ArrayValue(tags)),
    ];
    sent.links = vec![wire::span::Link {
        trace_id: vec![0xaa; 16],
        span_id: vec![0xbb; 8],
        ..wire::span::Link::default()
    }];
    sent.status = Some(wire::Status {
        message: "declined".to_owned(),
        code: wire::status::StatusCode::Error.into(),
    });
    export(&sink, "payments", vec![sent]).await;

    let [span] = &sink.trace(TRACE)[..] else {
        panic!("{:?}", sink.spans())
    };
    assert_eq!(span.trace_id, TRACE);
    assert_eq!(span.span_id, "0101010101010101");
    assert!(span.is_root());
    assert_eq!(
        (span.service.as_str(), span.kind),
        ("payments", Kind::Consumer)
    );
    assert_eq!(span.attribute("messaging.system"), Some("kafka"));
    assert_eq!(span.attribute("tags"), Some("[a, 2]"));
    assert_eq!(span.links[0].span_id, "bbbbbbbbbbbbbbbb");
    assert_eq!(
        (span.status, span.status_message.as_str()),
        (Status::Error, "declined")
    );
    assert_eq!(span.duration(), Duration::from_millis(2));
}

#[tokio::test]
async fn a_trace_is_complete_once_all_its_services_have_reported() {
    let sink = Sink::start().await.unwrap();
    let waiting = sink.wait_for_trace(TRACE, |spans| spans.len() == 2, SOON);
    let reporting = async {
        export(&sink, "gateway", vec![span(1, None, "send orders.v1")]).await;
        export(
            &sink,
            "history",
            vec![span(2, Some(1), "process orders.v1")],
        )
        .await;
    };
    let (trace, ()) = tokio::join!(waiting, reporting);
    assert_eq!(trace.unwrap().len(), 2);
    assert_eq!(
        sink.render_tree(TRACE),
        "send orders.v1  [gateway, CONSUMER, 2.0ms]\n  \
           process orders.v1  [history, CONSUMER, 2.0ms]\n"
    );
}

#[tokio::test]
async fn the_error_of_an_incomplete_trace_shows_what_came() {
    let sink = Sink::start().await.unwrap();
    export(
        &sink,
        "history",
        vec![span(2, Some(1), "process orders.v1")],
    )
    .await;
    let error = sink
        .wait_for_trace(TRACE, |spans| spans.len() == 2, Duration::from_millis(20))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("ORPHAN"), "{error}");
}
