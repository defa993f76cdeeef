//! Row 5: all brokers are down when the services start.

use std::time::Duration;

use e2e::footing::SERVICES;
use futures::future::try_join_all;
use testkit::kafka::Broker;

use super::{Measured, Row, Size, a_while, under_load};
use crate::{
    audit::Allowed,
    world::{STOP, World},
};

/// How long the services are alone.
const ALONE: u64 = 10_000;
/// How soon after the brokers' return all are ready.
const READY: Duration = Duration::from_secs(30);

pub(crate) fn row() -> Row {
    Row {
        number: 5,
        fault: "all brokers down when the services start",
        in_short: false,
        body: |world, size| Box::pin(alone(world, size)),
    }
}

async fn alone(world: &mut World, size: Size) -> anyhow::Result<Measured> {
    let mut measured = Measured::default();
    for _ in 0..size.of(1, 3) {
        for service in SERVICES {
            world.process(service)?.stop(STOP).await?;
        }
        let brokers = world.kafka.brokers().iter();
        try_join_all(brokers.map(Broker::kill)).await?;
        for service in SERVICES {
            world.launch(service, &[]).await?;
        }
        a_while(ALONE).await;
        for service in SERVICES {
            anyhow::ensure!(world.process(service)?.is_running(), "{service} gave up");
            anyhow::ensure!(!world.is_ready(service).await, "{service} says it is ready");
        }
        let brokers = world.kafka.brokers().iter();
        try_join_all(brokers.map(Broker::start)).await?;
        world.until_ready(READY).await?;
        let (part, _) = under_load(world, &Allowed::within(15), async |_| {
            a_while(2_000).await;
            Ok(())
        })
        .await?;
        measured.add(part);
    }
    Ok(measured)
}
