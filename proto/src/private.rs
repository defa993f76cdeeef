//! Values that must not be seen: they print masked, and are told apart from
//! plain text by their type.

use std::{fmt, str::FromStr};

use email_address::{EmailAddress, Options};

use crate::limits::{MAX_EMAIL_OCTETS, MAX_TOKEN_CHARS};

/// Why a private value is refused. Never quotes the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPrivate {
    /// Not a mail address.
    #[error("must be a mail address such as jane@example.com, without a display name")]
    Email,
    /// Too long, or with characters other than visible ASCII.
    #[error("must be 1 to 200 visible ASCII characters")]
    PaymentToken,
}

macro_rules! masked {
    ($name:ident) => {
        impl $name {
            /// The plain text. Every use of this is a place to look at when
            /// asking where private data goes.
            pub fn expose(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("[redacted]")
            }
        }
    };
}

/// A mail address without display name: what RFC 5321 calls a mailbox. It holds
/// no control characters, so it cannot break out of a mail's header.
#[derive(Clone, PartialEq, Eq)]
pub struct Email(String);

masked!(Email);

impl FromStr for Email {
    type Err = InvalidPrivate;

    fn from_str(text: &str) -> Result<Self, InvalidPrivate> {
        let options = Options::default().without_display_text();
        let fits = text.len() <= MAX_EMAIL_OCTETS && !text.chars().any(char::is_control);
        if fits && EmailAddress::parse_with_options(text, options).is_ok() {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidPrivate::Email)
        }
    }
}

/// Stands for a payment method at the payment provider.
#[derive(Clone, PartialEq, Eq)]
pub struct PaymentToken(String);

masked!(PaymentToken);

impl FromStr for PaymentToken {
    type Err = InvalidPrivate;

    fn from_str(text: &str) -> Result<Self, InvalidPrivate> {
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        if visible && (1..=MAX_TOKEN_CHARS).contains(&text.len()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidPrivate::PaymentToken)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_could_inject_a_header_are_refused() {
        for wrong in [
            "",
            "jane",
            "jane@",
            "@example.com",
            "jane@example.com\r\nBcc: all@example.com",
            "jane@example.com\n",
            "Jane <jane@example.com>",
            "<jane@example.com>",
            "a@b@c.example",
            "jane doe@example.com",
        ] {
            assert_eq!(
                wrong.parse::<Email>(),
                Err(InvalidPrivate::Email),
                "{wrong:?}"
            );
        }
        assert!("jane.o'hara+shop@mail.example.com".parse::<Email>().is_ok());
        assert!(
            format!("{}@example.com", "x".repeat(300))
                .parse::<Email>()
                .is_err()
        );
    }

    #[test]
    fn private_values_print_masked() {
        let email: Email = "jane@example.com".parse().unwrap();
        let token: PaymentToken = "tok_visa".parse().unwrap();
        assert_eq!(format!("{email:?} {token:?}"), "[redacted] [redacted]");
    }
}
