//! One order is one trace, across Kafka, through all five services.

use std::{collections::BTreeSet, time::Duration};

use e2e::{
    footing::{Footing, SERVICES},
    orders::{example, new_user},
};
use testkit::{
    harness::Test,
    otlp::{Kind, Span},
};

use crate::on_both;

pub(crate) fn tests() -> Vec<Test> {
    on_both(
        "one order is one trace with the right parents and kinds",
        one_trace,
    )
    .into()
}

fn all_there(spans: &[Span]) -> bool {
    let services: BTreeSet<&str> = spans.iter().map(|span| span.service.as_str()).collect();
    let count = |name: &str| spans.iter().filter(|span| span.name == name).count();
    services.len() == SERVICES.len()
        && count("process orders.v1") == 4
        && count("process payments.v1") == 3
        && count("process notifications.v1") == 2
}

async fn one_trace(footing: &'static Footing) -> anyhow::Result<()> {
    let placed = footing
        .rest
        .post("/order", &example(new_user()))
        .await?
        .json();
    let id = placed["orderId"].as_str().unwrap_or_default();
    let trace_id = placed["traceId"].as_str().unwrap_or_default();
    footing
        .rest
        .get(&format!("/orders/{id}?wait=20s&until=final"))
        .await?;
    let spans = footing
        .otlp
        .wait_for_trace(trace_id, all_there, Duration::from_secs(30))
        .await
        .map_err(|error| anyhow::anyhow!("{error}\n{}", footing.otlp.render_tree(trace_id)))?;
    println!("{}", footing.otlp.render_tree(trace_id));

    let parent = |span: &Span| {
        spans
            .iter()
            .find(|other| other.span_id == span.parent_span_id)
    };
    let roots: Vec<_> = spans.iter().filter(|span| span.is_root()).collect();
    assert_eq!(roots.len(), 1, "one root");
    assert_eq!(
        (roots[0].name.as_str(), roots[0].kind),
        ("POST /order", Kind::Server)
    );
    for span in spans.iter().filter(|span| !span.is_root()) {
        let parent = parent(span);
        assert!(
            parent.is_some(),
            "{} of {} has a parent that is not here",
            span.name,
            span.service
        );
        let expected = match span.name.as_str() {
            name if name.starts_with("process ") => {
                assert_eq!(span.kind, Kind::Consumer, "{name}");
                Some(name.replace("process", "send"))
            }
            name if name.starts_with("send ") && name != "send mail" => {
                assert_eq!(span.kind, Kind::Producer, "{name}");
                None
            }
            _ => None,
        };
        if let (Some(expected), Some(parent)) = (expected, parent) {
            assert_eq!(parent.name, expected, "what produced it is its parent");
            assert_eq!(parent.kind, Kind::Producer);
        }
    }
    let of = |name: &str| -> Vec<&str> {
        spans
            .iter()
            .filter(|s| s.name == name)
            .map(|s| s.service.as_str())
            .collect()
    };
    assert_eq!(of("send orders.v1"), ["gateway"]);
    assert_eq!(of("send payments.v1"), ["payments"]);
    assert_eq!(of("send notifications.v1"), ["notifier", "notifier"]);
    for span in &spans {
        for value in span.attributes.values() {
            assert!(
                !value.contains('@'),
                "an address in a span: {} {value}",
                span.name
            );
        }
    }
    Ok(())
}
