//! Row 4: two brokers of three are down. No record can have two in-sync replicas,
//! so no order may be accepted; and refusals come at once.

use std::time::{Duration, Instant};

use super::{Measured, Row, Size, a_while, under_load};
use crate::{audit::Allowed, load::Journal, world::World};

/// How soon orders flow again.
const FLOW: Duration = Duration::from_secs(15);
/// How long a refusal may take, but for the one in each half second that tries.
const REFUSAL: Duration = Duration::from_millis(50);
/// Until then the breakers may still be finding out: a record is tried for 8 s.
const FINDING_OUT: Duration = Duration::from_secs(10);

pub(crate) fn row() -> Row {
    Row {
        number: 4,
        fault: "two brokers of three down",
        in_short: false,
        body: |world, size| Box::pin(down(world, size)),
    }
}

async fn down(world: &mut World, size: Size) -> anyhow::Result<Measured> {
    let seconds = size.of(20, 60) as u64;
    let mut measured = Measured::default();
    let mut slowest = Duration::ZERO;
    for _ in 0..size.of(1, 3) {
        let mut times = (Instant::now(), Instant::now(), Instant::now());
        let (part, journal) = under_load(world, &Allowed::within(30), async |world| {
            a_while(1_000).await;
            let (one, other) = (world.kafka.broker(2), world.kafka.broker(3));
            tokio::try_join!(one.kill(), other.kill())?;
            let down = Instant::now();
            a_while(seconds * 1_000).await;
            let returning = Instant::now();
            tokio::try_join!(one.start(), other.start())?;
            times = (down, returning, Instant::now());
            tokio::time::sleep(FLOW).await;
            Ok(())
        })
        .await?;
        slowest = slowest.max(refused(&journal, times)?);
        measured.add(part);
    }
    measured.note = format!("for {seconds} s; 95 of 100 refused within {slowest:.1?}");
    Ok(measured)
}

/// Looks at the answers while the brokers were down; gives how long refusals took.
fn refused(
    journal: &Journal,
    (down, returning, back): (Instant, Instant, Instant),
) -> anyhow::Result<Duration> {
    let accepted = journal.accepted_at.iter();
    let accepted = accepted
        .filter(|at| (down..returning).contains(*at))
        .count();
    anyhow::ensure!(accepted == 0, "{accepted} orders were accepted meanwhile");
    let first = journal.accepted_at.iter().filter(|at| **at >= back).min();
    let flows = first.map(|at| *at - back);
    anyhow::ensure!(
        flows.is_some_and(|after| after <= FLOW),
        "orders flowed again {flows:?} after the brokers' return"
    );
    let mut refusals: Vec<Duration> = journal
        .refused_in
        .iter()
        .filter(|(begun, _)| (down + FINDING_OUT..returning).contains(begun))
        .map(|(_, took)| *took)
        .collect();
    refusals.sort_unstable();
    let slow = refusals.get(refusals.len() * 95 / 100).copied();
    let slow = slow.ok_or_else(|| anyhow::anyhow!("nothing was refused"))?;
    anyhow::ensure!(slow <= REFUSAL, "a refusal takes {slow:?}");
    Ok(slow)
}
