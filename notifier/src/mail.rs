//! A mail, from written to sent.

use proto::{
    events::v1::NotificationKind,
    id::{NotificationId, OrderId},
    notifier::v1::NotificationStatus,
    private::Email,
    time::UnixMicros,
};

/// A mail that was just written.
#[derive(Debug, Clone)]
pub struct NewMail {
    /// Made of order, kind and line.
    pub id: NotificationId,
    /// The order it is about.
    pub order_id: OrderId,
    /// Who ordered; 1 to 2^53-1.
    pub user_id: i64,
    /// What it says.
    pub kind: NotificationKind,
    /// Index of the order line it is about; absent: the whole order.
    pub line: Option<u16>,
    /// Where it goes.
    pub recipient: Email,
    /// The Message-ID header, angle brackets included.
    pub message_id: String,
    /// What it says.
    pub content: Content,
}

/// What a mail says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// The subject line.
    pub subject: String,
    /// The body as plain text.
    pub text: String,
    /// The body as HTML.
    pub html: String,
}

/// How a mail stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Waiting to be sent, or to be tried again.
    Pending,
    /// Taken by the mail server, or kept.
    Sent,
    /// Refused for good.
    Failed,
}

impl Status {
    /// As a number to store.
    pub const fn number(self) -> i32 {
        match self {
            Self::Pending => 0,
            Self::Sent => 1,
            Self::Failed => 2,
        }
    }

    /// From its stored number.
    pub const fn from_number(number: i32) -> Option<Self> {
        match number {
            0 => Some(Self::Pending),
            1 => Some(Self::Sent),
            2 => Some(Self::Failed),
            _ => None,
        }
    }

    /// From the API's word; `None` stands for all of them.
    pub const fn from_api(status: NotificationStatus) -> Option<Self> {
        match status {
            NotificationStatus::Unspecified => None,
            NotificationStatus::Pending => Some(Self::Pending),
            NotificationStatus::Sent => Some(Self::Sent),
            NotificationStatus::Failed => Some(Self::Failed),
        }
    }
}

impl From<Status> for NotificationStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Pending => Self::Pending,
            Status::Sent => Self::Sent,
            Status::Failed => Self::Failed,
        }
    }
}

/// A mail as it is stored.
#[derive(Debug, Clone)]
pub struct StoredMail {
    /// Made of order, kind and line.
    pub id: NotificationId,
    /// The order it is about.
    pub order_id: OrderId,
    /// Who ordered.
    pub user_id: i64,
    /// What it says, as its number in `ordermesh.events.v1.NotificationKind`.
    pub kind: i32,
    /// Index of the order line it is about.
    pub line: Option<i32>,
    /// How it stands.
    pub status: Status,
    /// Where it goes; personal data.
    pub recipient: Recipient,
    /// The Message-ID header.
    pub message_id: String,
    /// What it says; the bodies are empty in lists.
    pub content: Content,
    /// Attempts so far.
    pub attempts: i32,
    /// What the last failed attempt met; holds no private data.
    pub last_error: String,
    /// When it was written.
    pub created_at: UnixMicros,
    /// When it came to its end.
    pub sent_at: Option<UnixMicros>,
    /// The trace it belongs to.
    pub traceparent: Option<String>,
}

/// A stored address. Prints masked.
#[derive(Clone, PartialEq, Eq)]
pub struct Recipient(pub String);

impl std::fmt::Debug for Recipient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}
