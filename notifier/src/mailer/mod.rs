//! The port to a mail server, its two adapters, and what measures them.

mod keep;
mod measured;
mod smtp;

use async_trait::async_trait;

pub use keep::Keep;
pub use measured::Measured;
pub use smtp::{Smtp, SmtpOptions, SmtpServer, TlsError};

use crate::mail::StoredMail;

/// Hands mails to a server.
#[async_trait]
pub trait Mailer: Send + Sync + 'static {
    /// Sends one mail. Ends within a bound of its own.
    async fn send(&self, mail: &StoredMail) -> Sent;

    /// Whether the server would take a mail now; if not, why. Ends within the
    /// same bound.
    async fn probe(&self) -> Result<(), String>;
}

/// How sending went. Texts hold no private data: servers like to quote the
/// address, so only their codes are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// The server took it.
    Taken,
    /// The server does not want this mail now (SMTP 4xx); try again later.
    Deferred(String),
    /// The server refuses this mail for good (SMTP 5xx), or it cannot be a mail.
    Refused(String),
    /// The server ended the dialogue, or fell silent, after it was told of this
    /// mail. It may have taken it; and it may do so again because of this mail.
    Lost(String),
    /// The server was not told of this mail: it could not be reached, or does not
    /// let us in.
    Unreachable(String),
}
