//! Problems (RFC 9457), as they are documented.
//!
//! The chassis writes them; these types only describe what it writes, and a
//! test compares the two.

use serde::Serialize;
use utoipa::ToSchema;

/// What went wrong (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code, reason = "only a description")]
pub(crate) struct Problem {
    /// Names the kind of problem.
    #[schema(example = "urn:ordermesh:problem:invalid-request")]
    r#type: String,
    /// The kind in words; the same for all problems of a kind.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What is wrong this time and what to do next.
    detail: String,
    /// The reason, for machines; the same over gRPC.
    reason: ProblemReason,
    /// Every broken rule; absent when there is none.
    #[schema(nullable = false)]
    errors: Option<Vec<ProblemViolation>>,
    /// The order, where one is meant.
    #[schema(nullable = false)]
    order_id: Option<String>,
    /// The trace of this request; 32 hex digits.
    #[schema(nullable = false)]
    trace_id: Option<String>,
}

/// One broken rule.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code, reason = "only a description")]
pub(crate) struct ProblemViolation {
    /// Path of the field, of the query parameter, or of the header; `body` when
    /// no field is to blame.
    #[schema(example = "products[1].price")]
    field: String,
    /// What the rule is.
    #[schema(example = "must be between 0 and 1000000000")]
    description: String,
}

/// Why something went wrong.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(dead_code, reason = "only a description")]
pub(crate) enum ProblemReason {
    /// A field, or the request's form, breaks a rule.
    InvalidRequest,
    /// The request is larger than allowed.
    TooLarge,
    /// The idempotency key came before, with other content.
    IdempotencyKeyReused,
    /// The gateway has more work than it can do.
    Overloaded,
    /// The caller has sent more than its share.
    QuotaExceeded,
    /// Kafka is away; nothing was accepted.
    KafkaUnavailable,
    /// Nobody can tell now whether it was accepted.
    OutcomeUnknown,
    /// The time for this request ran out.
    DeadlineExceeded,
    /// There is no such thing, or not yet.
    NotFound,
    /// The operator's token is missing or wrong.
    Unauthenticated,
    /// The gateway has no operator's token, so this is closed.
    PermissionDenied,
    /// A service behind the gateway is away.
    DependencyUnavailable,
    /// A mistake of ours.
    Internal,
}
