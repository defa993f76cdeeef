//! The open loop: orders start when they are due.
//!
//! A thread of its own keeps the time, because a runtime's timers tick in whole
//! milliseconds and fire late when its threads are busy, which is just when it
//! matters. It passes each order on with its intended start, and never waits:
//! what has no place among the orders in flight is counted and forgotten.

use std::{
    sync::{
        Arc,
        mpsc::{self as signal, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

use futures::{StreamExt as _, stream::FuturesUnordered};
use tokio::{
    sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinSet,
};

use super::{
    Crew,
    desk::{Desk, Turn},
    door::Caller,
    schedule::{Phase, Schedule},
    tally::Shard,
};

/// Shortest sleep between two looks at the schedule. Above a thousand orders a
/// second they start in groups, up to this late; waking for each would cost more
/// processor time than it is worth beside the system that is measured.
const TICK: Duration = Duration::from_millis(1);

/// An order to be placed, and its place among those in flight.
struct Job {
    turn: Turn,
    place: OwnedSemaphorePermit,
}

/// Starts the schedule and those who follow it.
pub(super) fn start(
    schedule: Schedule,
    start: Instant,
    in_flight: u32,
    callers: Vec<Caller>,
    desk: impl Fn(usize) -> Desk,
) -> Crew {
    let in_flight = in_flight as usize;
    let mut workers = JoinSet::new();
    let mut queues = Vec::new();
    // A queue holds orders in flight only, so it is never full.
    let (queue, common) = mpsc::channel(in_flight);
    let common = Arc::new(Mutex::new(common));
    for (number, caller) in callers.into_iter().enumerate() {
        let desk = desk(number);
        match caller {
            // Whoever is free takes the next.
            Caller::Rest(_) => {
                workers.spawn(one_by_one(Arc::clone(&common), caller, desk));
            }
            // Nobody ever is not; in turns.
            Caller::Grpc(_) => {
                let (queue, jobs) = mpsc::channel(in_flight);
                queues.push(queue);
                workers.spawn(many_at_once(jobs, caller, desk));
            }
        }
    }
    if queues.is_empty() {
        queues.push(queue);
    }
    let dispatcher = Dispatcher {
        schedule,
        start,
        queues,
        places: Arc::new(Semaphore::new(in_flight)),
        shard: desk(0).shard,
    };
    let (ending, ended) = signal::channel();
    let scheduler = tokio::task::spawn_blocking(move || dispatcher.run(&ended));
    Crew {
        workers,
        scheduler: Some((scheduler, ending)),
    }
}

async fn one_by_one(jobs: Arc<Mutex<mpsc::Receiver<Job>>>, mut caller: Caller, desk: Desk) {
    loop {
        let job = jobs.lock().await.recv().await;
        let Some(Job { turn, place }) = job else {
            break;
        };
        desk.place(&mut caller, turn).await;
        drop(place);
    }
}

async fn many_at_once(mut jobs: mpsc::Receiver<Job>, caller: Caller, desk: Desk) {
    let mut in_flight = FuturesUnordered::new();
    loop {
        tokio::select! {
            Some(()) = in_flight.next() => {}
            job = jobs.recv() => {
                let Some(Job { turn, place }) = job else { break };
                let Some(mut caller) = caller.shared() else { break };
                let desk = &desk;
                in_flight.push(async move {
                    desk.place(&mut caller, turn).await;
                    drop(place);
                });
            }
        }
    }
    while in_flight.next().await.is_some() {}
}

/// Passes orders on when they are due.
struct Dispatcher {
    schedule: Schedule,
    start: Instant,
    queues: Vec<mpsc::Sender<Job>>,
    places: Arc<Semaphore>,
    shard: Arc<Shard>,
}

impl Dispatcher {
    /// Until the schedule's end, or until the other end of the channel is gone.
    fn run(&self, ended: &signal::Receiver<()>) {
        let mut number = 0;
        while let Some(next) = self.release(&mut number) {
            let pause = next.saturating_sub(self.start.elapsed()).max(TICK);
            if ended.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
                break;
            }
        }
    }

    /// Passes on what is due; gives the time of the next, if there is one.
    fn release(&self, number: &mut u64) -> Option<Duration> {
        let now = self.start.elapsed();
        let mut counts = [(Phase::Ramp, 0, 0), (Phase::Steady, 0, 0)];
        let next = loop {
            let Some(due) = self.schedule.nth(*number) else {
                break None;
            };
            if due.offset > now {
                break Some(due.offset);
            }
            let turn = Turn {
                number: *number,
                intended: self.start + due.offset,
                phase: due.phase,
            };
            let (_, sent, not_sent) = &mut counts[due.phase as usize];
            *(if self.pass(turn) { sent } else { not_sent }) += 1;
            *number += 1;
        };
        let mut tally = self.shard.lock();
        for (phase, sent, not_sent) in counts {
            let part = tally.part_mut(phase);
            part.sent += sent;
            part.not_sent += not_sent;
        }
        next
    }

    fn pass(&self, turn: Turn) -> bool {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return false;
        };
        let queue = turn.number % self.queues.len() as u64;
        let queue = usize::try_from(queue).unwrap_or_default();
        self.queues[queue].try_send(Job { turn, place }).is_ok()
    }
}
