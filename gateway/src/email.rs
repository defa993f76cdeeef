//! The mail address of users who gave none.

use std::sync::Arc;

use chassis::config::Setting;
use proto::{id::UserId, limits::MAX_ID, private::Email};

/// Stands for the user's id.
const USER_ID: &str = "{userId}";

/// A mail address with a user's id in it.
///
/// Invariant: it gives a valid address for every user, because it does for the
/// shortest and for the longest id, and between those only digits differ.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EmailPattern {
    before: Arc<str>,
    after: Arc<str>,
}

impl EmailPattern {
    /// This user's address.
    pub(crate) fn of(&self, user: UserId) -> Email {
        address(&self.before, user.get(), &self.after).expect("valid for the longest id")
    }
}

fn address(before: &str, id: i64, after: &str) -> Option<Email> {
    format!("{before}{id}{after}").parse().ok()
}

impl Setting for EmailPattern {
    const EXPECTS: &'static str = "a mail address with {userId} in it once";

    fn parse(text: &str) -> Option<Self> {
        let (before, after) = text.split_once(USER_ID)?;
        if after.contains(USER_ID) {
            return None;
        }
        address(before, 1, after)?;
        address(before, MAX_ID, after)?;
        Some(Self {
            before: before.into(),
            after: after.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_user_has_an_address() {
        let pattern = EmailPattern::parse("user{userId}@customers.example").unwrap();
        for (id, address) in [
            (42, "user42@customers.example"),
            (MAX_ID, "user9007199254740991@customers.example"),
        ] {
            assert_eq!(pattern.of(id.try_into().unwrap()).expose(), address);
        }
    }

    #[test]
    fn a_pattern_that_could_fail_for_some_user_is_refused() {
        // A local part is at most 64 octets: room for the id 1, not for 2^53-1.
        let crowded = format!("{}{{userId}}@customers.example", "x".repeat(60));
        for wrong in [
            "user@customers.example",
            "{userId}",
            "{userId}@{userId}.example",
            &crowded,
        ] {
            assert_eq!(EmailPattern::parse(wrong), None, "{wrong}");
        }
    }
}
