//! What the sweeper takes up, and what it leaves.

use std::{sync::atomic::Ordering, time::Duration};

use anyhow::ensure;
use chassis::{
    config::Config,
    kafka::Settlement,
    telemetry::{Telemetry, TelemetryOptions, Traced},
};
use payments::handler::Received;
use testkit::{harness::Suite, wait::until};
use tracing::instrument::WithSubscriber as _;

use crate::{
    orders::{order, with_token},
    world::{Process, Settings, World},
};

const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn add(suite: Suite) -> Suite {
    suite
        .on_both_databases("a_held_lease_keeps_the_sweeper_away", held)
        .on_both_databases(
            "the_sweeper_takes_up_what_its_record_gave_up",
            given_up_by_the_loop,
        )
        .on_both_databases(
            "the_sweeper_gives_up_old_intents_and_a_replay_revives_them",
            too_old,
        )
        .on_both_databases("a_swept_payment_continues_its_orders_trace", traced)
        .on_both_databases("the_sweeper_works_by_itself_until_told_to_stop", by_itself)
}

/// Leaves an order pending, as if its record had gone to the dead-letter topic.
async fn leave_pending(process: &Process, order: &proto::event::PlacedOrder) -> anyhow::Result<()> {
    let settlements = process.deliver(std::slice::from_ref(order)).await?;
    ensure!(
        matches!(settlements[..], [Settlement::Retry(_)]),
        "{settlements:?}"
    );
    Ok(())
}

async fn held(url: String) -> anyhow::Result<()> {
    let world = World::new(&url).await?;
    let settings = Settings {
        lease: Duration::from_secs(60),
        ..Settings::default()
    };
    let process = Process::start(&world, &settings);
    leave_pending(&process, &with_token(order(), "tok_processing_error")).await?;
    ensure!(process.sweeper.sweep().await? == 0);
    Ok(())
}

async fn given_up_by_the_loop(url: String) -> anyhow::Result<()> {
    let world = World::new(&url).await?;
    let order = order();
    world.bank.away.store(true, Ordering::SeqCst);
    ensure!(
        world
            .process()
            .deliver(std::slice::from_ref(&order))
            .await
            .is_err()
    );
    let sweeping = world.process().sweeper.sweep().await;
    ensure!(sweeping.is_err(), "the provider is still away");
    world.bank.away.store(false, Ordering::SeqCst);
    ensure!(world.process().sweeper.sweep().await? == 1);
    world.expect_complete(&[order]).await
}

async fn too_old(url: String) -> anyhow::Result<()> {
    let world = World::new(&url).await?;
    let failing = with_token(order(), "tok_processing_error");
    let settings = Settings {
        charge_for: Duration::ZERO,
        ..Settings::default()
    };
    let process = Process::start(&world, &settings);
    leave_pending(&process, &failing).await?;
    let calls = world.bank.calls.load(Ordering::SeqCst);
    ensure!(process.sweeper.sweep().await? == 1, "found");
    ensure!(process.sweeper.sweep().await? == 0, "and never again");
    let calls_now = world.bank.calls.load(Ordering::SeqCst);
    ensure!(calls_now == calls, "not charged so late");
    ensure!(world.payment(&failing).await?.outcome.is_none());
    ensure!(world.store.stats().await?.pending == 1);

    leave_pending(&process, &failing).await?;
    ensure!(
        process.sweeper.sweep().await? == 1,
        "a replay makes it due again"
    );
    Ok(())
}

async fn traced(url: String) -> anyhow::Result<()> {
    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    let world = World::new(&url).await?;
    let order = order();
    let traced = Traced::default();
    let received = Received {
        order: &order,
        traced: &traced,
        traceparent: Some(format!("00-{TRACE}-b7ad6b7169203331-01")),
    };
    world.topic.away.store(true, Ordering::SeqCst);
    ensure!(world.process().orders.charge(&[received]).await.is_err());
    world.topic.away.store(false, Ordering::SeqCst);

    let telemetry = Telemetry::new(
        "payments",
        &TelemetryOptions::read(&mut Config::load(None, [])),
    )?;
    let process = world.process();
    process
        .sweeper
        .sweep()
        .with_subscriber(telemetry.dispatch().clone())
        .await?;
    ensure!(world.topic.trace_ids() == [Some(TRACE.to_owned())]);
    world.expect_complete(&[order]).await
}

async fn by_itself(url: String) -> anyhow::Result<()> {
    let world = World::new(&url).await?;
    let orders = [order(), order()];
    world.topic.away.store(true, Ordering::SeqCst);
    let process = world.process();
    ensure!(process.deliver(&orders).await.is_err());
    let stop = process.closing.clone();
    let sweeping = tokio::spawn(process.sweeper.run(stop.clone()));
    world.topic.away.store(false, Ordering::SeqCst);
    until("the payments to be published", PATIENCE, async || {
        world.topic.events().len() == 2
    })
    .await?;
    stop.cancel();
    sweeping.await?;
    // It may have been stopped right between publication and mark.
    world.process().sweeper.sweep().await?;
    world.expect_complete(&orders).await
}
