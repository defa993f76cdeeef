//! Who may look at what only operators may see.
//!
//! Invariant: where nobody said who an operator is, nobody is one. The exception is
//! the embedded broker: it is for trying out, on one's own machine.

use std::fmt;

use chassis::{
    config::Setting,
    error::{Error, Reason},
};
use http::{HeaderMap, header};
use sha2::{Digest as _, Sha256};

/// Shorter tokens are guessed.
const SHORTEST: usize = 8;
/// Longer ones do not fit among the headers that a request may have.
const LONGEST: usize = 1_024;

/// The operator's token, as its digest: all that comparing needs.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct OperatorToken([u8; 32]);

impl OperatorToken {
    fn of(text: &[u8]) -> Self {
        Self(Sha256::digest(text).into())
    }

    /// Takes as long whatever was sent: digests tell nothing of how near a guess was,
    /// and all their bytes are compared.
    fn is(&self, other: &Self) -> bool {
        let bytes = self.0.iter().zip(&other.0);
        bytes.fold(0, |differs, (one, two)| differs | (one ^ two)) == 0
    }
}

impl Setting for OperatorToken {
    const EXPECTS: &'static str = "8 to 1024 visible ASCII characters";
    const SECRET: bool = true;

    fn parse(text: &str) -> Option<Self> {
        let fits = (SHORTEST..=LONGEST).contains(&text.len());
        // What can be sent in a header.
        let is_sendable = text.bytes().all(|byte| byte.is_ascii_graphic());
        (fits && is_sendable).then(|| Self::of(text.as_bytes()))
    }
}

impl fmt::Debug for OperatorToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Who is let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Access {
    /// Whoever has the token.
    Token(OperatorToken),
    /// Everybody.
    Open,
    /// Nobody.
    Closed,
}

impl Access {
    /// By the token that was set, if one was.
    pub(crate) fn new(token: Option<OperatorToken>, is_embedded: bool) -> Self {
        match token {
            Some(token) => Self::Token(token),
            None if is_embedded => Self::Open,
            None => Self::Closed,
        }
    }

    /// Lets a request in, or says why not.
    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<(), Error> {
        match self {
            Self::Open => Ok(()),
            Self::Closed => Err(Error::new(
                Reason::PermissionDenied,
                "this is for operators, and the gateway knows none: set \
                 GATEWAY__OPERATOR_TOKEN to open it",
            )),
            Self::Token(token) => match sent(headers) {
                Some(sent) if token.is(&OperatorToken::of(sent)) => Ok(()),
                Some(_) => Err(unknown("this is not the operator's token")),
                None => Err(unknown(
                    "this is for operators: send authorization: Bearer and the operator's token",
                )),
            },
        }
    }
}

fn unknown(message: &'static str) -> Error {
    Error::new(Reason::Unauthenticated, message)
}

/// The bearer token of a request (RFC 6750, section 2.1); `None` if there is not
/// exactly one.
fn sent(headers: &HeaderMap) -> Option<&[u8]> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next()?.as_bytes();
    if values.next().is_some() {
        return None;
    }
    let space = value.iter().position(|byte| *byte == b' ')?;
    let (scheme, token) = value.split_at(space);
    scheme
        .eq_ignore_ascii_case(b"bearer")
        .then(|| token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn with(values: &[&str]) -> HeaderMap {
        let values = values.iter().map(|value| {
            let value = HeaderValue::from_str(value).unwrap();
            (header::AUTHORIZATION, value)
        });
        values.collect()
    }

    fn reason(access: &Access, values: &[&str]) -> Option<Reason> {
        let error = access.check(&with(values)).err();
        error.map(|error| error.reason())
    }

    #[test]
    fn a_token_lets_in_who_sends_it_and_nobody_else() {
        let access = Access::new(OperatorToken::parse("s3cret-token"), true);
        for fine in [
            "Bearer s3cret-token",
            "bearer s3cret-token",
            "BEARER  s3cret-token",
        ] {
            assert_eq!(reason(&access, &[fine]), None, "{fine}");
        }
        for wrong in [
            &[][..],
            &["s3cret-token"],
            &["Basic s3cret-token"],
            &["Bearer"],
            &["Bearer "],
            &["Bearer s3cret-toke"],
            &["Bearer s3cret-token2"],
            &["Bearer s3cret-token", "Bearer s3cret-token"],
        ] {
            let reason = reason(&access, wrong);
            assert_eq!(reason, Some(Reason::Unauthenticated), "{wrong:?}");
        }
    }

    #[test]
    fn without_a_token_only_the_embedded_broker_is_open() {
        assert_eq!(reason(&Access::new(None, true), &[]), None);
        let closed = Access::new(None, false);
        assert_eq!(
            reason(&closed, &["Bearer x"]),
            Some(Reason::PermissionDenied)
        );
    }

    #[test]
    fn tokens_can_be_sent_and_never_print() {
        for wrong in ["", "short", "with space", "tschüss-du", &"x".repeat(1_025)] {
            assert_eq!(OperatorToken::parse(wrong), None, "{wrong}");
        }
        let token = OperatorToken::parse("s3cret-token");
        assert_eq!(format!("{token:?}"), "Some([redacted])");
    }
}
