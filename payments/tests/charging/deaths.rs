//! Processes that die, or freeze and come back, at every point of the way.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use chassis::kafka::{HandlerError, Settlement};
use proto::event::PlacedOrder;
use testkit::harness::Suite;
use tokio::task::JoinHandle;

use crate::{
    orders::{order, with_token},
    trap::{Point, Trap},
    world::{Process, Settings, World},
};

pub(crate) fn add(suite: Suite) -> Suite {
    suite
        .on_both_databases(
            "death_anywhere_and_redelivery_end_in_one_charge",
            async |url| everywhere(url, redelivered).await,
        )
        .on_both_databases(
            "what_a_death_anywhere_leaves_is_taken_up_by_the_sweeper",
            async |url| everywhere(url, swept).await,
        )
        .on_both_databases("a_zombie_from_anywhere_changes_nothing", async |url| {
            everywhere(url, zombie).await
        })
        .on_both_databases(
            "a_zombie_from_anywhere_changes_nothing_for_the_sweeper",
            async |url| everywhere(url, zombie_against_sweeper).await,
        )
        .on_both_databases(
            "an_order_that_was_taken_over_is_not_done_before_its_payment_is",
            taken_over,
        )
}

/// Lets a scenario happen at every point, with orders of its own each time, and
/// looks at the world after each.
async fn everywhere(
    url: String,
    scenario: impl AsyncFn(&World, Point, &[PlacedOrder]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let world = World::new(&url).await?;
    let mut all = Vec::new();
    for point in Point::ALL {
        let batch = [
            order(),
            with_token(order(), "tok_expired"),
            with_token(order(), "tok_visa"),
        ];
        scenario(&world, point, &batch)
            .await
            .with_context(|| format!("{point:?}"))?;
        all.extend(batch);
        world
            .expect_complete(&all)
            .await
            .with_context(|| format!("{point:?}"))?;
    }
    Ok(())
}

fn trapped(world: &World, trap: &Arc<Trap>) -> Process {
    let settings = Settings {
        trap: Some(Arc::clone(trap)),
        ..Settings::default()
    };
    Process::start(world, &settings)
}

/// Works on a batch until the trap springs, and dies there.
async fn die(world: &World, point: Point, batch: &[PlacedOrder]) -> anyhow::Result<()> {
    let trap = Trap::at(point);
    let process = trapped(world, &trap);
    tokio::select! {
        done = process.deliver(batch) => anyhow::bail!("must not get past the trap: {done:?}"),
        () = trap.sprung() => Ok(()),
    }
}

type Frozen = JoinHandle<Result<Vec<Settlement>, HandlerError>>;

/// Works on a batch until the trap springs, and stays there until released.
async fn freeze(world: &World, point: Point, batch: &[PlacedOrder]) -> (Arc<Trap>, Frozen) {
    let trap = Trap::at(point);
    let (process, batch) = (trapped(world, &trap), batch.to_vec());
    let frozen = tokio::spawn(async move { process.deliver(&batch).await });
    trap.sprung().await;
    (trap, frozen)
}

async fn redelivered(world: &World, point: Point, batch: &[PlacedOrder]) -> anyhow::Result<()> {
    die(world, point, batch).await?;
    let settlements = world.process().deliver(batch).await?;
    ensure!(settlements == vec![Settlement::Done; 3], "{settlements:?}");
    Ok(())
}

async fn swept(world: &World, point: Point, batch: &[PlacedOrder]) -> anyhow::Result<()> {
    die(world, point, batch).await?;
    let process = world.process();
    let swept = process.sweeper.sweep().await?;
    match point {
        // Before the first trace of an order in the store, only its record knows.
        Point::BeforeClaim => {
            ensure!(swept == 0);
            process.deliver(batch).await?;
        }
        Point::AfterMark => ensure!(swept == 0),
        _ => ensure!(swept == 3, "{swept}"),
    }
    Ok(())
}

async fn zombie(world: &World, point: Point, batch: &[PlacedOrder]) -> anyhow::Result<()> {
    let (trap, frozen) = freeze(world, point, batch).await;
    let settlements = world.process().deliver(batch).await?;
    ensure!(settlements == vec![Settlement::Done; 3], "{settlements:?}");
    trap.release();
    // What it says no longer counts, but it must blame no order for being late.
    let late = frozen.await??;
    ensure!(
        !late.iter().any(|one| matches!(one, Settlement::Poison(_))),
        "{late:?}"
    );
    Ok(())
}

async fn zombie_against_sweeper(
    world: &World,
    point: Point,
    batch: &[PlacedOrder],
) -> anyhow::Result<()> {
    let (trap, frozen) = freeze(world, point, batch).await;
    world.process().sweeper.sweep().await?;
    trap.release();
    frozen.await??;
    Ok(())
}

async fn taken_over(url: String) -> anyhow::Result<()> {
    let world = World::new(&url).await?;
    let batch = [order()];
    let (first_trap, first) = freeze(&world, Point::AfterCharge, &batch).await;
    let (second_trap, second) = freeze(&world, Point::AfterClaim, &batch).await;
    first_trap.release();
    let settlements = first.await??;
    ensure!(
        matches!(settlements[..], [Settlement::Retry(_)]),
        "{settlements:?}"
    );
    ensure!(world.topic.events().is_empty(), "nothing is settled yet");
    second_trap.release();
    ensure!(second.await?? == [Settlement::Done]);
    world.expect_complete(&batch).await
}
