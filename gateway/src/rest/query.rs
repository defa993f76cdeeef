//! Query parameters.
//!
//! Invariant: every parameter is read or told. As with bodies, all that is
//! wrong is told together: unknown parameters, doubled ones, and values that
//! break a rule.

use std::{fmt::Display, str::FromStr, time::Duration};

use axum::extract::Query;
use chassis::{config::Setting as _, error::Error};
use http::Uri;
use proto::id::OrderId;

use super::types::{TIME_RULE, parse_time};
use crate::validate::{Name, Naming, Path, Violations};

/// Longest wait that a request may ask for. Below the usual 60 s at which
/// proxies give up on an answer.
pub(crate) const MAX_WAIT: Duration = Duration::from_secs(30);

/// A page as a caller wishes it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PageWish {
    /// 0: the default.
    pub(crate) size: i32,
    /// Empty for the first.
    pub(crate) token: String,
}

/// The parameters of one request. Take every known one, then [`finish`] it.
///
/// [`finish`]: Params::finish
pub(crate) struct Params {
    pairs: Vec<(String, String)>,
    violations: Violations,
}

impl Params {
    /// The parameters of an address.
    pub(crate) fn of(uri: &Uri) -> Self {
        let mut violations = Violations::new(Naming::Json);
        let pairs = Query::try_from_uri(uri).map(|Query(pairs)| pairs);
        let rule = "must be name=value pairs";
        let pairs = violations.check(Path::Root.unknown("query"), pairs.map_err(|_| rule));
        let pairs = pairs.unwrap_or_default();
        Self { pairs, violations }
    }

    fn take(&mut self, name: &'static str) -> Option<String> {
        let mut found = self.pairs.extract_if(.., |(field, _)| field == name);
        let value = found.next().map(|(_, value)| value);
        if found.count() > 0 {
            self.wrong(name, "is given more than once");
            return None;
        }
        value
    }

    /// Notes that a parameter, or a part of the path, breaks a rule.
    fn wrong(&mut self, name: &'static str, rule: impl Display) {
        self.violations
            .add(Path::Root.field(Name::same(name)), rule);
    }

    fn read<T>(
        &mut self,
        name: &'static str,
        rule: impl Display,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.take(name)?;
        let value = parse(&text);
        if value.is_none() {
            self.wrong(name, rule);
        }
        value
    }

