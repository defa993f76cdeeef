//! A received message.

use mail_parser::{Address, Message, MessageParser, PartType};

/// One message as the sink took it: the envelope, the bytes, and what tests ask
/// for most, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The envelope's sender (MAIL FROM), empty for a bounce.
    pub from: String,
    /// The envelope's recipients (RCPT TO), in order.
    pub to: Vec<String>,
    /// The `Message-ID` without its angle brackets.
    pub message_id: Option<String>,
    /// The `Subject`, with encoded words decoded.
    pub subject: Option<String>,
    /// The addresses of the `To` header.
    pub header_to: Vec<String>,
    /// The plain-text part, decoded from its transfer encoding and charset.
    pub text: Option<String>,
    /// The HTML part, decoded likewise.
    pub html: Option<String>,
    /// The message byte for byte, without the dots of SMTP's own.
    pub raw: Vec<u8>,
}

impl Mail {
    pub(super) fn new(from: String, to: Vec<String>, raw: Vec<u8>) -> Self {
        // The parser takes anything that has a header at all.
        let message = MessageParser::default().parse(&raw).unwrap_or_default();
        Self {
            from,
            to,
            message_id: message.message_id().map(str::to_owned),
            subject: message.subject().map(str::to_owned),
            header_to: message.to().map(addresses).unwrap_or_default(),
            text: first(&message, |part| match part {
                PartType::Text(text) => Some(text.to_string()),
                _ => None,
            }),
            html: first(&message, |part| match part {
                PartType::Html(html) => Some(html.to_string()),
                _ => None,
            }),
            raw,
        }
    }

    /// The value of a header as it was sent, if there is one of this name.
    pub fn header(&self, name: &str) -> Option<String> {
        let message = MessageParser::default().parse(&self.raw)?;
        message
            .header_raw(name)
            .map(|value| value.trim().to_owned())
    }
}

fn first<T>(message: &Message<'_>, pick: impl Fn(&PartType<'_>) -> Option<T>) -> Option<T> {
    message.parts.iter().find_map(|part| pick(&part.body))
}

fn addresses(header: &Address<'_>) -> Vec<String> {
    header
        .iter()
        .filter_map(|mailbox| mailbox.address().map(str::to_owned))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_headers_are_decoded() {
        let raw = "From: shop@ordermesh.example\r\n\
             To: Ann <ann@example.com>, bob@example.com\r\n\
             Subject: =?utf-8?q?Bestellung_best=C3=A4tigt?=\r\n\
             Message-ID: <order.1@ordermesh.example>\r\n\
             X-Folded: one\r\n two\r\n\
             Content-Type: multipart/alternative; boundary=b\r\n\r\n\
             --b\r\nContent-Type: text/plain; charset=utf-8\r\n\
             Content-Transfer-Encoding: quoted-printable\r\n\r\n\
             9,99 =E2=82=AC\r\n\
             --b\r\nContent-Type: text/html; charset=utf-8\r\n\
             Content-Transfer-Encoding: base64\r\n\r\n\
             PGI+b2s8L2I+\r\n--b--\r\n";
        let mail = Mail::new(String::new(), Vec::new(), raw.into());
        assert_eq!(mail.subject.as_deref(), Some("Bestellung bestätigt"));
        assert_eq!(
            mail.message_id.as_deref(),
            Some("order.1@ordermesh.example")
        );
        assert_eq!(mail.header_to, ["ann@example.com", "bob@example.com"]);
        assert_eq!(mail.text.as_deref().map(str::trim), Some("9,99 €"));
        assert_eq!(mail.html.as_deref(), Some("<b>ok</b>"));
        assert_eq!(mail.header("x-folded").as_deref(), Some("one\r\n two"));
        assert_eq!(mail.header("X-Missing"), None);
    }

    #[test]
    fn a_message_without_headers_is_kept_all_the_same() {
        let mail = Mail::new(String::new(), Vec::new(), b"\r\n".to_vec());
        assert_eq!(mail.message_id, None);
        assert_eq!(mail.raw, b"\r\n");
    }
}
