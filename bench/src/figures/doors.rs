//! The gateway's doors: accepted orders a second, and how long one waits.
//!
//! All contenders stand beside each other on one broker; each has its turn, one
//! after the other, round by round. Peers without a turn are paused; ours is not,
//! and idles beside theirs.

use std::{path::PathBuf, time::Duration};

use chassis::kafka::{TopicSpec, ensure_topics};
use ordermesh::load::{self, Door, Mode, Options, Outcome, Report};
use testkit::{ports, process::Spec};

use crate::{
    lab::Lab,
    mesh::Mesh,
    peers::{self, Peer},
    series::Series,
    table::{Goal, Line},
};

/// Unmeasured at the beginning of each turn: connections open, compilers warm up.
const WARM_UP: Duration = Duration::from_secs(1);
/// The peers' own topics.
const EXPRESS: &str = "peer.express";
const LIMIT: &str = "peer.limit";

/// How many at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Callers {
    connections: u32,
    streams: u32,
}

pub(super) const fn rest(connections: u32) -> Callers {
    Callers {
        connections,
        streams: 1,
    }
}

/// A turn: who, by how many callers, and what came of it round by round.
struct Turn<'peers> {
    name: &'static str,
    door: Door,
    at: Server<'peers>,
    callers: Callers,
    rates: Series,
    p50: Series,
    p99: Series,
}

/// Whose turn it is.
#[derive(Clone, Copy)]
enum Server<'peers> {
    Ours(&'peers str),
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
        }
    }

    async fn load(&self, time: Duration) -> anyhow::Result<Report> {
        match self.at {
            Server::Ours(address) => flat_out(address, self.door, self.callers, time).await,
            Server::Theirs(peer) => {
                peer.wake()?;
                let report = flat_out(&peer.address, self.door, self.callers, time).await;
                peer.rest()?;
                report
            }
        }
    }

    async fn take(&mut self, time: Duration) -> anyhow::Result<()> {
        let report = self.load(time).await?;
        anyhow::ensure!(
            report.failed() == 0 && report.accepted() > 0,
            "{}: {:?}",
            self.name,
            report.faults()
        );
        self.rates.push(report.accepted_per_second());
        self.p50.push(millis(&report, 50.0));
        self.p99.push(millis(&report, 99.0));
        println!(
            "  {:<28} {:>4} callers: {:>8.0} /s, p50 {:>7.2} ms, p99 {:>8.2} ms",
            self.name,
            self.callers.connections * self.callers.streams,
            report.accepted_per_second(),
            millis(&report, 50.0),
            millis(&report, 99.0),
        );
        Ok(())
    }
}

/// A percentile (0 to 100) of how long accepted orders took.
pub(super) fn millis(report: &Report, percent: f64) -> f64 {
    let time = report.percentile(Outcome::Accepted, percent);
    time.as_secs_f64() * 1e3
}

/// As much as so many callers can get through.
pub(super) async fn flat_out(
    address: &str,
    door: Door,
    callers: Callers,
    time: Duration,
) -> anyhow::Result<Report> {
    let clients = callers.connections * callers.streams;
    let options = Options {
        target: address.to_owned(),
        duration: WARM_UP,
        connections: Some(callers.connections),
        ..Options::new(door, Mode::Closed { clients })
    };
    load::run(options.clone(), |_| {}).await?;
    let options = Options {
        duration: time,
        ..options
    };
    load::run(options, |_| {}).await
}

/// A limit runs as a process of its own, as the gateway does.
async fn limit(lab: &Lab, name: &str, arguments: &[&str]) -> anyhow::Result<Peer> {
    let log: PathBuf = lab.scratch.path().join(format!("{name}.log"));
    let spec = Spec::new(name, std::env::current_exe()?, log);
    Peer::start(name, spec.args(arguments), ports::free()?).await
}

