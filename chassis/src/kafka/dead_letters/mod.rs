//! Dead letters, for people: found, put back, purged.
//!
//! Invariants:
//!
//! - A dead letter is known by where its record first stood. Replays keep that,
//!   so a record that fails again is still the same one.
//! - A replay goes to the one service that gave the record up, with the record's
//!   own bytes, key and headers. The same failure is put back once, however often
//!   that is asked for.

mod find;
mod purge;
mod replay;

use std::{fmt, str::FromStr};

pub use self::{
    find::{Found, Late, Newest, TooLarge, find, named, newest},
    purge::{Purge, purge},
    replay::{REMEMBERED, Replays, Triage, replay},
};
use super::{KafkaOptions, PoisonClass, Record, headers};

/// Where a record first stood.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin {
    /// The topic's logical name.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.topic, self.partition, self.offset)
    }
}

/// A record that a service gave up.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    /// The service.
    pub service: String,
    /// Where the record first stood.
    pub origin: Origin,
    /// The record's timestamp there, in milliseconds since the Unix epoch.
    pub origin_timestamp_ms: i64,
    /// Why it was given up, as a class; see [`PoisonClass`].
    pub class: String,
    /// Why, in words.
    pub message: String,
    /// How often it was tried.
    pub attempts: u32,
    /// How often it had been put back before it was given up.
    pub replays: u32,
    /// As it stands in the dead-letter topic.
    pub record: Record,
}

impl DeadLetter {
    /// Reads what the headers say. What somebody else wrote to the topic is a
    /// dead letter too, whose origin is where it stands.
    pub fn of(service: &str, record: Record) -> Self {
        let text = |name| record.text_header(name).map(str::to_owned);
        let number = |name| record.text_header(name).and_then(|text| text.parse().ok());
        Self {
            service: service.to_owned(),
            origin: origin(&record).unwrap_or_else(|| Origin {
                topic: KafkaOptions::dead_letters(service),
                partition: record.partition(),
                offset: record.offset(),
            }),
            origin_timestamp_ms: record
                .text_header(headers::DLQ_TIMESTAMP)
                .and_then(|text| text.parse().ok())
                .unwrap_or_else(|| record.timestamp_ms()),
            class: text(headers::DLQ_CLASS).unwrap_or_else(|| "UNKNOWN".to_owned()),
            message: text(headers::DLQ_MESSAGE).unwrap_or_default(),
            attempts: number(headers::DLQ_ATTEMPTS).unwrap_or_default(),
            replays: number(headers::DLQ_REPLAYS).unwrap_or_default(),
            record,
        }
    }

    /// Where it stands, as a text.
    pub fn id(&self) -> String {
        self.letter_id().to_string()
    }

    /// Where it stands.
    pub fn letter_id(&self) -> LetterId {
        LetterId {
            service: self.service.clone(),
            partition: self.record.partition(),
            offset: self.record.offset(),
        }
    }

    /// The classes that services give.
    pub fn classes() -> impl Iterator<Item = &'static str> {
        PoisonClass::ALL.into_iter().map(PoisonClass::as_str)
    }
}

/// Where a letter stands: `service:partition:offset`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LetterId {
    /// The service that gave it up.
    pub service: String,
    /// The partition of its dead-letter topic.
    pub partition: i32,
    /// The offset there.
    pub offset: i64,
}

impl fmt::Display for LetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.service, self.partition, self.offset)
    }
}

/// A text that is no letter's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be SERVICE:PARTITION:OFFSET")]
pub struct InvalidLetterId;

impl FromStr for LetterId {
    type Err = InvalidLetterId;

    fn from_str(text: &str) -> Result<Self, InvalidLetterId> {
        let mut parts = text.split(':');
        let mut next = || parts.next().ok_or(InvalidLetterId);
        let (service, partition, offset) = (next()?, next()?, next()?);
        let id = Self {
            service: service.to_owned(),
            partition: partition.parse().map_err(|_| InvalidLetterId)?,
            offset: offset.parse().map_err(|_| InvalidLetterId)?,
        };
        // A letter has one id: no sign, no leading zero.
        if parts.next().is_none() && id.to_string() == text && id.partition >= 0 && id.offset >= 0 {
            Ok(id)
        } else {
            Err(InvalidLetterId)
        }
    }
}

/// What the headers of a dead letter, or of a replay, say of where it first stood.
pub(super) fn origin(record: &Record) -> Option<Origin> {
    Some(Origin {
        topic: record.text_header(headers::DLQ_TOPIC)?.to_owned(),
        partition: record.text_header(headers::DLQ_PARTITION)?.parse().ok()?,
        offset: record.text_header(headers::DLQ_OFFSET)?.parse().ok()?,
    })
}
