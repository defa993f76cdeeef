//! The outbox: leases mails, sends them, and publishes their events.
//!
//! One round: lease what is due; send at once what is pending; record the
//! results; publish the events of what has ended; mark those.
//!
//! What if the process dies
//! - before sending: the lease runs out and another round takes the mail;
//! - between the server's `250` and the record: as above, so the mail is sent
//!   again, with the same Message-ID. This is the one gap that SMTP leaves;
//! - after the record, or after publishing: the mail has ended but is not marked
//!   published, so a later round publishes its event again, with the same id;
//!   consumers know it.
//!
//! What if the other side is late
//! - the mail server: no send is begun unless it ends, by its own timeout, while a
//!   third of the lease is left for its record. So two rounds never send one mail
//!   at the same time, as long as clocks differ by less than that third;
//! - the database, after the server's `250`: the record is tried again until the
//!   lease ends. One that comes later is refused by the lease's token.
//!
//! What if the mail server is away: mails wait, none is given up for that. The
//! server is asked whether it is back before a mail is taken for it.

mod events;
mod schedule;
mod sending;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chassis::{db::DbError, health::ReadinessHandle, kafka::PublishError, retry::Pause};
use proto::time::UnixMicros;
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use self::{events::Publish, schedule::Schedule};
use crate::{
    mail::Status,
    mailer::Mailer,
    store::{self, Store},
};

/// How long an idle outbox waits before it looks for mails whose time has come;
/// new mails of this process wake it at once.
const POLL: Duration = Duration::from_secs(1);

/// From the beginning of one round to the next at least: mails that are written one by
/// one are sent together. Not felt by who gets a mail; a full round takes longer.
const GATHER: Duration = Duration::from_millis(5);

/// How the outbox works.
#[derive(Debug, Clone, Copy)]
pub struct OutboxOptions {
    /// Mails that a round sends at once.
    pub sends_at_once: usize,
    /// How long sending one mail may take; less than two thirds of the lease.
    pub send_timeout: Duration,
    /// How long a round may keep its mails to itself.
    pub lease: Duration,
    /// When to try again.
    pub schedule: Schedule,
}

impl OutboxOptions {
    /// Mails of one round: some for each slot, so that slots are busy for most of the
    /// round, which begins and ends with the database.
    fn round(&self) -> i64 {
        i64::try_from(self.sends_at_once * 8).unwrap_or(i64::MAX)
    }
}

/// A round's hold on its mails.
#[derive(Debug, Clone, Copy)]
struct Held {
    lease: store::Lease,
    /// When it ends.
    until: Instant,
    /// When the last send may begin.
    last_send: Instant,
}

impl Held {
    fn new(options: &OutboxOptions, limit: i64) -> Self {
        let (now, length) = (Instant::now(), options.lease);
        let wall_clock = UnixMicros::now();
        Self {
            lease: store::Lease {
                token: Uuid::now_v7(),
                now: wall_clock,
                until: wall_clock.saturating_add(length),
                limit,
            },
            until: now + length,
            last_send: now + (length * 2 / 3).saturating_sub(options.send_timeout),
        }
    }
}

/// Sends what is in the store.
pub struct Outbox {
    store: Arc<dyn Store>,
    mailer: Arc<dyn Mailer>,
    publisher: Arc<dyn Publish>,
    options: OutboxOptions,
    wake: Arc<Notify>,
    shutdown: CancellationToken,
    smtp: ReadinessHandle,
    /// Whether the mail server did not answer the last time.
    away: AtomicBool,
}

impl std::fmt::Debug for Outbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outbox")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// A round could not be finished; what it began is finished by a later one.
#[derive(Debug, thiserror::Error)]
pub enum RoundError {
    /// The database is away, or refused.
    #[error(transparent)]
    Database(#[from] DbError),
    /// Kafka did not take an event.
    #[error(transparent)]
    Publish(#[from] PublishError),
}

impl Outbox {
    /// An outbox over a store. `wake` is notified when mails were written; after
    /// `shutdown` no mail is begun.
    pub fn new(
        store: Arc<dyn Store>,
        mailer: Arc<dyn Mailer>,
        publisher: Arc<dyn Publish>,
        options: OutboxOptions,
        wake: Arc<Notify>,
        shutdown: CancellationToken,
        smtp: ReadinessHandle,
    ) -> Self {
        smtp.set_ready();
        Self {
            store,
            mailer,
            publisher,
            options,
            wake,
            shutdown,
            smtp,
            away: AtomicBool::new(false),
        }
    }

    /// Works until told to stop. Finishes the round it is in.
    pub async fn run(&self) {
        let mut pause = Pause::default();
        while !self.shutdown.is_cancelled() {
            let next = Instant::now() + GATHER;
            let wait = match self.round().await {
                Ok(_) if self.is_away() => pause.next_pause(),
                Ok(0) => {
                    pause.reset();
                    POLL
                }
                Ok(_) => {
                    pause.reset();
                    tokio::time::sleep_until(next).await;
                    continue;
                }
                Err(error) => {
                    tracing::warn!(%error, "the outbox waits");
                    pause.next_pause()
                }
            };
            tokio::select! {
                () = self.shutdown.cancelled() => {}
                () = tokio::time::sleep(wait) => {}
                // While something is away, new mails change nothing about that.
                () = self.wake.notified(), if wait == POLL => {}
            }
        }
    }

    /// One round; gives how many mails it took.
    pub async fn round(&self) -> Result<usize, RoundError> {
        let was_away = self.is_away();
        if was_away && let Err(why) = self.mailer.probe().await {
            self.tell(Some(&why));
            return Ok(0);
        }
        // One mail is enough to learn whether the server is really back.
        let limit = if was_away { 1 } else { self.options.round() };
        let held = Held::new(&self.options, limit);
        let mails = self.store.lease(held.lease).await?;
        let taken = mails.len();
        let (pending, mut ended): (Vec<_>, Vec<_>) = mails
            .into_iter()
            .partition(|mail| mail.status == Status::Pending);
        if pending.is_empty() && was_away {
            self.tell(None);
        }
        ended.append(&mut self.send(pending, &held).await?);
        self.publish(ended, &held).await?;
        Ok(taken)
    }

    fn is_away(&self) -> bool {
        self.away.load(Ordering::Relaxed)
    }

    /// Turns readiness by why the mail server is away.
    fn tell(&self, away: Option<&str>) {
        self.away.store(away.is_some(), Ordering::Relaxed);
        match away {
            Some(why) => self.smtp.set_not_ready(format!("{why}; mails wait for it")),
            None => self.smtp.set_ready(),
        }
    }
}
