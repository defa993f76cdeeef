//! How long one waits at which rate: orders come on a schedule that no slow answer
//! can hold back, more of them in each step, until a contender no longer keeps up. All
//! take each step one right after the other.

use chassis::kafka::{TopicSpec, ensure_topics};

use super::{Found, doors::limit_with_kafka};
use crate::{
    lab::Lab,
    load::{RAMP, all_accepted, millis, offer},
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
    let prompt = limit_with_kafka(lab, &kafka.topic(LIMIT), &["linger.ms=0"]).await?;
    for peer in [&express, &prompt] {
        peer.rest()?;
    }
    let contender = |name: &str, address: &str, peer| Contender {
        address: address.to_owned(),
        peer,
        keeps_up: true,
        curves: curves(name),
    };
    let mut contenders = [
        contender("gateway, REST", mesh.addresses.rest(), None),
        contender("Express, 2 processes", &express.address, Some(&express)),
        contender("axum + rdkafka, linger 0", &prompt.address, Some(&prompt)),
    ];
    // The first rate once more than is kept: compilers have to warm up.
    for (number, rate) in RATES[..1].iter().chain(&RATES).enumerate() {
        for contender in contenders.iter_mut().filter(|one| one.keeps_up) {
            contender.take(lab, *rate, number > 0).await?;
        }
        lab.forget();
    }
    let curves = contenders.into_iter().flat_map(|one| one.curves).collect();
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

struct Contender<'peers> {
    address: String,
    /// `None` is ours, which nobody pauses.
    peer: Option<&'peers Peer>,
    keeps_up: bool,
    /// p99 and p50 at each rate that it keeps up with.
    curves: [Curve; 2],
}

fn curves(name: &str) -> [Curve; 2] {
    let curve = |name, is_minor| Curve {
        name,
        is_minor,
        points: Vec::new(),
    };
    [
        curve(name.to_owned(), false),
        curve(format!("{name}, p50"), true),
    ]
}

impl Contender<'_> {
    async fn take(&mut self, lab: &Lab, rate: u32, is_kept: bool) -> anyhow::Result<()> {
        self.peer.map_or(Ok(()), Peer::wake)?;
        let report = offer(&self.address, rate, lab.plan.turn, RAMP).await;
        self.peer.map_or(Ok(()), Peer::rest)?;
        let report = report?;
        let accepted = report.accepted_per_second();
        self.keeps_up = accepted >= f64::from(rate) * KEEPS_UP && all_accepted(&report).is_ok();
        println!(
            "  {:<28} {rate:>6} /s: {accepted:>8.0} /s, p50 {:>8.2} ms, p99 {:>8.2} ms",
            self.curves[0].name,
            millis(&report, 50.0),
            millis(&report, 99.0),
        );
        if is_kept && self.keeps_up {
            for (curve, percent) in self.curves.iter_mut().zip([99.0, 50.0]) {
                let point = (f64::from(rate), millis(&report, percent));
                curve.points.push(point);
            }
        }
        Ok(())
    }
}
