//! The faults, a row each.

mod abuse;
mod broker;
mod cold_start;
mod crashes;
mod database;
mod disk;
mod kills;
mod lost_answer;
mod majority;
mod overload;
mod poison;
mod scale;
mod smtp;
mod stops;
mod zombie;

use std::{
    pin::Pin,
    time::{Duration, Instant},
};

use crate::{
    audit::{Allowed, examine, settle},
    baseline::Baseline,
    load::{self, Journal},
    world::World,
};

/// How often each fault is inflicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    /// A few times: seconds.
    Short,
    /// As often as promised: hours.
    Full,
}

impl Size {
    pub(crate) fn of(self, short: usize, full: usize) -> usize {
        match self {
            Self::Short => short,
            Self::Full => full,
        }
    }
}

type Running<'w> = Pin<Box<dyn Future<Output = anyhow::Result<Measured>> + Send + 'w>>;

/// One row of the table.
pub(crate) struct Row {
    pub(crate) number: u32,
    pub(crate) fault: &'static str,
    /// Whether the short form has it, too.
    pub(crate) in_short: bool,
    body: for<'w> fn(&'w mut World, Size) -> Running<'w>,
}

/// What a row found. Nothing lost and nothing doubled, or it would have failed.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    pub(crate) count: usize,
    pub(crate) orders: usize,
    pub(crate) lost: usize,
    pub(crate) doubled: usize,
    /// From each fault's end to every effect of every order.
    pub(crate) recoveries: Vec<Duration>,
    pub(crate) note: String,
}

impl Measured {
    /// The percentile of the recoveries.
    pub(crate) fn recovery(&self, percent: usize) -> Option<Duration> {
        let mut times = self.recoveries.clone();
        times.sort_unstable();
        let last = times.len().checked_sub(1)?;
        times.get(last * percent / 100).copied()
    }

    /// Adds what another part of the row found.
    pub(crate) fn add(&mut self, part: Self) {
        self.count += part.count;
        self.orders += part.orders;
        self.lost += part.lost;
        self.doubled += part.doubled;
        self.recoveries.extend(part.recoveries);
    }
}

/// Every row, in the order of the table.
pub(crate) fn all() -> Vec<Row> {
    vec![
        kills::row(),
        crashes::row(),
        broker::row(),
        majority::row(),
        cold_start::row(),
        zombie::row(),
        scale::row(),
        lost_answer::row(),
        database::row(),
        smtp::row(),
        poison::row(),
        overload::row(),
        abuse::row(),
        stops::row(),
        disk::row(),
    ]
}

pub(crate) async fn run(row: &Row, world: &mut World, size: Size) -> anyhow::Result<Measured> {
    (row.body)(world, size).await
}

/// Inflicts a fault under load, waits until the system has recovered, and counts.
pub(crate) async fn under_load(
    world: &mut World,
    allowed: &Allowed,
    fault: impl AsyncFnOnce(&mut World) -> anyhow::Result<()>,
) -> anyhow::Result<(Measured, Journal)> {
    world.forget_sinks();
    let baseline = Baseline::take(world).await?;
    let (over, journal) = load::during(world, async |world| {
        fault(world).await?;
        Ok(Instant::now())
    })
    .await?;
    let recovery = settle(world, &baseline, &journal, allowed, over).await?;
    let within = allowed.within * world.slack;
    world.until_ready(within).await?;
    let findings = examine(world, &baseline, &journal, allowed)
        .await?
        .verdict()?;
    anyhow::ensure!(
        recovery <= within,
        "recovered after {recovery:?}, allowed are {within:?}"
    );
    let measured = Measured {
        count: 1,
        orders: journal.ok.len(),
        lost: findings.lost,
        doubled: findings.doubled,
        recoveries: vec![recovery],
        note: String::new(),
    };
    Ok((measured, journal))
}

/// Some load before and after a fault, so that it comes in the middle of work.
pub(crate) async fn a_while(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}
