//! Asks Jaeger's query API.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Context as _;
use serde_json::Value;
use testkit::{
    otlp::{Kind, Link, Span, Status, render},
    wait::until,
};

use testkit::rest::Rest;

/// Talks to one Jaeger.
#[derive(Clone, Debug)]
pub struct Query(Rest);

impl Query {
    /// For `host:port` of its query API.
    pub fn new(address: &str) -> Self {
        Self(Rest::new(address))
    }

    /// The spans of one trace; none while Jaeger does not know it.
    pub async fn trace(&self, trace_id: &str) -> anyhow::Result<Vec<Span>> {
        let answer = self.0.get(&format!("/api/traces/{trace_id}")).await?;
        Ok(spans(&answer.json()))
    }

    /// Waits until a trace is complete. The error shows it as it stood then.
    pub async fn wait_for_trace(
        &self,
        trace_id: &str,
        complete: impl Fn(&[Span]) -> bool,
        limit: Duration,
    ) -> anyhow::Result<Vec<Span>> {
        let whole = until("a whole trace", limit, async || {
            let spans = self.trace(trace_id).await?;
            anyhow::ensure!(complete(&spans), "it is\n{}", render(&spans));
            anyhow::Ok(spans)
        });
        whole.await
    }

    /// The spans of all traces that have this span, up to 1,000 traces.
    pub async fn find(&self, service: &str, operation: &str) -> anyhow::Result<Vec<Span>> {
        let operation = operation.replace(' ', "%20");
        let path = format!("/api/traces?service={service}&operation={operation}&limit=1000");
        Ok(spans(&self.0.get(&path).await?.json()))
    }
}

fn spans(answer: &Value) -> Vec<Span> {
    let traces = answer["data"].as_array().into_iter().flatten();
    traces
        .flat_map(|trace| {
            let spans = trace["spans"].as_array().into_iter().flatten();
            spans.filter_map(|span| convert(span, &trace["processes"]).ok())
        })
        .collect()
}

/// A span of Jaeger's JSON, in OpenTelemetry's terms.
fn convert(span: &Value, processes: &Value) -> anyhow::Result<Span> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut attributes: BTreeMap<String, String> = span["tags"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|tag| (text(&tag["key"]), shown(&tag["value"])))
        .collect();
    let kind = match attributes.remove("span.kind").as_deref() {
        None => Kind::Unspecified,
        Some("internal") => Kind::Internal,
        Some("server") => Kind::Server,
        Some("client") => Kind::Client,
        Some("producer") => Kind::Producer,
        Some("consumer") => Kind::Consumer,
        Some(other) => anyhow::bail!("a span of kind {other}"),
    };
    let status = match attributes.remove("otel.status_code").as_deref() {
        Some("ERROR") => Status::Error,
        Some("OK") => Status::Ok,
        _ => Status::Unset,
    };
    let references = span["references"].as_array().cloned().unwrap_or_default();
    let (parents, links): (Vec<_>, Vec<_>) = references
        .into_iter()
        .partition(|reference| reference["refType"] == "CHILD_OF");
    let process = span["processID"].as_str().context("processID")?;
    let start_ns = span["startTime"].as_u64().context("startTime")? * 1_000;
    let took_ns = span["duration"].as_u64().context("duration")? * 1_000;
    Ok(Span {
        trace_id: text(&span["traceID"]),
        span_id: text(&span["spanID"]),
        parent_span_id: parents
            .first()
            .map_or_else(String::new, |parent| text(&parent["spanID"])),
        name: text(&span["operationName"]),
        kind,
        service: text(&processes[process]["serviceName"]),
        status_message: attributes
            .remove("otel.status_description")
            .unwrap_or_default(),
        attributes,
        links: links
            .iter()
            .map(|link| Link {
                trace_id: text(&link["traceID"]),
                span_id: text(&link["spanID"]),
                attributes: BTreeMap::new(),
            })
            .collect(),
        status,
        start_ns,
        end_ns: start_ns + took_ns,
    })
}

fn shown(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}
