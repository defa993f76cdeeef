//! Row 7: consumers are scaled from one to four and back under load.

use e2e::footing::STORING;

use super::{Measured, Row, Size, a_while, under_load};
use crate::{
    audit::Allowed,
    world::{STOP, World},
};

pub(crate) fn row() -> Row {
    Row {
        number: 7,
        fault: "consumers scaled 1 to 4 to 1",
        in_short: false,
        body: |world, size| Box::pin(scaled(world, size)),
    }
}

async fn scaled(world: &mut World, size: Size) -> anyhow::Result<Measured> {
    let mut measured = Measured::default();
    for _ in 0..size.of(1, 5) {
        for service in STORING {
            // Nobody dies, so no mail may come twice.
            let (part, _) = under_load(world, &Allowed::within(15), async |world| {
                let mut more = Vec::new();
                for _ in 0..3 {
                    more.push(world.second(service).await?);
                    a_while(1_500).await;
                }
                for process in more {
                    let code = process.stop(STOP).await?;
                    anyhow::ensure!(code == 0, "a {service} ended with {code}");
                    a_while(500).await;
                }
                Ok(())
            })
            .await?;
            measured.add(part);
        }
    }
    Ok(measured)
}