pub(super) async fn limit_with_kafka(lab: &Lab, topic: &str, linger: &str) -> anyhow::Result<Peer> {
    let brokers = lab.kafka.bootstrap_servers();
    let arguments = [
        "limit-axum-kafka",
        "--brokers",
        &brokers,
        "--topic",
        topic,
        "--linger",
        linger,
    ];
    limit(lab, &format!("limit-linger-{linger}"), &arguments).await
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
    let batching = limit_with_kafka(lab, &limit_topic, "5").await?;
    let prompt = limit_with_kafka(lab, &limit_topic, "0").await?;
    let axum = limit(lab, "limit-axum", &["limit-axum"]).await?;

    for peer in [&one, &two, &batching, &prompt, &axum] {
        peer.rest()?;
    }

    let grpc = mesh.addresses.grpc("gateway");
    let (rest_door, grpc_door) = (mesh.addresses.rest(), grpc.as_str());
    let ours = |callers| {
        Turn::new(
            "gateway, REST",
            Door::Rest,
            Server::Ours(rest_door),
            callers,
        )
    };
    let by_grpc = |name, connections, streams| {
        let callers = Callers {
            connections,
            streams,
        };
        Turn::new(name, Door::Grpc, Server::Ours(grpc_door), callers)
    };
    let theirs = |name, peer, callers| Turn::new(name, Door::Rest, Server::Theirs(peer), callers);
    let mut turns = vec![
        ours(rest(512)),
        by_grpc("gateway, gRPC, 1 connection", 1, 512),
        by_grpc("gateway, gRPC, 16 connections", 16, 32),
        theirs("Express", &one, rest(512)),
        theirs("Express, 2 processes", &two, rest(512)),
        theirs("axum + rdkafka, linger 5", &batching, rest(512)),
        theirs("axum alone", &axum, rest(512)),
        ours(rest(64)),
        theirs("Express", &one, rest(64)),
        theirs("Express, 2 processes", &two, rest(64)),
        theirs("axum + rdkafka, linger 0", &prompt, rest(64)),
        ours(rest(1)),
        theirs("Express", &one, rest(1)),
        theirs("axum + rdkafka, linger 0", &prompt, rest(1)),
    ];
    // The broker's compilers are at work for its first seconds under load, and would
    // be at the cost of whoever comes first.
    for turn in &turns {
        turn.load(lab.plan.turn / 2).await?;
    }
    for _ in 0..lab.plan.rounds {
        for turn in &mut turns {
            turn.take(lab.plan.turn).await?;
        }
        lab.forget();
    }
    let lines = lines(&turns);
    mesh.end_all().await?;
    Ok(lines)
}

fn lines(turns: &[Turn<'_>]) -> Vec<Line> {
    let [
        ours_512,
        grpc_one,
        grpc_many,
        express_512,
        express_two_512,
        batching,
        axum,
        ours_64,
        express_64,
        express_two_64,
        prompt_64,
        ours_1,
        express_1,
        prompt_1,
    ] = turns
    else {
        return Vec::new();
    };
    // Express at its best: the most orders a second, and the least time of waiting.
    let by_rate = |a: &&&Turn<'_>, b: &&&Turn<'_>| a.rates.median().total_cmp(&b.rates.median());
    let most = [&express_512, &express_two_512, &express_64, &express_two_64]
        .into_iter()
        .max_by(by_rate)
        .unwrap_or(&express_512);
    let soonest = [&express_64, &express_two_64]
        .into_iter()
        .min_by(|a, b| a.p99.median().total_cmp(&b.p99.median()))
        .unwrap_or(&express_64);
    let rate = |what: &str, ours: &Turn<'_>, other: &Turn<'_>, goal| Line {
        what: what.to_owned(),
        unit: "/s".into(),
        ours: ours.rates.clone(),
        other: Some((named(other), other.rates.clone())),
        goal,
    };
    let time = |what: &str, ours: &Series, other: &Turn<'_>, theirs: &Series, goal| Line {
        what: what.to_owned(),
        unit: "ms".into(),
        ours: ours.clone(),
        other: Some((named(other), theirs.clone())),
        goal,
    };
    let rest = "accepted orders, REST, 512 connections";
    vec![
        rate(rest, ours_512, most, Goal::RatioAtLeast(10.0)),
        rate(rest, ours_512, batching, Goal::RatioAtLeast(0.7)),
        rate(rest, ours_512, axum, Goal::None),
        // What the first goal would take of a gateway that does nothing else.
        rate(
            "axum + rdkafka, 512 connections",
            batching,
            most,
            Goal::None,
        ),
        rate(
            "accepted orders, gRPC, 1 connection, 512 streams",
            grpc_one,
            ours_512,
            Goal::RatioAtLeast(1.0),
        ),
        rate(
            "accepted orders, gRPC, 16 connections, 512 streams",
            grpc_many,
            ours_512,
            Goal::RatioAtLeast(1.0),
        ),
        time(
            "p99, REST, 64 connections",
            &ours_64.p99,
            soonest,
            &soonest.p99,
            Goal::RatioAtMost(1.0 / 3.0),
        ),
        rate(
            "accepted orders, REST, 64 connections",
            ours_64,
            prompt_64,
            Goal::None,
        ),
        time(
            "p50, REST, 1 connection",
            &ours_1.p50,
            express_1,
            &express_1.p50,
            Goal::RatioAtMost(1.0),
        ),
        time(
            "p50, REST, 1 connection",
            &ours_1.p50,
            prompt_1,
            &prompt_1.p50,
            Goal::None,
        ),
    ]
}

fn named(turn: &Turn<'_>) -> String {
    let callers = turn.callers.connections * turn.callers.streams;
    format!("{}, {callers} callers", turn.name)
}
