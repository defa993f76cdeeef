//! Row 15: SIGTERM under load.

use std::time::{Duration, Instant};

use e2e::footing::STORING;

use super::{Measured, Row, Size, a_while, under_load};
use crate::{
    audit::Allowed,
    world::{STOP, World},
};

pub(crate) fn row() -> Row {
    Row {
        number: 15,
        fault: "SIGTERM under load",
        in_short: true,
        body: |world, size| Box::pin(stopped(world, size)),
    }
}

async fn stopped(world: &mut World, size: Size) -> anyhow::Result<Measured> {
    let mut measured = Measured::default();
    let mut longest = Duration::ZERO;
    let turns = size.of(4, 50);
    let mut turn = 0;
    while turn < turns {
        // No mail twice: who stops in order records what it sent.
        let (mut part, _) = under_load(world, &Allowed::within(15), async |world| {
            for service in STORING {
                a_while(500).await;
                let begin = Instant::now();
                let code = world.process(service)?.stop(STOP).await?;
                anyhow::ensure!(code == 0, "{service} ended with {code}");
                longest = longest.max(begin.elapsed());
                world.begin(service, &[]).await?;
            }
            Ok(())
        })
        .await?;
        part.count = STORING.len();
        turn += STORING.len();
        measured.add(part);
    }
    measured.note = format!("ended within {:.1} s", longest.as_secs_f64());
    Ok(measured)
}
