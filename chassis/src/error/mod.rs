//! What every door answers when it cannot do what was asked.
//!
//! Invariant: a failure is one value of one closed set of reasons, and is mapped
//! to gRPC in [`grpc`](self) and to HTTP in one place each, so the two doors
//! cannot tell different stories. Messages are for the caller: they say what is
//! wrong and what to do next, and hold nothing of our insides. Causes stay in
//! `source` for our own logs.

mod grpc;
mod http;

use std::{borrow::Cow, collections::BTreeMap, error::Error as StdError, time::Duration};

pub use http::{PROBLEM_JSON, Problem, ProblemViolation};

/// Why. Sent as `ErrorInfo.reason` over gRPC (AIP-193) and as `reason` in an
/// RFC 9457 problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// A field, or the request's form, breaks a rule.
    InvalidRequest,
    /// The request is larger than allowed.
    TooLarge,
    /// The idempotency key came before, with other content.
    IdempotencyKeyReused,
    /// We have more work than we can do.
    Overloaded,
    /// The caller has sent more than its share.
    QuotaExceeded,
    /// Kafka is away; the order surely was not accepted.
    KafkaUnavailable,
    /// Nobody can tell now whether the order was accepted.
    OutcomeUnknown,
    /// The caller's time, or ours, ran out.
    DeadlineExceeded,
    /// There is no such thing, or not yet.
    NotFound,
    /// The caller does not say who it is, or not truly.
    Unauthenticated,
    /// What is asked for is closed, to whoever asks.
    PermissionDenied,
    /// A service behind us, or a database, is away.
    DependencyUnavailable,
    /// A mistake of ours.
    Internal,
}

impl Reason {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "INVALID_REQUEST",
            Self::TooLarge => "TOO_LARGE",
            Self::IdempotencyKeyReused => "IDEMPOTENCY_KEY_REUSED",
            Self::Overloaded => "OVERLOADED",
            Self::QuotaExceeded => "QUOTA_EXCEEDED",
            Self::KafkaUnavailable => "KAFKA_UNAVAILABLE",
            Self::OutcomeUnknown => "OUTCOME_UNKNOWN",
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Self::NotFound => "NOT_FOUND",
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::DependencyUnavailable => "DEPENDENCY_UNAVAILABLE",
            Self::Internal => "INTERNAL",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [
            Self::InvalidRequest,
            Self::TooLarge,
            Self::IdempotencyKeyReused,
            Self::Overloaded,
            Self::QuotaExceeded,
            Self::KafkaUnavailable,
            Self::OutcomeUnknown,
            Self::DeadlineExceeded,
            Self::NotFound,
            Self::Unauthenticated,
            Self::PermissionDenied,
            Self::DependencyUnavailable,
            Self::Internal,
        ]
        .into_iter()
        .find(|reason| reason.as_str() == name)
    }
}

/// One broken rule of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Path of the field, for instance `products[1].price`.
    pub field: String,
    /// What the rule is; never quotes a private value.
    pub description: String,
}

impl Violation {
    /// A rule that a field breaks.
    pub fn new(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            description: description.into(),
        }
    }
}

/// A failure to be told to a caller.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    reason: Reason,
    message: Cow<'static, str>,
    violations: Vec<Violation>,
    retry_after: Option<Duration>,
    metadata: BTreeMap<&'static str, String>,
    #[source]
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// A failure for a reason, with a message for the caller.
    pub fn new(reason: Reason, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            reason,
            message: message.into(),
            violations: Vec::new(),
            retry_after: None,
            metadata: BTreeMap::new(),
            source: None,
        }
    }

    /// A request that breaks these rules; at least one.
    pub fn invalid(violations: Vec<Violation>) -> Self {
        let message = match violations.as_slice() {
            [one] => Cow::Owned(format!("{}: {}", one.field, one.description)),
            many => Cow::Owned(format!(
                "{} fields are wrong; each is listed with its rule",
                many.len()
            )),
        };
        Self {
            violations,
            ..Self::new(Reason::InvalidRequest, message)
        }
    }

    /// A request with one field that breaks a rule.
    pub fn invalid_field(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self::invalid(vec![Violation::new(field, description)])
    }

    /// A mistake of ours; the caller learns no more than that.
    pub fn internal(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(
            Reason::Internal,
            "something went wrong on our side; the trace id helps us find it",
        )
        .caused_by(source)
    }

    /// A dependency that is away; worth trying again soon.
    pub fn unavailable(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Reason::DependencyUnavailable, message).retry_after(Duration::from_secs(1))
    }

    /// Adds the cause, for our logs.
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Adds when to try again.
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// Adds a fact that machines can read, for instance the order's id.
    pub fn with(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.metadata.insert(key, value.into());
        self
    }

    /// Why.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// Every broken rule.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// When to try again, where that helps.
    pub fn retry_hint(&self) -> Option<Duration> {
        self.retry_after
    }

    /// A fact added with [`Error::with`].
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).map(String::as_str)
    }

    /// The cause, as one line for a log: every error of the chain.
    pub fn cause(&self) -> String {
        let mut text = self.message.clone().into_owned();
        let mut next = StdError::source(self);
        while let Some(error) = next {
            text.push_str(": ");
            text.push_str(&error.to_string());
            next = error.source();
        }
        text
    }
}

impl From<crate::db::DbError> for Error {
    fn from(error: crate::db::DbError) -> Self {
        use crate::db::DbError;
        match error {
            DbError::Unavailable(_) | DbError::Conflict(_) => {
                Self::unavailable("the database does not answer; try again").caused_by(error)
            }
            DbError::Statement(_) => Self::internal(error),
        }
    }
}
