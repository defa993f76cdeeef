//! Payments and mails.

use chassis::error::Error;
use proto::{notifier, payments};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Time, all,
    names::{DeclineCode, NotificationKind, NotificationStatus, PaymentStatus},
    order::declined,
};

/// One payment.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Payment {
    /// UUID.
    payment_id: String,
    /// The order that is paid for.
    order_id: String,
    /// Who ordered; 1 to 2^53-1.
    user_id: i64,
    /// In minor units; 0 to 10^12.
    amount: i64,
    /// ISO 4217 code.
    #[schema(example = "USD")]
    currency_code: String,
    /// How it stands.
    status: PaymentStatus,
    /// Why it was declined; null unless it was.
    #[schema(required = true)]
    decline_code: Option<DeclineCode>,
    /// The provider's own id of the charge; empty while pending.
    provider_reference: String,
    /// When the intent was written.
    created_at: Time,
    /// When the provider answered for good; null while pending.
    #[schema(required = true)]
    settled_at: Option<Time>,
}

impl TryFrom<payments::v1::Payment> for Payment {
    type Error = Error;

    fn try_from(payment: payments::v1::Payment) -> Result<Self, Error> {
        Ok(Self {
            status: payment.status().into(),
            decline_code: declined(payment.decline_code()),
            payment_id: payment.payment_id,
            order_id: payment.order_id,
            user_id: payment.user_id,
            amount: payment.amount,
            currency_code: payment.currency_code,
            provider_reference: payment.provider_reference,
            created_at: Time::of(payment.created_at)?,
            settled_at: Time::maybe(payment.settled_at),
        })
    }
}

/// One mail. Where it goes is not told: whoever knows an order's id can look at
/// its mails.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Notification {
    /// UUID.
    notification_id: String,
    /// The order it is about.
    order_id: String,
    /// Who ordered; 1 to 2^53-1.
    user_id: i64,
    /// What it says.
    kind: NotificationKind,
    /// Index of the order line it is about, from 0; null: the whole order.
    #[schema(required = true)]
    line: Option<i32>,
    /// How it stands.
    status: NotificationStatus,
    /// The Message-ID header (RFC 5322), the same at every attempt.
    message_id: String,
    /// The subject line.
    subject: String,
    /// Attempts so far.
    attempts: i32,
    /// What the mail server said to the last failed attempt; empty: none failed.
    last_error: String,
    /// When it was written.
    created_at: Time,
    /// When it came to its end; null while pending.
    #[schema(required = true)]
    sent_at: Option<Time>,
}

impl TryFrom<notifier::v1::Notification> for Notification {
    type Error = Error;

    fn try_from(notification: notifier::v1::Notification) -> Result<Self, Error> {
        Ok(Self {
            kind: notification.kind().into(),
            status: notification.status().into(),
            notification_id: notification.notification_id,
            order_id: notification.order_id,
            user_id: notification.user_id,
            line: notification.line,
            message_id: notification.message_id,
            subject: notification.subject,
            attempts: notification.attempts,
            last_error: notification.last_error,
            created_at: Time::of(notification.created_at)?,
            sent_at: Time::maybe(notification.sent_at),
        })
    }
}

/// One mail with its text.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Mail {
    #[serde(flatten)]
    notification: Notification,
    /// What it says, as plain text.
    text_body: String,
}

impl TryFrom<notifier::v1::Notification> for Mail {
    type Error = Error;

    fn try_from(mut mail: notifier::v1::Notification) -> Result<Self, Error> {
        Ok(Self {
            text_body: std::mem::take(&mut mail.text_body),
            notification: mail.try_into()?,
        })
    }
}

/// A page of mails, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NotificationPage {
    /// At most `pageSize` mails.
    pub(crate) notifications: Vec<Notification>,
    /// For the next page; empty at the end.
    next_page_token: String,
}

impl TryFrom<notifier::v1::ListNotificationsResponse> for NotificationPage {
    type Error = Error;

    fn try_from(page: notifier::v1::ListNotificationsResponse) -> Result<Self, Error> {
        Ok(Self {
            notifications: all(page.notifications)?,
            next_page_token: page.next_page_token,
        })
    }
}
