//! Arguments of `ordermesh dlq`.

use std::{collections::BTreeSet, str::FromStr, time::Duration};

use chassis::{
    config::Setting as _,
    kafka::dead_letters::{self, DeadLetter},
};
use clap::{Args, builder::PossibleValuesParser};
use jiff::Timestamp;

use crate::layout::CONSUMERS;

/// Which dead letters are meant. Everything that is given must hold.
#[derive(Debug, Default, Args)]
pub(crate) struct Filter {
    /// Letters by their ids, as `list` shows them.
    #[arg(value_name = "ID")]
    pub(crate) ids: Vec<LetterId>,
    /// Only of this service; several times for several.
    #[arg(long, value_parser = PossibleValuesParser::new(CONSUMERS))]
    pub(crate) service: Vec<String>,
    /// Only of this error class; several times for several.
    #[arg(long, value_parser = PossibleValuesParser::new(DeadLetter::classes()))]
    pub(crate) class: Vec<String>,
    /// Only of records with this key: an order's id, for user events the user's.
    #[arg(long)]
    pub(crate) key: Option<String>,
    /// Only of records that first stood on this topic.
    #[arg(long)]
    pub(crate) topic: Option<String>,
    /// Only given up since then: a time such as 2026-11-01T08:00:00Z, or how long
    /// ago, such as 2h.
    #[arg(long, value_name = "WHEN")]
    pub(crate) since: Option<When>,
    /// Only given up before then.
    #[arg(long, value_name = "WHEN")]
    pub(crate) until: Option<When>,
}

impl Filter {
    /// The services whose letters have to be read.
    pub(crate) fn services(&self) -> Vec<&str> {
        let of_ids: BTreeSet<&str> = self
            .ids
            .iter()
            .map(|LetterId(id)| id.service.as_str())
            .collect();
        CONSUMERS
            .into_iter()
            .filter(|name| of_ids.is_empty() || of_ids.contains(name))
            .filter(|name| self.service.is_empty() || self.service.iter().any(|s| s == name))
            .collect()
    }

    /// Whether anything was said at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.ids.is_empty()
            && self.service.is_empty()
            && self.class.is_empty()
            && self.key.is_none()
            && self.topic.is_none()
            && self.since.is_none()
            && self.until.is_none()
    }

    pub(crate) fn admits(&self, letter: &DeadLetter) -> bool {
        let given_up = letter.record.timestamp_ms();
        let key = self.key.as_ref().map(String::as_bytes);
        (self.ids.is_empty()
            || self
                .ids
                .iter()
                .any(|LetterId(id)| *id == letter.letter_id()))
            && (self.class.is_empty() || self.class.contains(&letter.class))
            && (key.is_none() || letter.record.key() == key)
            && self
                .topic
                .as_ref()
                .is_none_or(|topic| letter.origin.topic == *topic)
            && self.since.is_none_or(|since| given_up >= since.millis())
            && self.until.is_none_or(|until| given_up < until.millis())
    }
}

/// The id of a letter of a service that consumes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LetterId(dead_letters::LetterId);

impl FromStr for LetterId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let id = text.parse().ok().map(Self);
        let known = id.filter(|Self(id)| CONSUMERS.contains(&&*id.service));
        known.ok_or_else(|| {
            let services = CONSUMERS.join(", ");
            format!("must be SERVICE:PARTITION:OFFSET with a service of {services}")
        })
    }
}

/// A point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct When(Timestamp);

impl When {
    pub(crate) fn now() -> Self {
        Self(Timestamp::now())
    }

    /// Milliseconds since the Unix epoch.
    pub(crate) fn millis(self) -> i64 {
        self.0.as_millisecond()
    }
}

impl FromStr for When {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let ago = Duration::parse(text).and_then(|ago| Timestamp::now().checked_sub(ago).ok());
        ago.or_else(|| text.parse().ok())
            .map(Self)
            .ok_or("must be a time such as 2026-11-01T08:00:00Z, or how long ago, such as 2h")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_name_a_service_that_consumes() {
        let LetterId(id) = "history:2:15".parse().unwrap();
        assert_eq!((id.partition, id.offset), (2, 15));
        for wrong in [
            "",
            "history",
            "history:2",
            "history:2:15:1",
            "gateway:0:0",
            "history:a:0",
        ] {
            let error = wrong.parse::<LetterId>().unwrap_err();
            assert!(error.contains("payments"), "{wrong}: {error}");
        }
    }

    #[test]
    fn times_are_points_or_ages() {
        let point: When = "2026-11-01T08:00:00Z".parse().unwrap();
        assert_eq!(point.millis(), 1_793_520_000_000);
        let ago: When = "2h".parse().unwrap();
        let age = When::now().millis() - ago.millis();
        assert!((7_200_000..7_260_000).contains(&age), "{age}");
        assert!("yesterday".parse::<When>().is_err());
    }

    #[test]
    fn ids_and_services_say_which_topics_are_read() {
        let mut filter = Filter::default();
        assert!(filter.is_empty());
        assert_eq!(filter.services(), CONSUMERS);
        filter.ids.push("history:0:0".parse().unwrap());
        assert_eq!(filter.services(), ["history"]);
        filter.service.push("payments".to_owned());
        assert!(filter.services().is_empty());
    }
}
