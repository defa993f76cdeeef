//! Publishes what became of mails.

use chassis::{
    fault::{self, Point},
    kafka::{Outgoing, PublishError, Publisher},
};
use proto::{
    event::{NOTIFICATIONS, SentNotification},
    events::v1::{NotificationKind, NotificationSent},
    id::{NotificationId, UserId},
    time::UnixMicros,
};

use super::{Held, Outbox, RoundError};
use crate::mail::{Status, StoredMail};

/// The port to Kafka.
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

impl Outbox {
    /// Publishes the events of ended mails, and marks those that the broker has.
    /// The others are given back, to be tried again soon.
    pub(super) async fn publish(
        &self,
        ended: Vec<StoredMail>,
        held: &Held,
    ) -> Result<(), RoundError> {
        let results = futures::future::join_all(ended.iter().map(|mail| async {
            match event(mail) {
                Some(event) => self.publisher.publish(event).await,
                // Nothing that we wrote; it must not block the others for ever.
                None => Ok(()),
            }
        }))
        .await;
        let (published, others): (Vec<_>, Vec<_>) = ended
            .iter()
            .map(|mail| mail.id)
            .zip(&results)
            .partition(|(_, result)| result.is_ok());
        let ids = |mails: Vec<(NotificationId, _)>| mails.into_iter().map(|(id, _)| id).collect();
        if !published.is_empty() {
            fault::point(Point::MailPublished);
            self.store.mark_published(ids(published)).await?;
        }
        if !others.is_empty() {
            let (token, now) = (held.lease.token, UnixMicros::now());
            self.store.release(token, ids(others), now).await?;
        }
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
