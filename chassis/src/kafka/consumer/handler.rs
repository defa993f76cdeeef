//! What a service says of its records.

use std::{error::Error as StdError, fmt};

use async_trait::async_trait;

use crate::{
    db::DbError,
    kafka::{PublishError, Record, headers},
    telemetry::Traced,
};

/// Does a service's work on records.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// What a record of the service's topics is decoded to.
    type Event: Send + Sync + 'static;

    /// Decodes a record; see [`Record::event`]. What cannot be decoded becomes a
    /// dead letter at once.
    fn decode(&self, record: &Record) -> Result<Self::Event, Poison>;

    /// Works on a batch: records of one partition of one topic, in their order.
    /// Says for each, in the same order, how it was settled.
    ///
    /// May be called again with records it already worked on; their effects must
    /// not be doubled. An error means that none of the batch is settled.
    async fn handle(
        &self,
        batch: &[Delivery<Self::Event>],
    ) -> Result<Vec<Settlement>, HandlerError>;
}

/// A decoded record with where it came from.
#[derive(Debug)]
pub struct Delivery<E> {
    /// The decoded record.
    pub event: E,
    record: Record,
    traced: Traced,
}

impl<E> Delivery<E> {
    pub(super) fn new(event: E, record: Record, traced: Traced) -> Self {
        Self {
            event,
            record,
            traced,
        }
    }

    /// The topic's logical name.
    pub fn topic(&self) -> &str {
        self.record.topic()
    }

    /// The partition.
    pub fn partition(&self) -> i32 {
        self.record.partition()
    }

    /// The offset.
    pub fn offset(&self) -> i64 {
        self.record.offset()
    }

    /// The record as it was read.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// The record's `process` span, child of its producer's; in a trace that is not
    /// kept, the producer's context alone. Work that concerns this record alone, and
    /// events published because of it, belong inside.
    pub fn traced(&self) -> &Traced {
        &self.traced
    }

    /// The trace the record belongs to: 32 lower-case hex digits, not all of them
    /// 0, by its producer's word.
    pub fn trace_id(&self) -> Option<&str> {
        let parent = self.record.text_header(headers::TRACEPARENT)?;
        // version-traceid-spanid-flags (W3C Trace Context, section 3.2.2).
        parent.split('-').nth(1).filter(|id| {
            let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
            id.len() == 32 && id.bytes().all(hex) && id.bytes().any(|byte| byte != b'0')
        })
    }

    /// The `traceparent` of [`Delivery::traced`], to be stored with work that is
    /// done later.
    pub fn traceparent(&self) -> Option<String> {
        self.traced.traceparent()
    }
}

/// How a record was settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// Its effect is committed, now or before.
    Done,
    /// It did not work this time, and why. Counts as an attempt.
    Retry(String),
    /// It never will work.
    Poison(Poison),
}

/// Why a record never will work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Poison {
    /// The class, for filters and metrics.
    pub class: PoisonClass,
    /// In words; goes into the dead letter's headers, so it must hold no private
    /// data.
    pub message: String,
}

/// Classes of records that never will work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PoisonClass {
    /// The value is not what its type says.
    Undecodable,
    /// A type or version that this service does not know.
    Unsupported,
    /// Decoded, but its content breaks a rule.
    Invalid,
    /// Contradicts what came before under the same id.
    Conflict,
    /// Was tried as often as is allowed.
    Exhausted,
}

impl PoisonClass {
    /// Every class.
    pub const ALL: [Self; 5] = [
        Self::Undecodable,
        Self::Unsupported,
        Self::Invalid,
        Self::Conflict,
        Self::Exhausted,
    ];

    /// The name in headers and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Undecodable => "undecodable",
            Self::Unsupported => "unsupported",
            Self::Invalid => "invalid",
            Self::Conflict => "conflict",
            Self::Exhausted => "exhausted",
        }
    }
}

impl Poison {
    /// A record that never will work.
    pub fn new(class: PoisonClass, message: impl Into<String>) -> Self {
        Self {
            class,
            message: message.into(),
        }
    }

    /// A record that contradicts what came before.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(PoisonClass::Conflict, message)
    }

    /// A record whose content breaks a rule.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(PoisonClass::Invalid, message)
    }
}

impl fmt::Display for Poison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.class.as_str(), self.message)
    }
}

/// None of a batch is settled.
#[derive(Debug, thiserror::Error)]
pub enum HandlerError {
    /// Something the service depends on is away. The partition waits; no record
    /// is to blame.
    #[error("a dependency is away: {0}")]
    Unavailable(String),
    /// Some record is to blame, but it is not known which. The batch is halved
    /// until the guilty record stands alone.
    #[error("the batch failed: {0}")]
    Failed(#[source] Box<dyn StdError + Send + Sync>),
}

impl HandlerError {
    /// A failure that names no record.
    pub fn failed(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Failed(error.into())
    }
}

impl From<DbError> for HandlerError {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Unavailable(_) | DbError::Conflict(_) => Self::Unavailable(error.to_string()),
            DbError::Statement(_) => Self::failed(error),
        }
    }
}

impl From<PublishError> for HandlerError {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::TooLarge => Self::failed(error),
            // Publishing again after an unknown outcome is safe: consumers know
            // an event by its id.
            _ => Self::Unavailable(error.to_string()),
        }
    }
}
