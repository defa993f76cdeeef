//! A mail as the bytes that go over the wire (RFC 5322).
//!
//! Invariant: what a caller sent adds no header and no recipient. A mail has the one
//! recipient that was stored, character by character; a subject is one header,
//! encoded where it is more than plain words.

use std::time::{Duration, SystemTime};

use lettre::{
    Address, Message,
    address::Envelope,
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
        // As an address, not as a mailbox: that reads display names too, and takes the
        // quotes off a local part which is none without them.
        let to: Address = mail.recipient.0.parse().ok()?;
        // Otherwise it is read back from the headers, with the same losses.
        let envelope = Envelope::new(Some(from.email.clone()), vec![to.clone()]).ok()?;
        let written = u64::try_from(mail.created_at.as_micros()).unwrap_or(0);
        let message = Message::builder()
            .envelope(envelope)
            .from(from.clone())
            .to(Mailbox::new(None, to.clone()))
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
            to,
            bytes: message.formatted(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proto::{
        events::v1::NotificationKind,
        id::{NotificationId, OrderId},
        private::Email,
        time::UnixMicros,
    };

    use super::*;
    use crate::mail::{Content, Recipient, Status};

    /// What every mail of ours has, and nothing else.
    const HEADERS: [&str; 8] = [
        "From",
        "To",
        "Subject",
        "Message-ID",
        "Date",
        "Auto-Submitted",
        "MIME-Version",
        "Content-Type",
    ];

    fn mail(recipient: &str, subject: &str) -> StoredMail {
        let order_id = OrderId::random();
        let kind = NotificationKind::OrderConfirmation;
        let id = NotificationId::of(order_id, kind, None);
        StoredMail {
            id,
            order_id,
            user_id: 42,
            kind: kind.into(),
            line: None,
            status: Status::Pending,
            recipient: Recipient(recipient.to_owned()),
            message_id: format!("<{id}@mail.example>"),
            content: Content {
                subject: subject.to_owned(),
                text: "Hello\n.\nRCPT TO:<all@example.com>\n".to_owned(),
                html: "<p>Hello</p>".to_owned(),
            },
            attempts: 0,
            last_error: String::new(),
            created_at: UnixMicros::from_micros(1_769_860_800_000_000),
            sent_at: None,
            traceparent: None,
        }
    }

    /// The headers of a letter, unfolded (RFC 5322, section 2.2.3).
    fn headers(letter: &Letter) -> Vec<(String, String)> {
        let text = std::str::from_utf8(&letter.bytes).unwrap();
        let (head, _) = text.split_once("\r\n\r\n").unwrap();
        let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
        let lines = unfolded.split("\r\n").map(|line| {
            assert!(!line.contains(['\r', '\n']), "{line:?}");
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_owned(), value.to_owned())
        });
        lines.collect()
    }

    fn letter(mail: &StoredMail) -> Option<Letter> {
        Letter::of(mail, &"Shop <shop@example.com>".parse().unwrap())
    }

    fn value(letter: &Letter, name: &str) -> String {
        let mut found = headers(letter).into_iter().filter(|(of, _)| of == name);
        let (_, value) = found.next().unwrap();
        assert_eq!(found.next(), None, "one {name}");
        value
    }

    #[test]
    fn every_address_that_an_order_may_have_is_the_only_recipient_as_it_is() {
        for address in [
            "jane@example.com",
            "j.o'hara+{shop}@example.com",
            r#""<b>x</b>"@example.com"#,
            r#""<img src=x onerror=alert(1)>"@example.com"#,
            r#""a@b.example,all"@example.com"#,
            r#""jane"@example.com"#,
            r#""a\"b\\c"@example.com"#,
            "jürgen@bücher.example",
        ] {
            let email: Email = address.parse().unwrap();
            let letter = letter(&mail(email.expose(), "Hello")).unwrap();
            assert_eq!(letter.to.to_string(), address);
            assert_eq!(value(&letter, "To"), address);
            let names: Vec<_> = headers(&letter).into_iter().map(|(name, _)| name).collect();
            assert_eq!(names, HEADERS, "{address}");
        }
    }

    #[test]
    fn what_is_no_address_is_no_letter() {
        for wrong in [
            "jane@example.com\r\nBcc: all@example.com",
            "jane@example.com, all@example.com",
            "Jane <jane@example.com>",
            "\"jane\r\nBcc: all\"@example.com",
            "jane@example.com>\r\nDATA",
            "",
        ] {
            assert!(letter(&mail(wrong, "Hello")).is_none(), "{wrong:?}");
        }
    }

    #[test]
    fn a_subject_is_one_header_whatever_is_in_it() {
        for subject in [
            "Your order of <img src=x onerror=alert(1)> is confirmed",
            "Hello\r\nBcc: all@example.com",
            "Hello\nBcc: all@example.com\n\n<script>",
            "Hello\rBcc: all@example.com",
            "=?utf-8?q?Hello=0D=0ABcc:_all@example.com?=",
            &"unbroken".repeat(25),
            &"ü 🐯\u{2028}".repeat(60),
        ] {
            let letter = letter(&mail("jane@example.com", subject)).unwrap();
            let names: Vec<_> = headers(&letter).into_iter().map(|(name, _)| name).collect();
            assert_eq!(names, HEADERS, "{subject:?}");
            assert_eq!(value(&letter, "To"), "jane@example.com");
        }
    }
}
