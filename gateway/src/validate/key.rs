//! The idempotency key: what makes a retry safe.

use std::str::FromStr;

use proto::limits::MAX_KEY_CHARS;

/// Names one order of one caller for 30 days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IdempotencyKey(String);

/// Not a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {MAX_KEY_CHARS} visible ASCII characters")]
pub(crate) struct InvalidKey;

impl IdempotencyKey {
    /// The key as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for IdempotencyKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        if visible && (1..=MAX_KEY_CHARS).contains(&text.len()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidKey)
        }
    }
}

/// The key within an `Idempotency-Key` header.
///
/// draft-ietf-httpapi-idempotency-key-header makes it a structured field's
/// string (`"abc"`, RFC 8941, section 3.3.3), while most clients in the wild
/// send it bare (`abc`). Both are the key `abc`: a client that learns to quote
/// must not order twice. A key that begins with a quote is read as a string,
/// and one that is no proper string is no key.
pub(crate) fn key_in_header(value: &str) -> Option<String> {
    let Some(quoted) = value.strip_prefix('"') else {
        return Some(value.to_owned());
    };
    let mut key = String::with_capacity(quoted.len());
    let mut characters = quoted.chars();
    loop {
        match characters.next()? {
            '"' => break,
            '\\' => key.push(
                characters
                    .next()
                    .filter(|escaped| matches!(escaped, '"' | '\\'))?,
            ),
            plain => key.push(plain),
        }
    }
    characters.as_str().is_empty().then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_visible_ascii_of_bounded_length() {
        assert!("k".parse::<IdempotencyKey>().is_ok());
        assert!("k".repeat(255).parse::<IdempotencyKey>().is_ok());
        for wrong in ["", "a b", "a\n", "schlüssel", &"k".repeat(256)] {
            assert_eq!(wrong.parse::<IdempotencyKey>(), Err(InvalidKey), "{wrong}");
        }
    }

    #[test]
    fn a_quoted_key_is_the_same_key_as_a_bare_one() {
        assert_eq!(key_in_header("abc").as_deref(), Some("abc"));
        assert_eq!(key_in_header("\"abc\"").as_deref(), Some("abc"));
        assert_eq!(key_in_header(r#""a\"b\\c""#).as_deref(), Some(r#"a"b\c"#));
        assert_eq!(key_in_header(r#"a"b"#).as_deref(), Some(r#"a"b"#));
    }

    #[test]
    fn a_broken_string_is_no_key() {
        for wrong in [r#"""#, r#""abc"#, r#""abc"x"#, r#""a\x""#, r#""a\"#] {
            assert_eq!(key_in_header(wrong), None, "{wrong}");
        }
    }
}
