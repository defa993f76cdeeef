//! How requests can fail, for the document: the rows of the error table,
//! grouped by the requests that they concern.

use utoipa::IntoResponses;

use super::types::Problem;

/// Any request.
#[derive(IntoResponses)]
#[allow(dead_code, reason = "only a description")]
pub(crate) enum Refused {
    /// INVALID_REQUEST: a parameter or field breaks a rule; all are listed.
    #[response(status = 400, content_type = "application/problem+json")]
    Invalid(Problem),
    /// QUOTA_EXCEEDED: the caller has sent more than its share.
    #[response(
        status = 429,
        content_type = "application/problem+json",
        headers(("Retry-After" = u64, description = "Seconds until another try"))
    )]
    Quota(Problem),
    /// INVALID_REQUEST: the headers are longer than 8 KiB together.
    #[response(status = 431, content_type = "application/problem+json")]
    LongHeaders(Problem),
    /// INTERNAL: a mistake of ours; the trace id helps to find it.
    #[response(status = 500, content_type = "application/problem+json")]
    Internal(Problem),
    /// OVERLOADED: more requests than can be worked on. DEPENDENCY_UNAVAILABLE:
    /// a service behind the gateway is away. KAFKA_UNAVAILABLE: Kafka is away;
    /// nothing was accepted. OUTCOME_UNKNOWN: no acknowledgement came in time;
    /// without `Retry-After`, look the order up before ordering again.
    #[response(
        status = 503,
        content_type = "application/problem+json",
        headers(("Retry-After" = u64, description = "Seconds until another try"))
    )]
    Unavailable(Problem),
    /// DEADLINE_EXCEEDED: the time for this request ran out.
    #[response(status = 504, content_type = "application/problem+json")]
    Late(Problem),
}

/// A request with a body.
#[derive(IntoResponses)]
#[allow(dead_code, reason = "only a description")]
pub(crate) enum BodyRefused {
    /// DEADLINE_EXCEEDED: the body did not arrive in time.
    #[response(status = 408, content_type = "application/problem+json")]
    Slow(Problem),
    /// TOO_LARGE: the body is larger than 256 KiB.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(Problem),
    /// INVALID_REQUEST: the body is not JSON, or it is compressed.
    #[response(
        status = 415,
        content_type = "application/problem+json",
        headers(
            ("Accept" = String, description = "The media type to send"),
            ("Accept-Encoding" = String, description = "`identity`, when it was compressed"),
        )
    )]
    MediaType(Problem),
}

/// A request with an idempotency key.
#[derive(IntoResponses)]
#[allow(dead_code, reason = "only a description")]
pub(crate) enum KeyRefused {
    /// IDEMPOTENCY_KEY_REUSED: the key came before with other content.
    #[response(status = 422, content_type = "application/problem+json")]
    Reused(Problem),
}

/// A request that is for operators.
#[derive(IntoResponses)]
#[allow(dead_code, reason = "only a description")]
pub(crate) enum OperatorRefused {
    /// UNAUTHENTICATED: the operator's token is missing or wrong.
    #[response(
        status = 401,
        content_type = "application/problem+json",
        headers(("WWW-Authenticate" = String, description = "`Bearer`"))
    )]
    Unauthenticated(Problem),
    /// PERMISSION_DENIED: the gateway has no operator's token, so this is closed.
    #[response(status = 403, content_type = "application/problem+json")]
    Closed(Problem),
}

/// A request about one thing.
#[derive(IntoResponses)]
#[allow(dead_code, reason = "only a description")]
pub(crate) enum Unknown {
    /// NOT_FOUND: there is no such thing; with `Retry-After`, it may come yet.
    #[response(
        status = 404,
        content_type = "application/problem+json",
        headers(("Retry-After" = u64, description = "Seconds until another try"))
    )]
    NotFound(Problem),
}
