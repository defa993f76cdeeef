//! The gateway's doors: accepted orders a second, and how long one waits.
//!
//! A closed loop: so many callers, each of which orders again when it was answered.
//! All contenders stand beside each other on one broker; each has its turn, one
//! after the other, round by round. Peers without a turn are paused; ours is not,
//! and idles beside theirs.

use std::{path::PathBuf, time::Duration};

use anyhow::Context as _;
use chassis::kafka::{TopicSpec, ensure_topics};
use ordermesh::load::{Door, Report};
use testkit::{ports, process::Spec};

use crate::{
    lab::Lab,
    load::{Callers, all_accepted, closed, millis, rest, saturate, warm_up},
    mesh::Mesh,
    peers::{self, Peer},
    series::Series,
    spent::{Cost, Costs, Meter},
    table::{Goal, Line},
};

/// The peers' own topics.
const EXPRESS: &str = "peer.express";
const LIMIT: &str = "peer.limit";

/// Contenders.
const OURS: &str = "gateway, REST";
const GRPC_ONE: &str = "gateway, gRPC, 1 connection";
const GRPC_MANY: &str = "gateway, gRPC, 16 connections";
const EXPRESS_ONE: &str = "Express";
const EXPRESS_TWO: &str = "Express, 2 processes";
const BATCHING: &str = "axum + rdkafka, linger 5";
const PROMPT: &str = "axum + rdkafka, linger 0";
/// With the settings of the gateway's own producer.
const ALIKE: &str = "axum + rdkafka, as the gateway's";
const AXUM: &str = "axum alone";

/// A turn: who, by how many callers, and what came of it round by round.
struct Turn<'peers> {
    name: &'static str,
    door: Door,
    at: Server<'peers>,
    callers: Callers,
    rates: Series,
    p50: Series,
    p99: Series,
    /// What an order cost the parts of the system; of ours only.
    costs: Costs,
}

