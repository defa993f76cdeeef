//! Trace ids of requests.

use std::{fmt, str::FromStr};

/// The id of a trace (W3C Trace Context, section 3.2.2.3).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TraceId([u8; 16]);

/// A text that is no trace id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 32 lower-case hex digits, not all of them 0")]
pub struct InvalidTraceId;

impl TraceId {
    /// From what a database holds.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// As a database holds it.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl FromStr for TraceId {
    type Err = InvalidTraceId;

    /// A record's header may hold anything, so everything is checked.
    fn from_str(text: &str) -> Result<Self, InvalidTraceId> {
        let hex = |digit: u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != 32 || !text.bytes().all(hex) {
            return Err(InvalidTraceId);
        }
        match u128::from_str_radix(text, 16) {
            Ok(id) if id != 0 => Ok(Self(id.to_be_bytes())),
            _ => Err(InvalidTraceId),
        }
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_written_as_it_was_read() {
        let text = "0af7651916cd43dd8448eb211c80319c";
        assert_eq!(text.parse::<TraceId>().unwrap().to_string(), text);
    }

    #[test]
    fn anything_else_in_the_header_is_no_id() {
        for wrong in [
            "",
            "0",
            "00000000000000000000000000000000",
            "0AF7651916CD43DD8448EB211C80319C",
            "+af7651916cd43dd8448eb211c80319c",
            "0af7651916cd43dd8448eb211c80319g",
            "0af7651916cd43dd8448eb211c80319\0",
            "\u{e9}f7651916cd43dd8448eb211c8031c",
        ] {
            assert_eq!(wrong.parse::<TraceId>(), Err(InvalidTraceId), "{wrong:?}");
        }
    }
}
