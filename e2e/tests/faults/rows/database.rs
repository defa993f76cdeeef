//! Row 9: the database is away. All services share the server here, so all lose
//! theirs at once.

use std::time::Duration;

use e2e::footing::STORING;
use testkit::wait::until;

use super::{Measured, Row, Size, a_while, under_load};
use crate::{audit::Allowed, world::World};

pub(crate) fn row() -> Row {
    Row {
        number: 9,
        fault: "database away",
        in_short: true,
        body: |world, size| Box::pin(away(world, size)),
    }
}

async fn away(world: &mut World, size: Size) -> anyhow::Result<Measured> {
    let seconds = size.of(8, 60) as u64;
    let mut measured = Measured::default();
    for turn in 0..size.of(2, 6) {
        let allowed = Allowed {
            mails_twice: true,
            ..Allowed::within(30)
        };
        let (part, _) = under_load(world, &allowed, async |world| {
            a_while(1_000).await;
            // Gone, or there and silent: both are away.
            if turn % 2 == 0 {
                world.postgres.kill().await?;
            } else {
                world.postgres.pause().await?;
            }
            for service in STORING {
                until(
                    &format!("{service} to say that it is not ready"),
                    Duration::from_secs(20),
                    async || {
                        let is_ready = world.is_ready(service).await;
                        anyhow::ensure!(!is_ready, "it says it is");
                        anyhow::Ok(())
                    },
                )
                .await?;
            }
            a_while(seconds * 1_000).await;
            if turn % 2 == 0 {
                world.postgres.start().await?;
            } else {
                world.postgres.resume().await?;
            }
            Ok(())
        })
        .await?;
        measured.add(part);
    }
    measured.note = format!("for {seconds} s; killed, and stopped in turn");
    Ok(measured)
}