/// Whose turn it is.
#[derive(Clone, Copy)]
enum Server<'peers> {
    /// Its address and process.
    Ours(&'peers str, u32),
    Theirs(&'peers Peer),
}

impl<'peers> Turn<'peers> {
    fn new(name: &'static str, door: Door, at: Server<'peers>, callers: Callers) -> Self {
        Self {
            name,
            door,
            at,
            callers,
            rates: Series::default(),
            p50: Series::default(),
            p99: Series::default(),
            costs: Costs::default(),
        }
    }

    /// Gives what an order cost the parts of ours, too.
    async fn load(&self, lab: &Lab, time: Duration) -> anyhow::Result<(Report, Vec<Cost>)> {
        let (door, callers) = (self.door, self.callers);
        match self.at {
            Server::Ours(address, id) => {
                warm_up(address, door, callers).await?;
                let meter = Meter::start(lab).await?.and("gateway", id)?;
                let report = closed(address, door, callers, time).await?;
                let costs = meter.on_each(i64::try_from(report.accepted())?)?;
                Ok((report, costs))
            }
            Server::Theirs(peer) => {
                peer.wake()?;
                let report = saturate(&peer.address, door, callers, time).await;
                peer.rest()?;
                Ok((report?, Vec::new()))
            }
        }
    }

    async fn take(&mut self, lab: &Lab, time: Duration) -> anyhow::Result<()> {
        let (report, costs) = self.load(lab, time).await?;
        all_accepted(&report).context(self.name)?;
        self.rates.push(report.accepted_per_second());
        self.p50.push(millis(&report, 50.0));
        self.p99.push(millis(&report, 99.0));
        self.costs.push(costs);
        println!(
            "  {:<28} {:>4} callers: {:>8.0} /s, p50 {:>7.2} ms, p99 {:>8.2} ms",
            self.name,
            self.callers.count(),
            report.accepted_per_second(),
            millis(&report, 50.0),
            millis(&report, 99.0),
        );
        Ok(())
    }
}

/// A limit runs as a process of its own, as the gateway does.
async fn limit(lab: &Lab, name: &str, arguments: &[&str]) -> anyhow::Result<Peer> {
    let log: PathBuf = lab.scratch.path().join(format!("{name}.log"));
    let spec = Spec::new(name, std::env::current_exe()?, log);
    Peer::start(name, spec.args(arguments), ports::free()?).await
}

/// The settings of librdkafka are `name=value`.
pub(super) async fn limit_with_kafka(
    lab: &Lab,
    topic: &str,
    settings: &[&str],
) -> anyhow::Result<Peer> {
    let brokers = lab.kafka.bootstrap_servers();
    let mut arguments = vec!["limit-axum-kafka", "--brokers", &brokers, "--topic", topic];
    for setting in settings {
        arguments.extend(["--set", setting]);
    }
    limit(lab, &format!("limit-{}", settings.join("-")), &arguments).await
}

pub(super) async fn measure(lab: &Lab) -> anyhow::Result<Vec<Line>> {
    let mut mesh = Mesh::prepare(lab, &[]).await?;
    let kafka = mesh.kafka()?;
    let topic = |name: &str| TopicSpec {
        name: name.to_owned(),
        partitions: 12,
        replication: 1,
        config: Vec::new(),
    };
    ensure_topics(&kafka, &[topic(EXPRESS), topic(LIMIT)]).await?;
    let express_topic = kafka.topic(EXPRESS);
    let limit_topic = kafka.topic(LIMIT);
    mesh.begin("gateway").await?;
    let one = peers::express(lab, &express_topic, 1).await?;
    let two = peers::express(lab, &express_topic, 2).await?;
    let batching = limit_with_kafka(lab, &limit_topic, &["linger.ms=5"]).await?;
    let prompt = limit_with_kafka(lab, &limit_topic, &["linger.ms=0"]).await?;
    let alike = ["linger.ms=0", "max.in.flight=1", "compression.type=lz4"];
    let alike = limit_with_kafka(lab, &limit_topic, &alike).await?;
    let axum = limit(lab, "limit-axum", &["limit-axum"]).await?;

    for peer in [&one, &two, &batching, &prompt, &alike, &axum] {
        peer.rest()?;
    }

    let grpc = mesh.addresses.grpc("gateway");
    let id = mesh.id("gateway");
    let by_rest = Server::Ours(mesh.addresses.rest(), id);
    let grpc = Server::Ours(&grpc, id);
    let ours = |callers| Turn::new(OURS, Door::Rest, by_rest, callers);
    let by_grpc = |name, connections, streams| {
        let callers = Callers {
            connections,
            streams,
        };
        Turn::new(name, Door::Grpc, grpc, callers)
    };
    let theirs = |name, peer, callers| Turn::new(name, Door::Rest, Server::Theirs(peer), callers);
    let mut turns = vec![
        ours(rest(512)),
        by_grpc(GRPC_ONE, 1, 512),
        theirs(EXPRESS_TWO, &two, rest(512)),
        theirs(BATCHING, &batching, rest(512)),
        ours(rest(64)),
        theirs(EXPRESS_TWO, &two, rest(64)),
        ours(rest(1)),
        theirs(EXPRESS_ONE, &one, rest(1)),
    ];
    if !lab.plan.quick {
        turns.extend([
            by_grpc(GRPC_MANY, 16, 32),
            theirs(EXPRESS_ONE, &one, rest(512)),
            theirs(ALIKE, &alike, rest(512)),
            theirs(AXUM, &axum, rest(512)),
            theirs(EXPRESS_ONE, &one, rest(64)),
            theirs(PROMPT, &prompt, rest(64)),
            theirs(ALIKE, &alike, rest(64)),
            theirs(PROMPT, &prompt, rest(1)),
            theirs(ALIKE, &alike, rest(1)),
        ]);
    }
    // The broker's compilers are at work for its first seconds under load, and would
    // be at the cost of whoever comes first.
    for turn in &turns {
        turn.load(lab, lab.plan.turn / 2).await?;
    }
    for _ in 0..lab.plan.rounds {
        for turn in &mut turns {
            turn.take(lab, lab.plan.turn).await?;
        }
        lab.forget();
    }
    let lines = Turns(&turns).lines();
    mesh.end_all().await?;
    Ok(lines)
}

/// Those that had their turns; in short some did not.
struct Turns<'turns>(&'turns [Turn<'turns>]);

impl Turns<'_> {
    fn find(&self, name: &str, callers: u32) -> Option<&Turn<'_>> {
        let mut turns = self.0.iter();
        turns.find(|turn| turn.name == name && turn.callers.count() == callers)
    }

    /// One of these at its best: by what is to be the most.
    fn best(
        &self,
        names: &[&str],
        callers: &[u32],
        by: impl Fn(&Turn<'_>) -> f64,
    ) -> Option<&Turn<'_>> {
        let turns = self.0.iter().filter(|turn| names.contains(&turn.name));
        let turns = turns.filter(|turn| callers.contains(&turn.callers.count()));
        turns.max_by(|a, b| by(a).total_cmp(&by(b)))
    }

    fn lines(&self) -> Vec<Line> {
        let rate_of = |turn: &Turn<'_>| turn.rates.median();
        let express = [EXPRESS_ONE, EXPRESS_TWO];
        let fastest = self.best(&express, &[512, 64], rate_of);
        let soonest = self.best(&express, &[64], |turn| -turn.p99.median());
        let limits = [BATCHING, PROMPT, ALIKE];
        let limit = |callers| self.best(&limits, &[callers], rate_of);
        let at_512 = "accepted orders, REST, 512 connections";
        let ours = |callers| self.find(OURS, callers);
        let lines = [
            rate(at_512, ours(512), fastest, Goal::RatioAtLeast(10.0)),
            rate(at_512, ours(512), limit(512), Goal::RatioAtLeast(0.7)),
            rate(at_512, ours(512), self.find(AXUM, 512), Goal::None),
            // What the first goal would take of a gateway that does nothing else.
            rate(
                "axum + rdkafka, 512 connections",
                limit(512),
                fastest,
                Goal::None,
            ),
            rate(
                "accepted orders, gRPC, 1 connection, 512 streams",
                self.find(GRPC_ONE, 512),
                ours(512),
                Goal::RatioAtLeast(1.0),
            ),
            rate(
                "accepted orders, gRPC, 16 connections, 512 streams",
                self.find(GRPC_MANY, 512),
                ours(512),
                Goal::RatioAtLeast(1.0),
            ),
            // The callers are on this machine, too, and those of gRPC cost more.
            in_gateway(self.find(GRPC_ONE, 512), ours(512)),
            time(
                "p99, REST, 64 connections",
                |turn| &turn.p99,
                ours(64),
                soonest,
                Goal::RatioAtMost(1.0 / 3.0),
            ),
            rate(
                "accepted orders, REST, 64 connections",
                ours(64),
                limit(64),
                Goal::None,
            ),
            time(
                "p50, REST, 1 connection",
                |turn| &turn.p50,
                ours(1),
                self.find(EXPRESS_ONE, 1),
                Goal::RatioAtMost(1.0),
            ),
            time(
                "p50, REST, 1 connection",
                |turn| &turn.p50,
                ours(1),
                self.best(&limits, &[1], |turn| -turn.p50.median()),
                Goal::None,
            ),
        ];
        let costs = ours(512).map(|turn| turn.costs.lines("an order by REST"));
        let costs = costs.into_iter().flatten();
        lines.into_iter().flatten().chain(costs).collect()
    }
}

