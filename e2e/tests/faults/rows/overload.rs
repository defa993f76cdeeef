//! Row 13: five times the clients that the gateway serves at once. Most are refused,
//! with a hint when to come again; those that are not are served as fast as ever.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context as _;
use tokio::task::JoinSet;

use super::{Measured, Row, Size};
use crate::{
    audit::{Allowed, examine, settle},
    baseline::Baseline,
    load::{Journal, Told, attempt},
    world::World,
};

/// What the gateway works on at once, unless told otherwise.
const AT_ONCE: usize = 1_024;
/// Clients that it serves at its best.
const FEW: usize = 256;
/// How much of the best must be left.
const LEFT: f64 = 0.8;
/// A refused client waits so long; far less than it was told to.
const PAUSE: Duration = Duration::from_millis(100);
const MEMORY: u64 = 256 * 1024 * 1024;

pub(crate) fn row() -> Row {
    Row {
        number: 13,
        fault: "five times the clients that the gateway serves at once",
        in_short: false,
        body: |world, size| Box::pin(overloaded(world, size)),
    }
}

async fn overloaded(world: &mut World, size: Size) -> anyhow::Result<Measured> {
    let time = Duration::from_secs(size.of(10, 30) as u64);
    let mut measured = Measured::default();
    let mut worst = f64::INFINITY;
    let mut memory = 0;
    for _ in 0..size.of(1, 3) {
        world.forget_sinks();
        let baseline = Baseline::take(world).await?;
        let mut journal = Journal {
            first_user: world.new_users(),
            ..Journal::default()
        };
        let best = flood(world, &mut journal, FEW, time / 2).await?;
        let goodput = flood(world, &mut journal, AT_ONCE * 5, time).await?;
        memory = memory.max(peak_memory(world.process("gateway")?.id())?);
        let allowed = Allowed::within(120);
        let recovery = settle(world, &baseline, &journal, &allowed, Instant::now()).await?;
        let findings = examine(world, &baseline, &journal, &allowed)
            .await?
            .verdict()?;
        anyhow::ensure!(!journal.failed.is_empty(), "it was not too much");
        let unclear = journal.unknown.len();
        anyhow::ensure!(unclear == 0, "{unclear} answers were neither yes nor no");
        worst = worst.min(goodput / best);
        measured.add(Measured {
            count: 1,
            orders: journal.ok.len(),
            lost: findings.lost,
            doubled: findings.doubled,
            recoveries: vec![recovery],
            note: String::new(),
        });
    }
    anyhow::ensure!(worst >= LEFT, "goodput fell to {worst:.2} of the best");
    anyhow::ensure!(memory <= MEMORY, "the gateway took {memory} bytes");
    measured.note = format!(
        "goodput {worst:.2} of the best; gateway {} MB at most",
        memory / 1024 / 1024
    );
    Ok(measured)
}

/// The most memory that a process held so far, in bytes (proc(5), `VmHWM`).
fn peak_memory(id: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kilobytes: u64 = kilobytes.context("VmHWM")?.trim().parse()?;
    Ok(kilobytes * 1024)
}

/// So many clients, each with one order after the other; gives how many were
/// accepted a second.
async fn flood(
    world: &World,
    journal: &mut Journal,
    clients: usize,
    time: Duration,
) -> anyhow::Result<f64> {
    let first = journal.first_user + journal.begun;
    let next = Arc::new(AtomicI64::new(first));
    let begin = Instant::now();
    let mut flood = JoinSet::new();
    for _ in 0..clients {
        let (rest, next) = (world.footing.rest.clone(), Arc::clone(&next));
        flood.spawn(async move {
            let mut told = Vec::new();
            while begin.elapsed() < time {
                let user = next.fetch_add(1, Ordering::Relaxed);
                let answer = attempt(&rest, user).await;
                let refused = matches!(answer, Told::Failed);
                told.push((user, answer));
                if refused {
                    tokio::time::sleep(PAUSE).await;
                }
            }
            told
        });
    }
    let mut accepted = 0_u32;
    for (user, told) in flood.join_all().await.into_iter().flatten() {
        match told {
            Told::Ok(order) => {
                accepted += 1;
                journal.ok.insert(user, order);
            }
            Told::Failed => drop(journal.failed.insert(user)),
            Told::Unknown(said) => {
                println!("  neither yes nor no: {said}");
                journal.unknown.insert(user);
            }
        }
    }
    journal.begun = next.load(Ordering::Relaxed) - journal.first_user;
    Ok(f64::from(accepted) / begin.elapsed().as_secs_f64())
}
