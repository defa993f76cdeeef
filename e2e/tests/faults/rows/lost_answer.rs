//! Row 8: the brokers' acknowledgements are lost on their way back. What was
//! written is unknown to who asked; the retry with the same key is the same order.

use std::time::Duration;

use anyhow::Context as _;
use testkit::{
    proxy::{Direction, Link},
    wait::until,
};

use super::{Measured, Row, Size, a_while, broker::leader, under_load};
use crate::{audit::Allowed, world::World};

pub(crate) fn row() -> Row {
    Row {
        number: 8,
        fault: "acknowledgements lost on their way back",
        in_short: false,
        body: |world, size| Box::pin(lost(world, size)),
    }
}

async fn lost(world: &mut World, size: Size) -> anyhow::Result<Measured> {
    let mut measured = Measured::default();
    let mut asked_again = 0;
    for turn in 0..size.of(3, 50) {
        let broker = leader(world).await?;
        let (part, journal) = under_load(world, &Allowed::within(30), async |world| {
            a_while(500).await;
            let proxy = world.kafka.broker(broker).proxy().context("no proxy")?;
            let before = proxy.swallowed();
            proxy.set(Link::Swallow(Direction::ToClient));
            until(
                "an answer to be lost",
                Duration::from_secs(10),
                async || (proxy.swallowed() > before).then_some(()),
            )
            .await?;
            // Every second time for longer than a record is tried.
            a_while(if turn % 2 == 0 { 500 } else { 9_000 }).await;
            proxy.set(Link::Cut);
            proxy.set(Link::Open);
            a_while(500).await;
            Ok(())
        })
        .await?;
        asked_again += journal.asked_again;
        measured.add(part);
    }
    measured.note = format!("{asked_again} orders asked about again");
    Ok(measured)
}