    /// A part of the path. What cannot be read is told, and `None`.
    pub(crate) fn path<T>(&mut self, name: &'static str, text: &str) -> Option<T>
    where
        T: FromStr<Err: Display>,
    {
        text.parse().map_err(|error| self.wrong(name, error)).ok()
    }

    /// An order's id in the path.
    pub(crate) fn order_id(&mut self, text: &str) -> Option<OrderId> {
        self.path("orderId", text)
    }

    /// A user's or product's id in the path.
    pub(crate) fn number_id<T>(&mut self, name: &'static str, text: &str) -> Option<T>
    where
        T: TryFrom<i64, Error: Display>,
    {
        // What is no number is outside of every range, and told the same.
        let number = text.parse().unwrap_or(0);
        T::try_from(number)
            .map_err(|error| self.wrong(name, error))
            .ok()
    }

    /// A user's or product's id.
    pub(crate) fn id<T>(&mut self, name: &'static str) -> Option<T>
    where
        T: TryFrom<i64, Error: Display>,
    {
        let text = self.take(name)?;
        self.number_id(name, &text)
    }

    /// `pageSize` and `pageToken` (AIP-158).
    pub(crate) fn page(&mut self) -> PageWish {
        let rule = "must be a whole number from 0; 0 means the default, above 1000 means 1000";
        let size = self.read("pageSize", rule, |text| {
            let size: u64 = text.parse().ok()?;
            Some(i32::try_from(size).unwrap_or(i32::MAX))
        });
        let token = self.take("pageToken").unwrap_or_default();
        PageWish {
            size: size.unwrap_or_default(),
            token,
        }
    }

    /// How many are wished, where there is one page only.
    pub(crate) fn page_size(&mut self, default: usize, most: usize) -> usize {
        let rule =
            format!("must be a whole number from 0; 0 means {default}, above {most} means {most}");
        let size = self.read("pageSize", rule, |text| text.parse::<u64>().ok());
        match size.map(|size| usize::try_from(size).unwrap_or(most)) {
            None | Some(0) => default,
            Some(size) => size.min(most),
        }
    }

    /// A time.
    pub(crate) fn time(&mut self, name: &'static str) -> Option<prost_types::Timestamp> {
        self.read(name, TIME_RULE, parse_time).map(Into::into)
    }

    /// A text, checked by whoever gets it.
    pub(crate) fn text(&mut self, name: &'static str) -> Option<String> {
        self.take(name)
    }

    /// One of several names.
    pub(crate) fn one_of<T>(
        &mut self,
        name: &'static str,
        names: &[&str],
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        self.read(
            name,
            format_args!("must be one of {}", names.join(", ")),
            parse,
        )
    }

    /// How long to hold the answer back; zero when nothing is said.
    pub(crate) fn wait(&mut self) -> Duration {
        let rule = "must be a duration of at most 30s with its unit, such as 5s or 500ms";
        let wait = self.read("wait", rule, |text| {
            Duration::parse(text).filter(|wait| *wait <= MAX_WAIT)
        });
        wait.unwrap_or_default()
    }

    /// The value, if nothing is wrong and no parameter is left over.
    pub(crate) fn finish<T>(mut self, value: Option<T>) -> Result<T, Error> {
        for (name, _) in &self.pairs {
            self.violations
                .add(Path::Root.unknown(name), "is not a parameter here");
        }
        self.violations.finish(value)
    }
}

#[cfg(test)]
mod tests {
    use proto::id::UserId;

    use super::*;

    fn params(query: &str) -> Params {
        Params::of(&format!("/path?{query}").parse().unwrap())
    }

    fn fields(result: Result<(), Error>) -> Vec<String> {
        result
            .unwrap_err()
            .violations()
            .iter()
            .map(|v| v.field.clone())
            .collect()
    }

    #[test]
    fn all_that_is_wrong_is_told_together() {
        let mut params = params("pageSize=-1&wait=31s&colour=red&until=now&until=then");
        params.page();
        params.wait();
        params.one_of("until", &["stored"], |_| Some(()));
        assert_eq!(
            fields(params.finish(Some(()))),
            ["pageSize", "wait", "until", "colour"]
        );
    }

    #[test]
    fn pages_have_sizes_from_0_and_any_token() {
        let mut params = params("pageSize=99999999999&pageToken=a%2Bb");
        let page = PageWish {
            size: i32::MAX,
            token: "a+b".to_owned(),
        };
        assert_eq!(params.page(), page);
        params.finish(Some(())).unwrap();
    }

    #[test]
    fn waits_carry_their_unit_and_are_bounded() {
        for (text, wait) in [("5s", 5_000), ("500ms", 500), ("30s", 30_000), ("0s", 0)] {
            let mut params = params(&format!("wait={text}"));
            assert_eq!(params.wait(), Duration::from_millis(wait));
            params.finish(Some(())).unwrap();
        }
        for wrong in ["5", "soon", "31s", "1h", "-1s", ""] {
            let mut params = params(&format!("wait={wrong}"));
            params.wait();
            assert_eq!(fields(params.finish(Some(()))), ["wait"], "{wrong}");
        }
    }

    #[test]
    fn parts_of_the_path_are_told_like_parameters() {
        let mut params = params("");
        let id: Option<UserId> = params.number_id("userId", "nobody");
        let order = params.order_id("no-uuid");
        assert_eq!((id, order), (None, None));
        assert_eq!(fields(params.finish(Some(()))), ["userId", "orderId"]);
    }
}
