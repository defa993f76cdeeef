//! Sends mails over SMTP, on connections that are kept.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    address::Envelope,
    message::{
        Mailbox, MultiPart,
        header::{HeaderName, HeaderValue},
    },
    transport::smtp::{Error as TransportError, PoolConfig},
};
use secrecy::{ExposeSecret as _, SecretString};

use super::{Mailer, Sent};
use crate::mail::StoredMail;

/// How to reach the mail server.
#[derive(Debug, Clone)]
pub struct SmtpOptions {
    /// `smtp://`, `smtps://`, with user and password where needed;
    /// `smtp://host:587?tls=required` for STARTTLS.
    pub url: SecretString,
    /// Who the mails are from, such as `Shop <orders@shop.example>`.
    pub from: Mailbox,
    /// How long one mail may take, connecting included.
    pub timeout: Duration,
    /// Connections that are kept.
    pub connections: u32,
}

impl SmtpOptions {
    /// Whether the URL can be one. Connecting needs a runtime; this does not.
    pub fn check(&self) -> Result<(), SmtpError> {
        let url = self.url.expose_secret();
        match url.split_once("://") {
            Some(("smtp" | "smtps", rest)) if !rest.is_empty() => Ok(()),
            _ => Err(SmtpError),
        }
    }
}

/// The URL is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be smtp://host:port or smtps://user:password@host:port")]
pub struct SmtpError;

/// Sends over SMTP.
#[derive(Debug)]
pub struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    timeout: Duration,
}

impl Smtp {
    /// Connects when there is something to send.
    pub fn new(options: SmtpOptions) -> Result<Self, SmtpError> {
        let pool = PoolConfig::new().max_size(options.connections);
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(options.url.expose_secret())
            .map_err(|_| SmtpError)?
            .pool_config(pool)
            .timeout(Some(options.timeout))
            .build();
        Ok(Self {
            transport,
            from: options.from,
            timeout: options.timeout,
        })
    }

    fn message(&self, mail: &StoredMail) -> Option<(Envelope, Vec<u8>)> {
        let to: Mailbox = mail.recipient.0.parse().ok()?;
        let written = u64::try_from(mail.created_at.as_micros()).unwrap_or(0);
        let message = Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(mail.content.subject.as_str())
            .message_id(Some(mail.message_id.clone()))
            // When it was written, the same at every attempt.
            .date(SystemTime::UNIX_EPOCH + Duration::from_micros(written))
            // No auto-reply should come back (RFC 3834, section 5).
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ))
            .multipart(MultiPart::alternative_plain_html(
                mail.content.text.clone(),
                mail.content.html.clone(),
            ))
            .ok()?;
        Some((message.envelope().clone(), message.formatted()))
    }
}

#[async_trait]
impl Mailer for Smtp {
    async fn send(&self, mail: &StoredMail) -> Sent {
        let Some((envelope, bytes)) = self.message(mail) else {
            return Sent::Refused("its address or text cannot be put into a mail".to_owned());
        };
        let sending = self.transport.send_raw(&envelope, &bytes);
        match tokio::time::timeout(self.timeout, sending).await {
            Ok(Ok(_)) => Sent::Taken,
            Ok(Err(error)) => classify(&error),
            Err(_) => Sent::Unreachable(format!(
                "the mail server did not answer in {:?}",
                self.timeout
            )),
        }
    }
}

/// By what helps. The server's words stay out: they may quote the address.
fn classify(error: &TransportError) -> Sent {
    let code = error.status().map(|code| code.to_string());
    match code {
        Some(code) if error.is_permanent() => {
            Sent::Refused(format!("the mail server refused it for good (SMTP {code})"))
        }
        Some(code) => Sent::Deferred(format!("the mail server put it off (SMTP {code})")),
        None if error.is_timeout() => {
            Sent::Unreachable("the mail server stopped answering".to_owned())
        }
        None => Sent::Unreachable("the mail server could not be reached".to_owned()),
    }
}
