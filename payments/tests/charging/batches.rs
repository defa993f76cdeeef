//! Batches as the consumer loop hands them over.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use anyhow::ensure;
use chassis::kafka::{HandlerError, PoisonClass, Settlement};
use futures::{future::try_join_all, poll};
use payments::provider::mock::MockOptions;
use proto::event::{PaymentResult, PlacedOrder};
use testkit::{harness::Suite, wait::until};

use crate::{
    orders::{contradicting, order, with_token},
    trap::{Point, Trap},
    world::{Process, Settings, World},
};

const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn add(suite: Suite) -> Suite {
    suite
        .on_both_databases("a_batch_delivered_again_is_done_and_charges_nothing", again)
        .on_both_databases("a_batch_may_hold_an_order_several_times", repeated)
        .on_both_databases(
            "contradicting_orders_are_poison_and_the_first_one_stands",
            conflicts,
        )
        .on_both_databases(
            "contradictions_within_a_batch_are_decided_by_the_store",
            conflict_within,
        )
        .on_both_databases(
            "a_processing_error_costs_its_own_order_alone",
            processing_error,
        )
        .on_both_databases("a_provider_that_is_away_is_nobodys_fault", provider_away)
        .on_both_databases(
            "a_broker_that_is_away_leads_to_no_second_charge",
            broker_away,
        )
        .on_both_databases(
            "a_provider_that_fails_often_still_charges_once",
            flaky_provider,
        )
        .on_both_databases("charges_run_at_once_up_to_the_bound", at_once)
        .on_both_databases("a_slow_charge_holds_back_no_other_batch", slow_charge)
        .on_both_databases(
            "one_order_in_two_batches_is_charged_by_one_of_them",
            same_at_once,
        )
        .on_both_databases(
            "an_attempt_that_was_dropped_can_be_repeated_at_once",
            dropped,
        )
        .on_both_databases(
            "silence_blames_the_order_only_while_others_are_answered",
            silence,
        )
        .on_both_databases(
            "who_waits_for_a_turn_gives_up_when_the_service_stops",
            stopping,
        )
}

async fn again(url: String) -> anyhow::Result<()> {
    let world = World::new(&url).await?;
    let batch = [order(), order(), order()];
    world.process().deliver(&batch).await?;
    let calls = world.bank.calls.load(Ordering::SeqCst);
    for process in [world.process(), world.process()] {
        let settlements = process.deliver(&batch).await?;
        ensure!(settlements == vec![Settlement::Done; 3]);
    }
    ensure!(
        world.bank.calls.load(Ordering::SeqCst) == calls,
        "not even asked"
    );
    ensure!(world.topic.events().len() == 3, "nor published again");
    world.expect_complete(&batch).await
}

async fn repeated(url: String) -> anyhow::Result<()> {
    let world = World::new(&url).await?;
    let [a, b] = [order(), order()];
    let batch = [a.clone(), b.clone(), a.clone(), a.clone()];
    let settlements = world.process().deliver(&batch).await?;
    ensure!(settlements == vec![Settlement::Done; 4]);
    ensure!(world.bank.calls.load(Ordering::SeqCst) == 2);
    world.expect_complete(&[a, b]).await
}

fn is_conflict(settlement: &Settlement) -> bool {
    matches!(settlement, Settlement::Poison(poison) if poison.class == PoisonClass::Conflict)
}

async fn conflicts(url: String) -> anyhow::Result<()> {
    let world = World::new(&url).await?;
    let first = order();
    let process = world.process();
    process.deliver(std::slice::from_ref(&first)).await?;
    let (other, good) = (contradicting(&first), order());
    let settlements = process.deliver(&[other, good.clone()]).await?;
    ensure!(is_conflict(&settlements[0]) && settlements[1] == Settlement::Done);
    world.expect_complete(&[first, good]).await
}

async fn conflict_within(url: String) -> anyhow::Result<()> {
    let world = World::new(&url).await?;
    let (stored, fresh) = (order(), order());
    let process = world.process();
    process.deliver(std::slice::from_ref(&stored)).await?;
    // Of the stored one, the contradiction comes first.
    let batch = [
        contradicting(&stored),
        fresh.clone(),
        stored.clone(),
        contradicting(&fresh),
        fresh.clone(),
    ];
    let settlements = process.deliver(&batch).await?;
    let conflicts: Vec<bool> = settlements.iter().map(is_conflict).collect();
    ensure!(
        conflicts == [true, false, false, true, false],
        "{settlements:?}"
    );
    world.expect_complete(&[stored, fresh]).await
}

