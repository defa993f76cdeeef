//! Row 10: the mail server defers (4xx), hangs, or breaks off. What it rejects
//! (5xx) ends as failed: see `notifier/tests/outbox.rs`, for then no mail comes.

use testkit::smtp::{Behaviour, Stage};

use super::{Measured, Row, Size, a_while, under_load};
use crate::{audit::Allowed, world::World};

pub(crate) fn row() -> Row {
    Row {
        number: 10,
        fault: "SMTP defers, hangs, turns away, breaks off",
        in_short: true,
        body: |world, size| Box::pin(misbehaves(world, size)),
    }
}

async fn misbehaves(world: &mut World, size: Size) -> anyhow::Result<Measured> {
    let mut measured = Measured::default();
    let mut again = 0;
    for _ in 0..size.of(1, 10) {
        for behaviour in [
            Behaviour::refuse(Stage::Recipient),
            Behaviour::refuse(Stage::Message),
            Behaviour::reject(Stage::Greeting),
            Behaviour::Hang { at: Stage::Message },
            Behaviour::Cut { recorded: false },
            Behaviour::Cut { recorded: true },
        ] {
            let allowed = Allowed {
                // It took the mail and did not say so.
                mails_twice: behaviour == Behaviour::Cut { recorded: true },
                ..Allowed::within(15)
            };
            let (part, _) = under_load(world, &allowed, async |world| {
                a_while(300).await;
                world.footing.smtp.set_for(50, behaviour);
                a_while(1_500).await;
                world.footing.smtp.set(Behaviour::Accept);
                Ok(())
            })
            .await?;
            let ids = world.footing.smtp.message_ids();
            again += ids.values().filter(|times| **times > 1).count();
            measured.add(part);
        }
    }
    measured.note = format!("{again} mails came again under their Message-ID");
    Ok(measured)
}
