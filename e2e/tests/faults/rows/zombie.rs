//! Row 6: SIGSTOP of a consumer for longer than its session, then SIGCONT. Another
//! instance has its partitions by then; what the zombie still does is harmless.

use e2e::footing::STORING;

use super::{Measured, Row, Size, a_while, under_load};
use crate::{audit::Allowed, world::World};

/// Longer than the session of 6 s.
const FROZEN_MILLIS: u64 = 12_000;

pub(crate) fn row() -> Row {
    Row {
        number: 6,
        fault: "SIGSTOP of a consumer beyond its session, then SIGCONT",
        in_short: true,
        body: |world, size| Box::pin(frozen(world, size)),
    }
}

async fn frozen(world: &mut World, size: Size) -> anyhow::Result<Measured> {
    let mut measured = Measured::default();
    for turn in 0..size.of(1, 10) {
        let service = STORING[turn % STORING.len()];
        let allowed = Allowed {
            // A notifier that is frozen between a 250 and its record.
            mails_twice: service == "notifier",
            ..Allowed::within(15)
        };
        let second = world.second(service).await?;
        let (part, _) = under_load(world, &allowed, async |world| {
            a_while(1_000).await;
            world.process(service)?.pause()?;
            a_while(FROZEN_MILLIS).await;
            world.process(service)?.resume()?;
            a_while(2_000).await;
            Ok(())
        })
        .await?;
        let code = second.stop(crate::world::STOP).await?;
        anyhow::ensure!(code == 0, "the second {service} ended with {code}");
        measured.add(part);
    }
    Ok(measured)
}