/// What an order costs the gateway.
fn in_gateway(by_grpc: Option<&Turn<'_>>, by_rest: Option<&Turn<'_>>) -> Option<Line> {
    let (by_grpc, by_rest) = (by_grpc?, by_rest?);
    Some(Line {
        what: "CPU of an order by gRPC, 512 streams, gateway".to_owned(),
        unit: "µs".into(),
        ours: by_grpc.costs.of("gateway"),
        other: Some(("by REST".to_owned(), by_rest.costs.of("gateway"))),
        goal: Goal::None,
    })
}

/// One of a turn's figures.
type Which = for<'turn, 'peers> fn(&'turn Turn<'peers>) -> &'turn Series;

fn rate(what: &str, ours: Option<&Turn<'_>>, other: Option<&Turn<'_>>, goal: Goal) -> Option<Line> {
    line(what, "/s", |turn| &turn.rates, ours, other, goal)
}

fn time(
    what: &str,
    which: Which,
    ours: Option<&Turn<'_>>,
    other: Option<&Turn<'_>>,
    goal: Goal,
) -> Option<Line> {
    line(what, "ms", which, ours, other, goal)
}

fn line(
    what: &str,
    unit: &'static str,
    which: Which,
    ours: Option<&Turn<'_>>,
    other: Option<&Turn<'_>>,
    goal: Goal,
) -> Option<Line> {
    let (ours, other) = (ours?, other?);
    let name = format!("{}, {} callers", other.name, other.callers.count());
    Some(Line {
        what: what.to_owned(),
        unit: unit.into(),
        ours: which(ours).clone(),
        other: Some((name, which(other).clone())),
        goal,
    })
}
