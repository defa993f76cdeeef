//! The load that contenders are put under, by `ordermesh load`'s own library.

use std::time::Duration;

use ordermesh::load::{Door, Mode, Options, Outcome, Report, run};

/// Unmeasured at the beginning of each turn: connections open, compilers warm up.
const WARM_UP: Duration = Duration::from_secs(1);
/// How long a schedule's rate grows.
pub(crate) const RAMP: Duration = Duration::from_secs(1);

/// How many at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Callers {
    pub(crate) connections: u32,
    pub(crate) streams: u32,
}

impl Callers {
    pub(crate) const fn count(self) -> u32 {
        self.connections * self.streams
    }
}

pub(crate) const fn rest(connections: u32) -> Callers {
    Callers {
        connections,
        streams: 1,
    }
}

/// As much as so many callers can get through, all of it accepted.
pub(crate) async fn flat_out(
    address: &str,
    door: Door,
    callers: Callers,
    time: Duration,
) -> anyhow::Result<Report> {
    let report = saturate(address, door, callers, time).await?;
    all_accepted(&report)?;
    Ok(report)
}

/// Orders on a schedule, after the rate has grown for so long; all of them accepted.
pub(crate) async fn steady(
    address: &str,
    rate: u32,
    time: Duration,
    ramp: Duration,
) -> anyhow::Result<Report> {
    let report = offer(address, rate, time, ramp).await?;
    all_accepted(&report)?;
    Ok(report)
}

/// As [`flat_out`], whatever becomes of the orders.
pub(crate) async fn saturate(
    address: &str,
    door: Door,
    callers: Callers,
    time: Duration,
) -> anyhow::Result<Report> {
    warm_up(address, door, callers).await?;
    closed(address, door, callers, time).await
}

/// As [`steady`], whatever becomes of the orders.
pub(crate) async fn offer(
    address: &str,
    rate: u32,
    time: Duration,
    ramp: Duration,
) -> anyhow::Result<Report> {
    let options = Options {
        target: address.to_owned(),
        duration: time,
        ..Options::new(Door::Rest, Mode::Open { rate, ramp })
    };
    run(options, |_| {}).await
}

/// What comes before each turn, and is not measured.
pub(crate) async fn warm_up(address: &str, door: Door, callers: Callers) -> anyhow::Result<()> {
    closed(address, door, callers, WARM_UP).await?;
    Ok(())
}

/// Callers who order again when they were answered.
pub(crate) async fn closed(
    address: &str,
    door: Door,
    callers: Callers,
    time: Duration,
) -> anyhow::Result<Report> {
    let clients = callers.count();
    let options = Options {
        target: address.to_owned(),
        duration: time,
        connections: Some(callers.connections),
        ..Options::new(door, Mode::Closed { clients })
    };
    run(options, |_| {}).await
}

/// Nothing else became of any order; otherwise how long accepted ones took says little.
pub(crate) fn all_accepted(report: &Report) -> anyhow::Result<()> {
    anyhow::ensure!(
        report.accepted() > 0
            && report.refused() + report.failed() + report.not_sent() + report.unanswered() == 0,
        "{} accepted, {} refused, {} failed, {} not sent, {} without an answer: {:?}",
        report.accepted(),
        report.refused(),
        report.failed(),
        report.not_sent(),
        report.unanswered(),
        report.faults()
    );
    Ok(())
}

/// A percentile (0 to 100) of how long accepted orders took.
pub(crate) fn millis(report: &Report, percent: f64) -> f64 {
    let time = report.percentile(Outcome::Accepted, percent);
    time.as_secs_f64() * 1e3
}
