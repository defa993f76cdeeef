//! The closed loop: each caller places the next order when the last is answered.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::task::JoinSet;

use super::{
    Crew,
    answer::Outcome,
    desk::{Desk, Turn},
    door::Caller,
    schedule::Phase,
};

/// After a failure. A server that is gone fails in no time, and asking it without
/// a pause would take all of a processor and say nothing more.
const PAUSE: Duration = Duration::from_millis(10);

/// Starts the callers, on connections of their own or, where these can be shared,
/// in turns.
pub(super) fn start(clients: u32, callers: Vec<Caller>, desk: impl Fn(usize) -> Desk) -> Crew {
    let next = Arc::new(AtomicU64::new(0));
    let mut workers = JoinSet::new();
    let clients = clients as usize;
    let more: Vec<Caller> = (callers.len()..clients)
        .filter_map(|number| callers[number % callers.len()].shared())
        .collect();
    for (number, caller) in callers.into_iter().chain(more).enumerate() {
        workers.spawn(one_after_the_other(caller, desk(number), Arc::clone(&next)));
    }
    Crew {
        workers,
        scheduler: None,
    }
}

async fn one_after_the_other(mut caller: Caller, desk: Desk, next: Arc<AtomicU64>) {
    loop {
        let intended = Instant::now();
        if intended >= desk.window.end {
            break;
        }
        desk.shard.lock().part_mut(Phase::Steady).sent += 1;
        let turn = Turn {
            number: next.fetch_add(1, Ordering::Relaxed),
            intended,
            phase: Phase::Steady,
        };
        if desk.place(&mut caller, turn).await == Outcome::Failed {
            tokio::time::sleep(PAUSE).await;
        }
    }
}
