//! How long one waits at which rate: orders come on a schedule that no slow answer
//! can hold back, more of them in each step, until a contender no longer keeps up.

use chassis::kafka::{TopicSpec, ensure_topics};

use super::{
    Found,
    doors::{RAMP, limit_with_kafka, millis, steady},
};
use crate::{
    lab::Lab,
    mesh::Mesh,
    peers::{self, Peer},
    plot::{Curve, Plot},
};

/// Orders a second, step by step.
const RATES: [u32; 10] = [
    250, 500, 1_000, 2_000, 3_000, 4_500, 7_000, 10_000, 14_000, 20_000,
];
/// Who answers less than this part of what is offered does not keep up.
const KEEPS_UP: f64 = 0.95;
const EXPRESS: &str = "peer.express.latency";
const LIMIT: &str = "peer.limit.latency";

pub(super) async fn measure(lab: &Lab) -> anyhow::Result<Found> {
    let mut mesh = Mesh::prepare(lab, &[]).await?;
    let kafka = mesh.kafka()?;
    let topic = |name: &str| TopicSpec {
        name: name.to_owned(),
        partitions: 12,
        replication: 1,
        config: Vec::new(),
    };
    ensure_topics(&kafka, &[topic(EXPRESS), topic(LIMIT)]).await?;
    mesh.begin("gateway").await?;
    let express = peers::express(lab, &kafka.topic(EXPRESS), 2).await?;
    let prompt = limit_with_kafka(lab, &kafka.topic(LIMIT), "0").await?;
    for peer in [&express, &prompt] {
        peer.rest()?;
    }
    let contenders = [
        ("gateway, REST", mesh.addresses.rest(), None),
        (
            "Express, 2 processes",
            express.address.as_str(),
            Some(&express),
        ),
        (
            "axum + rdkafka, linger 0",
            prompt.address.as_str(),
            Some(&prompt),
        ),
    ];
    let mut curves = Vec::new();
    for (name, address, peer) in contenders {
        peer.map_or(Ok(()), Peer::wake)?;
        curves.extend(waiting(lab, name, address).await?);
        peer.map_or(Ok(()), Peer::rest)?;
        lab.forget();
    }
    mesh.end_all().await?;
    Ok(Found {
        lines: Vec::new(),
        plots: vec![Plot {
            name: "latency".into(),
            title: "From sending an order to its answer (thick: p99, thin: p50)".into(),
            across: "orders offered a second".into(),
            up: "ms".into(),
            curves,
        }],
    })
}

/// Its p99 and p50 at each rate that it keeps up with.
async fn waiting(lab: &Lab, name: &str, address: &str) -> anyhow::Result<[Curve; 2]> {
    let (mut p99, mut p50) = (Vec::new(), Vec::new());
    for rate in RATES {
        let report = steady(address, rate, lab.plan.turn * 2, RAMP).await?;
        let keeps_up = report.accepted_per_second() >= f64::from(rate) * KEEPS_UP;
        println!(
            "  {name:<28} {rate:>6} /s: {:>8.0} /s, p50 {:>8.2} ms, p99 {:>8.2} ms",
            report.accepted_per_second(),
            millis(&report, 50.0),
            millis(&report, 99.0),
        );
        if !keeps_up || report.failed() > 0 {
            break;
        }
        p50.push((f64::from(rate), millis(&report, 50.0)));
        p99.push((f64::from(rate), millis(&report, 99.0)));
    }
    Ok([
        Curve {
            name: name.to_owned(),
            is_minor: false,
            points: p99,
        },
        Curve {
            name: format!("{name}, p50"),
            is_minor: true,
            points: p50,
        },
    ])
}