async fn processing_error(url: String) -> anyhow::Result<()> {
    let world = World::new(&url).await?;
    let failing = with_token(order(), "tok_processing_error");
    let good = [order(), order()];
    let batch = [good[0].clone(), failing.clone(), good[1].clone()];
    let settlements = world.process().deliver(&batch).await?;
    ensure!(matches!(
        settlements[..],
        [Settlement::Done, Settlement::Retry(_), Settlement::Done]
    ));
    ensure!(
        world.payment(&failing).await?.outcome.is_none(),
        "pending, and to be seen"
    );
    let stats = world.store.stats().await?;
    ensure!((stats.pending, stats.captured) == (1, 2));
    ensure!(!world.bank.charges()?.contains_key(&failing.order_id));
    Ok(())
}

async fn provider_away(url: String) -> anyhow::Result<()> {
    let world = World::new(&url).await?;
    let batch = [order(), order()];
    let process = world.process();
    process.deliver(&batch[..1]).await?;
    world.bank.away.store(true, Ordering::SeqCst);
    for _ in 0..10 {
        let away = process.deliver(&batch).await;
        ensure!(
            matches!(away, Err(HandlerError::Unavailable(_))),
            "{away:?}"
        );
    }
    world.bank.away.store(false, Ordering::SeqCst);
    ensure!(process.deliver(&batch).await? == vec![Settlement::Done; 2]);
    world.expect_complete(&batch).await
}

async fn broker_away(url: String) -> anyhow::Result<()> {
    let world = World::new(&url).await?;
    let batch = [order(), order()];
    let process = world.process();
    world.topic.away.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        let away = process.deliver(&batch).await;
        ensure!(
            matches!(away, Err(HandlerError::Unavailable(_))),
            "{away:?}"
        );
    }
    ensure!(
        world.bank.calls.load(Ordering::SeqCst) == 2,
        "settled ones are not charged again"
    );
    world.topic.away.store(false, Ordering::SeqCst);
    ensure!(process.deliver(&batch).await? == vec![Settlement::Done; 2]);
    world.expect_complete(&batch).await
}

async fn flaky_provider(url: String) -> anyhow::Result<()> {
    let flaky = MockOptions {
        failure_rate: 0.5,
        ..MockOptions::default()
    };
    let world = World::with(&url, flaky).await?;
    let batch: Vec<PlacedOrder> = (0..50).map(|_| order()).collect();
    let process = world.process();
    let mut open = batch.clone();
    while !open.is_empty() {
        let settlements = process.deliver(&open).await?;
        let mut settlements = settlements.into_iter();
        open.retain(|_| settlements.next() != Some(Settlement::Done));
    }
    ensure!(
        world.bank.calls.load(Ordering::SeqCst) > 50,
        "it must have failed sometimes"
    );
    world.expect_complete(&batch).await
}

async fn at_once(url: String) -> anyhow::Result<()> {
    let slow = MockOptions {
        latency: Duration::from_millis(100),
        ..MockOptions::default()
    };
    let world = World::with(&url, slow).await?;
    let settings = Settings {
        charges_at_once: 8,
        ..Settings::default()
    };
    let process = Process::start(&world, &settings);
    // More than the bound in one batch, and more batches beside it.
    let batches: Vec<Vec<PlacedOrder>> = [20, 3, 8]
        .into_iter()
        .map(|count| (0..count).map(|_| order()).collect())
        .collect();
    let settled = try_join_all(batches.iter().map(|batch| process.deliver(batch))).await?;
    ensure!(settled.concat() == vec![Settlement::Done; 31]);
    let most = world.bank.most_at_once.load(Ordering::SeqCst);
    ensure!(most == 8, "{most} charges at once");
    world.expect_complete(&batches.concat()).await
}

async fn slow_charge(url: String) -> anyhow::Result<()> {
    let world = World::new(&url).await?;
    let trap = Trap::at(Point::AfterCharge);
    let settings = Settings {
        trap: Some(Arc::clone(&trap)),
        ..Settings::default()
    };
    let process = Process::start(&world, &settings);
    let (slow, quick) = ([order(), order()], [order(), order()]);
    let mut waiting = std::pin::pin!(process.deliver(&slow));
    tokio::select! {
        _ = &mut waiting => anyhow::bail!("must be in the trap"),
        () = trap.sprung() => {}
    }
    ensure!(process.deliver(&quick).await? == vec![Settlement::Done; 2]);
    ensure!(poll!(&mut waiting).is_pending());
    trap.release();
    ensure!(waiting.await? == vec![Settlement::Done; 2]);
    world.expect_complete(&[&slow[..], &quick].concat()).await
}

