//! Tests across services, on the embedded footing and on three Kafka brokers
//! with PostgreSQL.

// Figures are part of what these tests are for.
#![allow(clippy::print_stdout)]

mod bad_input;
mod browser;
mod dead_letters;
mod declined;
mod doors;
mod exactly_once;
mod hostile;
mod idempotency;
mod latency;
mod load;
mod metrics;
mod operators;
mod placing;
mod poison;
mod refusals;
mod resources;
mod restart;
mod top;
mod tracing;

use std::{future::Future, process::ExitCode, time::Duration};

use e2e::footing::{Footing, Kind};
use testkit::harness::{Needs, Suite, Test};

/// A test on both footings, sharing a system with the others.
fn on_both<F, Fut>(name: &str, body: F) -> [Test; 2]
where
    F: Fn(&'static Footing) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    on_both_alone(name, move |kind| {
        let body = body.clone();
        async move { body(Footing::shared(kind).await?).await }
    })
}

/// A test on both footings that starts what it needs.
fn on_both_alone<F, Fut>(name: &str, body: F) -> [Test; 2]
where
    F: Fn(Kind) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let clustered = body.clone();
    [
        Test::new(format!("embedded::{name}"), move || body(Kind::Embedded)),
        on_cluster(name, move || clustered(Kind::Cluster)),
    ]
}

/// A test on the cluster only.
fn on_cluster<F, Fut>(name: &str, body: F) -> Test
where
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    Test::new(format!("cluster::{name}"), body).needs([Needs::Kafka, Needs::Postgres])
}

fn main() -> ExitCode {
    Suite::new()
        .timeout(Duration::from_secs(180))
        .tests(placing::tests())
        .tests(declined::tests())
        .tests(doors::tests())
        .tests(exactly_once::tests())
        .tests(idempotency::tests())
        .tests(bad_input::tests())
        .tests(refusals::tests())
        .tests(poison::tests())
        .tests(dead_letters::tests())
        .tests(tracing::tests())
        .tests(metrics::tests())
        .tests(operators::tests())
        .tests(top::tests())
        .tests(restart::tests())
        .tests(resources::tests())
        .tests(latency::tests())
        .tests(load::tests())
        .tests(browser::tests())
        .run()
}
