//! A mail as the bytes that go over the wire (RFC 5322).

use std::time::{Duration, SystemTime};

use lettre::{
    Address, Message,
    message::{
        Mailbox, MultiPart,
        header::{HeaderName, HeaderValue},
    },
};

use crate::mail::StoredMail;

/// What a server is told of a mail.
#[derive(Debug)]
pub(super) struct Letter {
    pub(super) to: Address,
    pub(super) bytes: Vec<u8>,
}

impl Letter {
    /// Whether a server without SMTPUTF8 can be told of it.
    pub(super) fn is_ascii(&self) -> bool {
        <Address as AsRef<str>>::as_ref(&self.to).is_ascii()
    }

    /// The same bytes at every attempt, but for the boundary between the parts.
    /// Nothing when the address is none.
    pub(super) fn of(mail: &StoredMail, from: &Mailbox) -> Option<Self> {
        let to: Mailbox = mail.recipient.0.parse().ok()?;
        let written = u64::try_from(mail.created_at.as_micros()).unwrap_or(0);
        let message = Message::builder()
            .from(from.clone())
            .to(to.clone())
            .subject(mail.content.subject.as_str())
            .message_id(Some(mail.message_id.clone()))
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
        Some(Self {
            to: to.email,
            bytes: message.formatted(),
        })
    }
}