async fn same_at_once(url: String) -> anyhow::Result<()> {
    let slow = MockOptions {
        latency: Duration::from_millis(50),
        ..MockOptions::default()
    };
    let world = World::with(&url, slow).await?;
    let process = world.process();
    let shared: Vec<PlacedOrder> = (0..10).map(|_| order()).collect();
    let batches: Vec<Vec<PlacedOrder>> = (0..6)
        .map(|turn| {
            // Each in another order, so that waiting in turn would show.
            let mut batch = shared.clone();
            batch.rotate_left(turn);
            batch
        })
        .collect();
    let settled = try_join_all(batches.iter().map(|batch| process.deliver(batch))).await?;
    ensure!(settled.concat() == vec![Settlement::Done; 60]);
    ensure!(
        world.bank.calls.load(Ordering::SeqCst) == 10,
        "asked once for each"
    );
    ensure!(world.topic.events().len() == 10, "and published once");
    world.expect_complete(&shared).await
}

async fn dropped(url: String) -> anyhow::Result<()> {
    let world = World::new(&url).await?;
    let trap = Trap::at(Point::BeforeCharge);
    let settings = Settings {
        trap: Some(Arc::clone(&trap)),
        // As in production: far longer than the loop waits before it tries again.
        lease: Duration::from_secs(60),
        charges_at_once: 2,
        ..Settings::default()
    };
    let process = Process::start(&world, &settings);
    let batch = [order(), order()];
    tokio::select! {
        _ = process.deliver(&batch) => anyhow::bail!("must be in the trap"),
        () = trap.sprung() => {}
    }
    // The same process goes on: orders and charges are free again.
    ensure!(process.deliver(&batch).await? == vec![Settlement::Done; 2]);
    world.expect_complete(&batch).await
}

async fn silence(url: String) -> anyhow::Result<()> {
    let world = World::new(&url).await?;
    let settings = Settings {
        charge_timeout: Duration::from_millis(200),
        ..Settings::default()
    };
    let process = Process::start(&world, &settings);
    let (silent, good) = (order(), order());
    *world.bank.silent_for.lock().unwrap() = Some(silent.order_id);
    let alone = process.deliver(std::slice::from_ref(&silent)).await;
    ensure!(
        matches!(alone, Err(HandlerError::Unavailable(_))),
        "perhaps the provider: {alone:?}"
    );
    let settlements = process.deliver(&[silent.clone(), good.clone()]).await?;
    ensure!(
        matches!(settlements[..], [Settlement::Retry(_), Settlement::Done]),
        "surely not"
    );
    *world.bank.silent_for.lock().unwrap() = None;
    ensure!(process.deliver(std::slice::from_ref(&silent)).await? == [Settlement::Done]);
    ensure!(
        world
            .payment(&silent)
            .await?
            .outcome
            .map(|outcome| outcome.result)
            == Some(PaymentResult::Captured)
    );
    world.expect_complete(&[silent, good]).await
}

async fn stopping(url: String) -> anyhow::Result<()> {
    let world = World::new(&url).await?;
    let trap = Trap::at(Point::BeforeCharge);
    let settings = Settings {
        trap: Some(Arc::clone(&trap)),
        charges_at_once: 1,
        ..Settings::default()
    };
    let process = Arc::new(Process::start(&world, &settings));
    let deliver = |order: PlacedOrder| {
        let process = Arc::clone(&process);
        tokio::spawn(async move { process.deliver(&[order]).await })
    };
    let (begun, waiting) = (order(), order());
    let begun_work = deliver(begun.clone());
    trap.sprung().await;
    let waiting_work = deliver(waiting.clone());
    process.closing.cancel();
    until("the waiting one to give up", PATIENCE, async || {
        waiting_work.is_finished()
    })
    .await?;
    ensure!(matches!(
        waiting_work.await?,
        Err(HandlerError::Unavailable(_))
    ));
    trap.release();
    ensure!(
        begun_work.await?? == [Settlement::Done],
        "what is begun is finished"
    );
    world.expect_complete(&[begun]).await
}
