//! A client that places orders at a steady rate, and keeps a journal of what it
//! was told.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use chassis::lock::locked;
use e2e::orders::example;
use http::StatusCode;
use testkit::rest::Rest;
use tokio::{sync::watch, task::JoinSet, time::MissedTickBehavior};

use crate::world::World;

/// Orders a second.
pub(crate) const RATE: u32 = 200;
/// How long an unknown outcome is asked about, with the same key.
const PATIENCE: Duration = Duration::from_secs(90);
/// Before the second question; doubles up to the longest, or those who ask again
/// would be most of the load.
const PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// What the client knows of its orders, each by its user.
#[derive(Debug, Clone, Default)]
pub(crate) struct Journal {
    /// Users are numbered from here.
    pub(crate) first_user: i64,
    /// How many orders were begun.
    pub(crate) begun: i64,
    /// Acknowledged, with the order's id.
    pub(crate) ok: BTreeMap<i64, String>,
    /// Surely not accepted.
    pub(crate) failed: BTreeSet<i64>,
    /// Nobody knows, after many questions.
    pub(crate) unknown: BTreeSet<i64>,
    /// How often an outcome was unknown at first.
    pub(crate) asked_again: usize,
    /// When an order was accepted at its first try.
    pub(crate) accepted_at: Vec<Instant>,
    /// How long that took.
    pub(crate) accepted_in: Vec<Duration>,
    /// Refusals: when the order was begun, and how long the answer took.
    pub(crate) refused_in: Vec<(Instant, Duration)>,
}

impl Journal {
    /// The last user, inclusive.
    pub(crate) fn last_user(&self) -> i64 {
        self.first_user + self.begun - 1
    }

    /// The longest time in which no order was accepted.
    pub(crate) fn longest_silence(&self) -> Duration {
        let mut times = self.accepted_at.clone();
        times.sort_unstable();
        let gaps = times.windows(2).map(|pair| pair[1] - pair[0]);
        gaps.max().unwrap_or_default()
    }
}

/// What one try came to.
pub(crate) enum Told {
    Ok(String),
    Failed,
    /// Neither, and what was said instead.
    Unknown(String),
}

/// Places orders at [`RATE`] for as long as something is going on, and then asks
/// about those whose outcome is unknown.
pub(crate) async fn during<T>(
    world: &mut World,
    going_on: impl AsyncFnOnce(&mut World) -> anyhow::Result<T>,
) -> anyhow::Result<(T, Journal)> {
    let (rest, users) = (world.footing.rest.clone(), world.new_users());
    during_at(rest, users, async || going_on(world).await).await
}

/// The same at another door.
pub(crate) async fn during_at<T>(
    rest: Rest,
    first_user: i64,
    going_on: impl AsyncFnOnce() -> anyhow::Result<T>,
) -> anyhow::Result<(T, Journal)> {
    let journal = Arc::new(Mutex::new(Journal {
        first_user,
        ..Journal::default()
    }));
    let (stop, stopped) = watch::channel(false);
    let placing = tokio::spawn(place_all(rest, Arc::clone(&journal), stopped));
    let result = going_on().await;
    let _ = stop.send(true);
    let begin = Instant::now();
    placing.await?;
    println!(
        "  the last order was answered {:.1?} later",
        begin.elapsed()
    );
    let journal = locked(&journal).clone();
    Ok((result?, journal))
}

async fn place_all(rest: Rest, journal: Arc<Mutex<Journal>>, stopped: watch::Receiver<bool>) {
    let mut tick = tokio::time::interval(Duration::from_secs(1) / RATE);
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut orders = JoinSet::new();
    while !*stopped.borrow() {
        tick.tick().await;
        let user = {
            let mut journal = locked(&journal);
            journal.begun += 1;
            journal.last_user()
        };
        orders.spawn(place(rest.clone(), user, Arc::clone(&journal)));
        while orders.try_join_next().is_some() {}
    }
    orders.join_all().await;
}

async fn place(rest: Rest, user: i64, journal: Arc<Mutex<Journal>>) {
    let begin = Instant::now();
    let mut first = true;
    let mut pause = PAUSE;
    loop {
        match attempt(&rest, user).await {
            Told::Ok(order) => {
                let mut journal = locked(&journal);
                journal.ok.insert(user, order);
                if first {
                    journal.accepted_at.push(Instant::now());
                    journal.accepted_in.push(begin.elapsed());
                }
                return;
            }
            // A refusal of a second try says nothing about the first.
            Told::Failed if first => {
                let mut journal = locked(&journal);
                journal.failed.insert(user);
                journal.refused_in.push((begin, begin.elapsed()));
                return;
            }
            Told::Failed | Told::Unknown(_) => {}
        }
        if first {
            locked(&journal).asked_again += 1;
            first = false;
        }
        if begin.elapsed() > PATIENCE {
            locked(&journal).unknown.insert(user);
            return;
        }
        tokio::time::sleep(pause).await;
        pause = LONGEST_PAUSE.min(pause * 2);
    }
}

/// Tries to place an example order of this user, always with the same key. A refusal
/// must say when to come again.
pub(crate) async fn attempt(rest: &Rest, user: i64) -> Told {
    let key = format!("fault-{user}");
    let body = example(user).to_string();
    let answer = rest
        .post_with("/order", &[("Idempotency-Key", &key)], body)
        .await;
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return Told::Unknown(format!("{error:#}")),
    };
    let json = answer.json();
    match (answer.status, json["reason"].as_str()) {
        (StatusCode::ACCEPTED, _) => {
            Told::Ok(json["orderId"].as_str().unwrap_or_default().to_owned())
        }
        (_, Some("KAFKA_UNAVAILABLE" | "OVERLOADED"))
            if !answer.header("retry-after").is_empty() =>
        {
            Told::Failed
        }
        _ => Told::Unknown(format!("{answer:?}")),
    }
}
