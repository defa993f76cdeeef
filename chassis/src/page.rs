//! Pages of a list (AIP-158): sizes, and tokens that are opaque to callers.
//!
//! Invariant: a token continues the very list it was given for. It carries a
//! digest of the filter, so that a token used with another filter is refused
//! rather than answered with rows that belong to neither.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};

use crate::error::{Error, Violation};

/// What a page size of 0 means.
pub const DEFAULT_SIZE: usize = 50;
/// What a larger page size is coerced to (AIP-158).
pub const MAX_SIZE: usize = 1_000;

/// A wish for a page, checked. `Cursor` says where a page starts, for instance
/// the last row's time and id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest<Cursor> {
    /// Rows wanted, 1 to [`MAX_SIZE`].
    pub size: usize,
    /// Where the page before ended; absent for the first.
    pub after: Option<Cursor>,
    filter: u64,
}

/// One page of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<Row> {
    /// At most as many as wanted.
    pub rows: Vec<Row>,
    /// For the next page; empty at the end.
    pub next_page_token: String,
}

impl<Cursor: Serialize + DeserializeOwned> PageRequest<Cursor> {
    /// Reads `page_size` and `page_token` of a request. `filter` is everything
    /// else that the request selects by.
    pub fn parse(
        page_size: i32,
        page_token: &str,
        filter: &impl std::hash::Hash,
    ) -> Result<Self, Error> {
        Self::parse_with_default(page_size, page_token, filter, DEFAULT_SIZE)
    }

    /// As [`Self::parse`], with a size for requests that name none.
    pub fn parse_with_default(
        page_size: i32,
        page_token: &str,
        filter: &impl std::hash::Hash,
        default_size: usize,
    ) -> Result<Self, Error> {
        let filter = digest(filter);
        let mut violations = Vec::new();
        let size = match usize::try_from(page_size) {
            Ok(0) => default_size,
            Ok(size) => size.min(MAX_SIZE),
            Err(_) => {
                violations.push(Violation::new("page_size", "must not be negative"));
                default_size
            }
        };
        let after = if page_token.is_empty() {
            None
        } else {
            match decode::<Cursor>(page_token) {
                Some((of, cursor)) if of == filter => Some(cursor),
                Some(_) => {
                    violations.push(Violation::new(
                        "page_token",
                        "belongs to a list with another filter; start again without it",
                    ));
                    None
                }
                None => {
                    violations.push(Violation::new(
                        "page_token",
                        "is not a token of this list; use nextPageToken as it was given",
                    ));
                    None
                }
            }
        };
        if violations.is_empty() {
            Ok(Self {
                size,
                after,
                filter,
            })
        } else {
            Err(Error::invalid(violations))
        }
    }

    /// How many rows a store should read: one more than wanted tells whether
    /// there is a next page.
    pub const fn rows_to_read(&self) -> i64 {
        // At most MAX_SIZE + 1, so the cast keeps the value.
        #[allow(clippy::cast_possible_wrap)]
        let size = self.size as i64;
        size + 1
    }

    /// Makes a page of the rows read, with the token for the next one.
    pub fn page<Row>(&self, mut rows: Vec<Row>, cursor: impl Fn(&Row) -> Cursor) -> Page<Row> {
        let more = rows.len() > self.size;
        rows.truncate(self.size);
        let next_page_token = match rows.last() {
            Some(last) if more => encode(self.filter, &cursor(last)),
            _ => String::new(),
        };
        Page {
            rows,
            next_page_token,
        }
    }
}

/// FNV-1a: stable across processes and releases, unlike the standard hasher's
/// promise. It guards against mistakes, not against forgery: a forged cursor
/// only starts a list elsewhere.
struct Fnv(u64);

impl std::hash::Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

fn digest(filter: &impl std::hash::Hash) -> u64 {
    let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
    filter.hash(&mut hasher);
    std::hash::Hasher::finish(&hasher)
}

fn encode(filter: u64, cursor: &impl Serialize) -> String {
    // Cursors are plain numbers and texts, which always serialize.
    serde_json::to_vec(&(filter, cursor))
        .map(|json| URL_SAFE_NO_PAD.encode(json))
        .unwrap_or_default()
}

fn decode<Cursor: DeserializeOwned>(token: &str) -> Option<(u64, Cursor)> {
    // No token of ours is longer.
    if token.len() > 512 {
        return None;
    }
    let json = URL_SAFE_NO_PAD.decode(token).ok()?;
    serde_json::from_slice(&json).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(size: i32, token: &str, filter: &str) -> Result<PageRequest<(i64, String)>, Error> {
        PageRequest::parse(size, token, &filter)
    }

    fn fields(error: &Error) -> Vec<&str> {
        error
            .violations()
            .iter()
            .map(|v| v.field.as_str())
            .collect()
    }

    #[test]
    fn sizes_default_and_are_coerced_but_never_negative() {
        assert_eq!(parse(0, "", "").unwrap().size, DEFAULT_SIZE);
        assert_eq!(parse(5_000, "", "").unwrap().size, MAX_SIZE);
        assert_eq!(
            fields(&parse(-1, "!", "").unwrap_err()),
            ["page_size", "page_token"]
        );
    }

    #[test]
    fn a_token_continues_its_own_list_and_no_other() {
        let first = parse(2, "", "user 1").unwrap();
        let rows = vec![
            (9, "a".to_owned()),
            (8, "b".to_owned()),
            (7, "c".to_owned()),
        ];
        let page = first.page(rows, Clone::clone);
        assert_eq!(page.rows.len(), 2);
        let second = parse(2, &page.next_page_token, "user 1").unwrap();
        assert_eq!(second.after, Some((8, "b".to_owned())));
        assert_eq!(
            fields(&parse(2, &page.next_page_token, "user 2").unwrap_err()),
            ["page_token"]
        );
    }

    #[test]
    fn the_last_page_has_no_token() {
        let request = parse(2, "", "").unwrap();
        let page = request.page(vec![(1, String::new()), (2, String::new())], Clone::clone);
        assert_eq!(page.next_page_token, "");
    }

    #[test]
    fn tokens_of_no_list_are_refused() {
        for token in ["x", "%%%", "bnVsbA", &"A".repeat(10_000)] {
            assert_eq!(fields(&parse(1, token, "").unwrap_err()), ["page_token"]);
        }
    }
}
