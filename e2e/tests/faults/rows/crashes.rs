//! Row 2: the process dies at a named point.

use std::time::Duration;

use chassis::fault::Point;
use testkit::wait::until;

use super::{Measured, Row, Size, under_load};
use crate::{audit::Allowed, world::World};

/// Where each service may die. Different services die in the same stretch of
/// load.
const ROUNDS: [&[(&str, Point)]; 4] = [
    &[
        ("payments", Point::Claimed),
        ("notifier", Point::MailTaken),
        ("history", Point::BeforeHandler),
        ("analytics", Point::AfterHandler),
    ],
    &[
        ("payments", Point::Charged),
        ("notifier", Point::MailRecorded),
        ("history", Point::AfterHandler),
        ("analytics", Point::BeforeHandler),
    ],
    &[
        ("payments", Point::Settled),
        ("notifier", Point::MailPublished),
    ],
    &[
        ("payments", Point::PaymentPublished),
        ("notifier", Point::AfterHandler),
    ],
];

pub(crate) fn row() -> Row {
    Row {
        number: 2,
        fault: "crash at a named point",
        in_short: true,
        body: |world, size| Box::pin(crashed(world, size)),
    }
}

async fn crashed(world: &mut World, size: Size) -> anyhow::Result<Measured> {
    let mut measured = Measured::default();
    for turn in 0..size.of(1, 20) {
        for round in ROUNDS {
            measured.add(one_round(world, round, turn).await?);
        }
    }
    Ok(measured)
}

async fn one_round(
    world: &mut World,
    round: &[(&'static str, Point)],
    turn: usize,
) -> anyhow::Result<Measured> {
    for (service, point) in round {
        world.process(service)?.stop(crate::world::STOP).await?;
        // Not always at the first pass.
        let told = format!("{}:{}", point.name(), turn % 5 + 2);
        world.launch(service, &[("FAULT_CRASH", told)]).await?;
    }
    let allowed = Allowed {
        // While one round of its outbox dies where told, another may be anywhere.
        mails_twice: round.iter().any(|(service, _)| *service == "notifier"),
        // A dead notifier's mails wait for its lease to end, three times
        // the 2 s that a send may take.
        ..Allowed::within(15)
    };
    let (mut part, _) = under_load(world, &allowed, async |world| {
        for (service, point) in round {
            until(
                &format!("{service} to die at {}", point.name()),
                Duration::from_secs(30),
                async || {
                    let is_running = world.process(service)?.is_running();
                    anyhow::ensure!(!is_running, "it runs");
                    anyhow::Ok(())
                },
            )
            .await?;
            world.begin(service, &[]).await?;
        }
        Ok(())
    })
    .await?;
    part.count = round.len();
    Ok(part)
}
