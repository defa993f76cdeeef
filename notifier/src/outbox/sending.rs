//! Sends the mails of a round, and records how that went.

use std::{collections::HashSet, sync::Mutex, time::Duration};

use chassis::{
    db::DbError,
    fault::{self, Point},
    retry::Pause,
    telemetry::span,
};
use futures::{StreamExt as _, stream};
use proto::{id::NotificationId, time::UnixMicros};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};

use super::{Held, Outbox, Schedule};
use crate::{
    mail::{Status, StoredMail},
    mailer::Sent,
    store::Attempt,
};

/// How soon after the server's `250` it is recorded, however long other mails of
/// the round take: what was sent in this time is sent again when the process dies.
const RECORD_WITHIN: Duration = Duration::from_millis(100);

/// What a round has learned about the mail server and the database. When one is away,
/// the mails that are left are put back.
#[derive(Debug, Default)]
struct Learned {
    /// The server answered for a mail, with yes or no.
    answers: bool,
    /// Why the server is away: in place of each mail waiting for a timeout.
    away: Option<String>,
    /// What was sent could not be recorded lately: what is sent now could not be
    /// either, and would be sent again.
    is_unrecorded: bool,
}

/// A mail, and how sending it went; nothing when it was put back.
type Tried = (StoredMail, Option<Sent>);

impl Outbox {
    /// Sends mails and records the results, soon after each. Gives those that came
    /// to their end.
    pub(super) async fn send(
        &self,
        pending: Vec<StoredMail>,
        held: &Held,
    ) -> Result<Vec<StoredMail>, DbError> {
        if pending.is_empty() {
            return Ok(Vec::new());
        }
        let learned = Mutex::new(Learned::default());
        // Holds no more than the round.
        let (sender, mut results) = mpsc::unbounded_channel();
        let sending = async {
            let sender = sender;
            stream::iter(pending)
                .map(|mail| self.send_one(mail, held, &learned))
                .buffer_unordered(self.options.sends_at_once)
                .for_each(async |tried| {
                    // When what came before could not be recorded, nobody listens:
                    // this one cannot be either.
                    let _ = sender.send(tried);
                })
                .await;
        };
        // At the same time, so that neither holds the other up.
        let recording = async {
            let mut ended = Vec::new();
            loop {
                let tried = some_of(&mut results).await;
                if tried.is_empty() {
                    return Ok(ended);
                }
                ended.append(&mut self.record(tried, held, &learned).await?);
            }
        };
        let ((), recorded) = tokio::join!(sending, recording);
        let Learned { answers, away, .. } = learned.into_inner().unwrap_or_default();
        self.tell(away.as_deref().filter(|_| !answers));
        recorded
    }

    async fn send_one(&self, mail: StoredMail, held: &Held, learned: &Mutex<Learned>) -> Tried {
        let is_away = learned
            .lock()
            .is_ok_and(|learned| learned.away.is_some() || learned.is_unrecorded);
        if is_away || self.shutdown.is_cancelled() || Instant::now() > held.last_send {
            return (mail, None);
        }
        let traced = span::continued("send mail", "client", mail.traceparent.as_deref());
        let sent = traced.clone().run(self.mailer.send(&mail)).await;
        let span = traced.span();
        match &sent {
            Sent::Taken => {}
            Sent::Deferred(why) => span::fail(span, "deferred", why),
            Sent::Refused(why) => span::fail(span, "refused", why),
            Sent::Lost(why) => span::fail(span, "lost", why),
            Sent::Unreachable(why) => span::fail(span, "unreachable", why),
        }
        if let Ok(mut learned) = learned.lock() {
            match &sent {
                Sent::Lost(why) | Sent::Unreachable(why) => learned.away = Some(why.clone()),
                Sent::Taken | Sent::Deferred(_) | Sent::Refused(_) => learned.answers = true,
            }
        }
        (mail, Some(sent))
    }

    /// Records how sending went. Gives those mails that came to their end.
    async fn record(
        &self,
        tried: Vec<Tried>,
        held: &Held,
        learned: &Mutex<Learned>,
    ) -> Result<Vec<StoredMail>, DbError> {
        let now = UnixMicros::now();
        let attempts: Vec<Attempt> = tried
            .iter()
            .map(|(mail, sent)| attempt(mail, sent.as_ref(), held, &self.options.schedule, now))
            .collect();
        let ended: Vec<StoredMail> = tried
            .into_iter()
            .zip(&attempts)
            .filter(|(_, attempt)| attempt.status != Status::Pending)
            .map(|((mail, _), attempt)| StoredMail {
                status: attempt.status,
                sent_at: Some(now),
                ..mail
            })
            .collect();
        fault::point(Point::MailTaken);
        let accepted = self.insist(held, attempts, now, learned).await?;
        fault::point(Point::MailRecorded);
        Ok(ended
            .into_iter()
            .filter(|mail| accepted.contains(&mail.id))
            .collect())
    }

    /// The server has the mails by now, so this goes on for as long as the lease.
    async fn insist(
        &self,
        held: &Held,
        attempts: Vec<Attempt>,
        now: UnixMicros,
        learned: &Mutex<Learned>,
    ) -> Result<HashSet<NotificationId>, DbError> {
        let mut pause = Pause::default();
        loop {
            let token = held.lease.token;
            let result = self.store.record(token, attempts.clone(), now).await;
            if let Ok(mut learned) = learned.lock() {
                learned.is_unrecorded = result.is_err();
            }
            let error = match result {
                Ok(accepted) => return Ok(accepted.into_iter().collect()),
                Err(error @ DbError::Statement(_)) => return Err(error),
                Err(error) => error,
            };
            let wait = pause.next_pause();
            if self.shutdown.is_cancelled() || Instant::now() + wait > held.until {
                return Err(error);
            }
            tracing::warn!(%error, "what was sent is not recorded yet");
            tokio::time::sleep(wait).await;
        }
    }
}

/// What has been tried by now: as much as comes within [`RECORD_WITHIN`]. Nothing
/// when all is.
async fn some_of(results: &mut mpsc::UnboundedReceiver<Tried>) -> Vec<Tried> {
    let Some(first) = results.recv().await else {
        return Vec::new();
    };
    let mut some = vec![first];
    let deadline = Instant::now() + RECORD_WITHIN;
    while let Ok(Some(next)) = timeout_at(deadline, results.recv()).await {
        some.push(next);
    }
    some
}

/// How a mail stands after an attempt.
fn attempt(
    mail: &StoredMail,
    sent: Option<&Sent>,
    held: &Held,
    schedule: &Schedule,
    now: UnixMicros,
) -> Attempt {
    // Of a mail that ended, the event is published next; if it is not, somebody
    // else does it when the lease has ended.
    let lease_end = held.lease.until;
    let (status, error, due_at) = match sent {
        None => (Status::Pending, mail.last_error.clone(), now),
        Some(Sent::Taken) => (Status::Sent, String::new(), lease_end),
        Some(Sent::Refused(why)) => (Status::Failed, why.clone(), lease_end),
        Some(Sent::Unreachable(why)) => (Status::Pending, why.clone(), now),
        Some(Sent::Deferred(why) | Sent::Lost(why)) if schedule.gives_up(mail.created_at, now) => {
            (Status::Failed, format!("{why}; given up"), lease_end)
        }
        Some(Sent::Deferred(why) | Sent::Lost(why)) => (
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
        counts: !matches!(sent, None | Some(Sent::Unreachable(_))),
    }
}
