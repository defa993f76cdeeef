//! Row 1: SIGKILL of a random service at a random moment.

use e2e::footing::SERVICES;
use rand::{Rng as _, seq::IndexedRandom as _};

use super::{Measured, Row, Size, a_while, under_load};
use crate::{audit::Allowed, world::World};

/// Kills of one stretch of load.
const AT_ONCE: usize = 5;

pub(crate) fn row() -> Row {
    Row {
        number: 1,
        fault: "SIGKILL of a random service, restarted",
        in_short: false,
        body: |world, size| Box::pin(killed(world, size)),
    }
}

async fn killed(world: &mut World, size: Size) -> anyhow::Result<Measured> {
    let mut measured = Measured::default();
    for _ in 0..size.of(1, 20) {
        let allowed = Allowed {
            // Whoever kills notifier may hit it between a 250 and its record.
            mails_twice: true,
            // The mails that it held wait for its lease to end, three times
            // the 2 s that a send may take.
            ..Allowed::within(15)
        };
        let (mut part, _) = under_load(world, &allowed, async |world| {
            for _ in 0..AT_ONCE {
                let (service, moment) = {
                    let mut random = rand::rng();
                    let service = *SERVICES.choose(&mut random).unwrap_or(&"payments");
                    (service, random.random_range(100..1_500))
                };
                a_while(moment).await;
                world.process(service)?.kill().await?;
                world.begin(service, &[]).await?;
            }
            Ok(())
        })
        .await?;
        part.count = AT_ONCE;
        measured.add(part);
    }
    Ok(measured)
}
