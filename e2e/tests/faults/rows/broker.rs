//! Row 3: SIGKILL of one broker of three, the leader of most partitions of
//! `orders.v1`; back after 10 s.

use std::{collections::BTreeMap, time::Duration};

use rdkafka::{
    ClientConfig,
    metadata::MetadataTopic,
    producer::{BaseProducer, Producer as _},
};

use super::{Measured, Row, Size, a_while, under_load};
use crate::{audit::Allowed, world::World};

/// Longest time in which clients are refused.
const REFUSED: Duration = Duration::from_secs(15);

pub(crate) fn row() -> Row {
    Row {
        number: 3,
        fault: "SIGKILL of one broker of three, back after 10 s",
        in_short: true,
        body: |world, size| Box::pin(killed(world, size)),
    }
}

async fn killed(world: &mut World, size: Size) -> anyhow::Result<Measured> {
    let mut measured = Measured::default();
    let mut longest = Duration::ZERO;
    for _ in 0..size.of(1, 30) {
        let leader = leader(world).await?;
        let (part, journal) = under_load(world, &Allowed::within(15), async |world| {
            a_while(1_000).await;
            world.kafka.broker(leader).kill().await?;
            a_while(10_000).await;
            world.kafka.broker(leader).start().await?;
            a_while(1_000).await;
            Ok(())
        })
        .await?;
        let silence = journal.longest_silence();
        anyhow::ensure!(
            silence <= REFUSED * world.slack,
            "no order was accepted for {silence:?}"
        );
        longest = longest.max(silence);
        measured.add(part);
    }
    measured.note = format!("refused for {:.1} s at most", longest.as_secs_f64());
    Ok(measured)
}

/// The broker that leads most partitions of `orders.v1`.
pub(super) async fn leader(world: &World) -> anyhow::Result<usize> {
    let (brokers, topic) = (world.footing.brokers(), world.footing.topic("orders.v1"));
    tokio::task::spawn_blocking(move || {
        let client: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .create()?;
        let metadata = client
            .client()
            .fetch_metadata(Some(&topic), Duration::from_secs(10))?;
        let mut leads: BTreeMap<i32, usize> = BTreeMap::new();
        for partition in metadata.topics().iter().flat_map(MetadataTopic::partitions) {
            *leads.entry(partition.leader()).or_default() += 1;
        }
        let most = leads.into_iter().max_by_key(|(_, partitions)| *partitions);
        let (id, _) = most.ok_or_else(|| anyhow::anyhow!("nobody leads"))?;
        Ok(usize::try_from(id)?)
    })
    .await?
}
