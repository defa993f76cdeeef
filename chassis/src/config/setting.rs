//! Values that can stand in a configuration, each with words for what it
//! expects.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use secrecy::SecretString;

use crate::db::DatabaseUrl;

/// A value read from text.
pub trait Setting: Sized {
    /// What a valid text looks like, for the error message: "a duration such as
    /// 250ms".
    const EXPECTS: &'static str;

    /// Whether the text must not be shown, neither in errors nor in listings.
    const SECRET: bool = false;

    /// Reads the text, or says nothing: [`Setting::EXPECTS`] says it.
    fn parse(text: &str) -> Option<Self>;
}

macro_rules! from_str {
    ($($type:ty => $expects:literal),* $(,)?) => {$(
        impl Setting for $type {
            const EXPECTS: &'static str = $expects;

            fn parse(text: &str) -> Option<Self> {
                text.parse().ok()
            }
        }
    )*};
}

from_str! {
    u16 => "a whole number from 0 to 65535",
    u32 => "a whole number from 0 to 4294967295",
    u64 => "a whole number from 0",
    usize => "a whole number from 0",
    i32 => "a whole number",
    SocketAddr => "an address such as 127.0.0.1:9092",
    PathBuf => "a path",
    String => "a text",
}

impl Setting for bool {
    const EXPECTS: &'static str = "true or false";

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// `250ms`, `5s`, `2m`, `1h`, `30d`; no unit is refused, because a bare number
/// is read as seconds by some people and as milliseconds by others.
impl Setting for Duration {
    const EXPECTS: &'static str = "a duration with its unit, such as 250ms, 5s, 2m, 1h or 30d";

    fn parse(text: &str) -> Option<Self> {
        let split = text.find(|c: char| !c.is_ascii_digit())?;
        let (number, unit) = text.split_at(split);
        let number: u64 = number.parse().ok()?;
        let millis = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        number.checked_mul(millis).map(Self::from_millis)
    }
}

/// A share between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio(pub f64);

impl Setting for Ratio {
    const EXPECTS: &'static str = "a share from 0 to 1, such as 0.05";

    fn parse(text: &str) -> Option<Self> {
        let share: f64 = text.parse().ok()?;
        (0.0..=1.0).contains(&share).then_some(Self(share))
    }
}

/// Several texts, separated by commas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List(pub Vec<String>);

impl Setting for List {
    const EXPECTS: &'static str = "texts separated by commas";

    fn parse(text: &str) -> Option<Self> {
        let items = text.split(',').map(|item| item.trim().to_owned());
        Some(Self(items.filter(|item| !item.is_empty()).collect()))
    }
}

impl Setting for SecretString {
    const EXPECTS: &'static str = "a secret text";
    const SECRET: bool = true;

    fn parse(text: &str) -> Option<Self> {
        Some(text.into())
    }
}

impl Setting for DatabaseUrl {
    const EXPECTS: &'static str =
        "postgres://user:password@host:port/database or sqlite://path/to/file.db";
    const SECRET: bool = true;

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_carry_their_unit() {
        assert_eq!(Duration::parse("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(Duration::parse("2m"), Some(Duration::from_secs(120)));
        assert_eq!(Duration::parse("30d"), Some(Duration::from_secs(2_592_000)));
        for wrong in [
            "",
            "5",
            "s",
            "-5s",
            "5 s",
            "1.5s",
            "99999999999999999999s",
            "18446744073709551615d",
        ] {
            assert_eq!(Duration::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn ratios_are_shares() {
        assert_eq!(Ratio::parse("0.5"), Some(Ratio(0.5)));
        for wrong in ["1.1", "-0.1", "NaN", "50%"] {
            assert_eq!(Ratio::parse(wrong), None, "{wrong}");
        }
    }
}
