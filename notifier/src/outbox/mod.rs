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
//! A lease is longer than a round can take, so two rounds never send one mail at
//! the same time; and a result that comes too late all the same is refused by
//! the lease's token.

mod schedule;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chassis::{
    db::DbError,
    health::ReadinessHandle,
    kafka::{Outgoing, PublishError, Publisher},
    retry::Pause,
    telemetry::span,
};
use futures::{StreamExt as _, stream};
use proto::{
    event::{NOTIFICATIONS, SentNotification},
    events::v1::{NotificationKind, NotificationSent},
    id::UserId,
    time::UnixMicros,
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;
use uuid::Uuid;

pub use schedule::Schedule;

use crate::{
    mail::{Status, StoredMail},
    mailer::{Mailer, Sent},
    store::{Attempt, Lease, Store},
};

/// How long an idle outbox waits before it looks for mails whose time has come;
/// new mails of this process wake it at once.
const POLL: Duration = Duration::from_secs(1);

/// How the outbox works.
#[derive(Debug, Clone, Copy)]
pub struct OutboxOptions {
    /// Mails sent at once.
    pub sends_at_once: usize,
    /// How long sending one mail may take.
    pub send_timeout: Duration,
    /// When to try again.
    pub schedule: Schedule,
}

impl OutboxOptions {
    /// Mails of one round: a few for each slot, so that slots are busy while the
    /// slowest of the round is waited for.
    fn round(&self) -> i64 {
        i64::try_from(self.sends_at_once * 4).unwrap_or(i64::MAX)
    }

    /// Longer than a round can take: each slot sends at most four mails, and two
    /// more times the bound are left for the database and Kafka.
    fn lease(&self) -> Duration {
        self.send_timeout * 6
    }
}

/// Publishes what became of mails: the port to Kafka.
#[async_trait::async_trait]
pub trait Publish: Send + Sync + 'static {
    /// Returns once the broker has the event.
    async fn publish(&self, event: Outgoing) -> Result<(), PublishError>;
}

