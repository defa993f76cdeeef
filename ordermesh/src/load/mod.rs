//! `ordermesh load`: places orders at a steady rate, and measures what it is like
//! to be a customer.
//!
//! The open loop ([`Mode::Open`]) is how customers come: one does not wait for the
//! other. Every order has an intended start on a [schedule](schedule), fixed
//! before the first answer, and its latency is counted from there. When the system
//! stalls for a second, all that should have been sent in that second is as late
//! as it would have been for a customer; a generator that waits for an answer
//! before the next question would send one order then, record one slow answer,
//! and call the other seconds fast (Gil Tene's "coordinated omission").
//!
//! Three rules keep that true:
//! - Nothing is delayed silently. An order waits for a connection on its own
//!   clock, and what would go over the bound of orders in flight is not sent and
//!   counted as such.
//! - What the generator itself adds is reported: how late orders began.
//! - The ramp is counted on its own. Latencies are those of orders meant to start
//!   in the steady part; rates are those of answers that came within it, so that
//!   a backlog that is worked off afterwards does not count as throughput.
//!
//! The closed loop ([`Mode::Closed`]) is for finding the highest throughput; its
//! latencies are those of a system that is never asked more than it can answer.

mod answer;
mod closed;
mod command;
mod desk;
mod door;
mod json;
mod latencies;
mod live;
mod open;
mod options;
mod orders;
mod progress;
mod render;
mod report;
mod schedule;
mod tally;
mod target;
mod zipf;

use std::{
    pin::pin,
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use tokio::{
    task::{JoinHandle, JoinSet},
    time::{MissedTickBehavior, interval_at},
};

pub use answer::Outcome;
pub(crate) use command::{LoadArguments, execute};
pub use options::{Door, Misuse, Mix, Mode, Options};
pub use progress::Progress;
pub use report::{Fault, Report};
pub(crate) use target::host_and_port;

use desk::{Desk, Window};
use orders::Orders;
use tally::Board;

/// How often is reported.
const SECOND: Duration = Duration::from_secs(1);

/// What places orders: ends when all of them are answered.
struct Crew {
    workers: JoinSet<()>,
    /// In the open loop, who says when; and what ends it when it is dropped.
    scheduler: Option<(JoinHandle<()>, mpsc::Sender<()>)>,
}

/// Places orders as the options say, until all of them are answered, and reports.
/// Calls the observer once a second. What cannot be done as asked is a [`Misuse`],
/// and nothing was sent then.
pub async fn run(options: Options, observer: impl FnMut(&Progress)) -> anyhow::Result<Report> {
    run_until(options, observer, std::future::pending()).await
}

/// The same, with an early end: the report is of what was answered by then.
pub async fn run_until(
    options: Options,
    mut observer: impl FnMut(&Progress),
    stop: impl Future<Output = ()>,
) -> anyhow::Result<Report> {
    options.check()?;
    let address = target::reach(&options.target, options.i_own_this_target).await?;
    let callers = door::connect(options.door, address, options.connections())
        .await
        .with_context(|| format!("no further connection to {}", options.target))?;
    let mut board = Board::new();
    let orders = Arc::new(Orders::new(&options.mix, options.seed));
    let start = Instant::now();
    let window = Window::new(start + options.mode.ramp(), options.duration);
    let desk = |number| Desk::new(Arc::clone(&orders), window, board.shard(number));
    let mut crew = match options.mode {
        Mode::Open { rate, ramp } => {
            let schedule = schedule::Schedule::new(rate, ramp, options.duration);
            open::start(schedule, start, options.in_flight, callers, desk)
        }
        Mode::Closed { clients } => closed::start(clients, callers, desk),
    };

    let mut stop = pin!(stop);
    let mut seconds = interval_at((start + SECOND).into(), SECOND);
    seconds.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut shown = start;
    let interrupted = loop {
        tokio::select! {
            biased;
            () = &mut stop => break true,
            ended = crew.workers.join_next() => match ended {
                Some(ended) => ended.context("placing orders broke off")?,
                None => break false,
            },
            _ = seconds.tick() => {
                let now = Instant::now();
                let of_second = board.collect();
                let faults = board.total().faults();
                observer(&Progress::new(now - start, now - shown, &of_second, faults));
                shown = now;
            }
        }
    };
    if let Some((scheduler, ending)) = crew.scheduler.take() {
        drop(ending);
        scheduler.await.context("the schedule broke off")?;
    }
    crew.workers.shutdown().await;
    let measured = window.until(Instant::now());
    board.collect();
    Ok(Report::new(
        &options,
        board.into_total(),
        measured,
        interrupted,
    ))
}