#[async_trait::async_trait]
impl Publish for Publisher {
    async fn publish(&self, event: Outgoing) -> Result<(), PublishError> {
        Self::publish(self, event).await.map(drop)
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
            let wait = match self.round().await {
                Ok(_) if self.away.load(Ordering::Relaxed) => pause.next_pause(),
                Ok(0) => {
                    pause.reset();
                    POLL
                }
                Ok(_) => {
                    pause.reset();
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
        let away = self.away.load(Ordering::Relaxed);
        let now = UnixMicros::now();
        let lease = Lease {
            token: Uuid::now_v7(),
            now,
            until: now.saturating_add(self.options.lease()),
            // One mail is enough to learn whether the server is back.
            limit: if away { 1 } else { self.options.round() },
        };
        let mails = self.store.lease(lease).await?;
        let taken = mails.len();
        if taken == 0 {
            return Ok(0);
        }
        let (pending, mut ended): (Vec<_>, Vec<_>) = mails
            .into_iter()
            .partition(|mail| mail.status == Status::Pending);
        ended.append(&mut self.send(pending, lease).await?);
        self.publish(ended).await?;
        Ok(taken)
    }

    /// Sends mails and records the results. Gives those that came to their end.
    async fn send(
        &self,
        pending: Vec<StoredMail>,
        lease: Lease,
    ) -> Result<Vec<StoredMail>, DbError> {
        if pending.is_empty() {
            return Ok(Vec::new());
        }
        // Whether some mail of this round found the server away: the others are
        // put back instead of each waiting for a timeout.
        let stopped = AtomicBool::new(false);
        let (stopped, answered) = (&stopped, &AtomicBool::new(false));
        let tried: Vec<(StoredMail, Option<Sent>)> = stream::iter(pending)
            .map(|mail| async move {
                if stopped.load(Ordering::Relaxed) || self.shutdown.is_cancelled() {
                    return (mail, None);
                }
                let span = span::continued("send mail", "client", mail.traceparent.as_deref());
                let sent = self.mailer.send(&mail).instrument(span.clone()).await;
                match &sent {
                    Sent::Unreachable(why) => {
                        stopped.store(true, Ordering::Relaxed);
                        span::fail(&span, "unreachable", why);
                    }
                    Sent::Deferred(why) => span::fail(&span, "deferred", why),
                    Sent::Refused(why) => span::fail(&span, "refused", why),
                    Sent::Taken => {}
                }
                if !matches!(sent, Sent::Unreachable(_)) {
                    answered.store(true, Ordering::Relaxed);
                }
                (mail, Some(sent))
            })
            .buffer_unordered(self.options.sends_at_once)
            .collect()
            .await;
        self.tell(
            stopped.load(Ordering::Relaxed),
            answered.load(Ordering::Relaxed),
        );

        let now = UnixMicros::now();
        let attempts: Vec<Attempt> = tried
            .iter()
            .map(|(mail, sent)| self.attempt(mail, sent.as_ref(), lease, now))
            .collect();
        let accepted = self
            .store
            .record(lease.token, attempts.clone(), now)
            .await?;
        Ok(tried
            .into_iter()
            .zip(attempts)
            .filter(|(_, attempt)| attempt.status != Status::Pending)
            .filter(|(_, attempt)| accepted.contains(&attempt.id))
            .map(|((mail, _), attempt)| StoredMail {
                status: attempt.status,
                sent_at: Some(now),
                ..mail
            })
            .collect())
    }

    /// Turns readiness by whether the mail server answers.
    fn tell(&self, unreachable: bool, answered: bool) {
        let away = unreachable && !answered;
        self.away.store(away, Ordering::Relaxed);
        if away {
            self.smtp
                .set_not_ready("the mail server does not answer; mails wait until it does");
        } else {
            self.smtp.set_ready();
        }
    }

    fn attempt(
        &self,
        mail: &StoredMail,
        sent: Option<&Sent>,
        lease: Lease,
        now: UnixMicros,
    ) -> Attempt {
        let schedule = &self.options.schedule;
        let (status, error, due_at) = match sent {
            None => (Status::Pending, mail.last_error.clone(), now),
            Some(Sent::Taken) => (Status::Sent, String::new(), lease.until),
            Some(Sent::Refused(why)) => (Status::Failed, why.clone(), lease.until),
            Some(Sent::Deferred(why)) if schedule.gives_up(mail.created_at, now) => {
                (Status::Failed, format!("{why}; given up"), lease.until)
            }
            Some(Sent::Deferred(why) | Sent::Unreachable(why)) => (
                Status::Pending,
                why.clone(),
                schedule.next(mail.attempts, now),
            ),
        };
        Attempt {
            id: mail.id,
            status,
            error,
            due_at,
            counts: sent.is_some(),
        }
    }

    async fn publish(&self, ended: Vec<StoredMail>) -> Result<(), RoundError> {
        if ended.is_empty() {
            return Ok(());
        }
        let results = futures::future::join_all(ended.iter().map(|mail| async {
            match event(mail) {
                Some(event) => self.publisher.publish(event).await,
                // Nothing that we wrote; it must not block the others for ever.
                None => Ok(()),
            }
        }))
        .await;
        let published: Vec<_> = ended
            .iter()
            .zip(&results)
            .filter(|(_, result)| result.is_ok())
            .map(|(mail, _)| mail.id)
            .collect();
        self.store.mark_published(published).await?;
        results.into_iter().collect::<Result<Vec<()>, _>>()?;
        Ok(())
    }
}

/// What became of a mail, as an event in its order's trace.
fn event(mail: &StoredMail) -> Option<Outgoing> {
    let event = SentNotification {
        notification_id: mail.id,
        order_id: mail.order_id,
        user_id: UserId::try_from(mail.user_id).ok()?,
        kind: NotificationKind::try_from(mail.kind).ok()?,
        line: mail.line.and_then(|line| u16::try_from(line).ok()),
        sent: mail.status == Status::Sent,
        sent_at: mail.sent_at.unwrap_or(mail.created_at),
    };
    let message = NotificationSent::from(&event);
    let time = event.sent_at.as_micros();
    let id = *event.notification_id.as_uuid();
    let outgoing = Outgoing::event(NOTIFICATIONS, event.key(), id, time, &message);
    Some(outgoing.with_parent(mail.traceparent.clone()))
}
