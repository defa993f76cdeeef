//! The one place where failures become HTTP answers: RFC 9457 problem details.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use super::{Error, Reason};

/// The media type of a problem (RFC 9457, section 3).
pub const PROBLEM_JSON: &str = "application/problem+json";

/// The body of an HTTP error.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// Names the kind of problem.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words; the same for all problems of a kind.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong this time and what to do next.
    pub detail: String,
    /// The reason, for machines; the same over gRPC.
    pub reason: &'static str,
    /// Every broken rule.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ProblemViolation>,
    /// The order, where one is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_id: Option<String>,
    /// The trace of this request; 32 hex digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
}

/// One broken rule.
#[derive(Debug, Clone, Serialize)]
pub struct ProblemViolation {
    /// Path of the field, for instance `products[1].price`.
    pub field: String,
    /// What the rule is.
    pub description: String,
}

const fn status(reason: Reason) -> StatusCode {
    match reason {
        Reason::InvalidRequest => StatusCode::BAD_REQUEST,
        Reason::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Reason::IdempotencyKeyReused => StatusCode::UNPROCESSABLE_ENTITY,
        Reason::QuotaExceeded => StatusCode::TOO_MANY_REQUESTS,
        Reason::Overloaded
        | Reason::KafkaUnavailable
        | Reason::OutcomeUnknown
        | Reason::DependencyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        Reason::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Reason::NotFound => StatusCode::NOT_FOUND,
        Reason::Unauthenticated => StatusCode::UNAUTHORIZED,
        Reason::PermissionDenied => StatusCode::FORBIDDEN,
        Reason::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

const fn title(reason: Reason) -> &'static str {
    match reason {
        Reason::InvalidRequest => "The request is not valid",
        Reason::TooLarge => "The request is too large",
        Reason::IdempotencyKeyReused => "The idempotency key was used for other content",
        Reason::Overloaded => "Too much to do right now",
        Reason::QuotaExceeded => "Too many requests",
        Reason::KafkaUnavailable => "Orders cannot be accepted right now",
        Reason::OutcomeUnknown => "It is not known whether the order was accepted",
        Reason::DeadlineExceeded => "The deadline passed",
        Reason::NotFound => "There is no such thing",
        Reason::Unauthenticated => "The operator's token is missing or wrong",
        Reason::PermissionDenied => "This is closed",
        Reason::DependencyUnavailable => "A service does not answer",
        Reason::Internal => "Something went wrong",
    }
}

impl Error {
    /// This failure as an RFC 9457 problem.
    pub fn problem(&self) -> Problem {
        Problem {
            kind: format!(
                "urn:ordermesh:problem:{}",
                self.reason.as_str().to_ascii_lowercase().replace('_', "-")
            ),
            title: title(self.reason),
            status: status(self.reason).as_u16(),
            detail: self.message.clone().into_owned(),
            reason: self.reason.as_str(),
            errors: self
                .violations
                .iter()
                .map(|violation| ProblemViolation {
                    field: violation.field.clone(),
                    description: violation.description.clone(),
                })
                .collect(),
            order_id: self.metadata("order_id").map(str::to_owned),
            trace_id: self.metadata("trace_id").map(str::to_owned),
        }
    }

    /// As an HTTP answer whose status differs from the reason's own: 405, 415
    /// and 431 are all requests that are not valid.
    pub fn into_response_with(self, status: StatusCode) -> Response {
        let mut problem = self.problem();
        problem.status = status.as_u16();
        let mut response = (status, axum::Json(problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        // It may name what the caller sent: no browser is to take it for anything else.
        let nosniff = HeaderValue::from_static("nosniff");
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
        // What is wrong now may be right in a moment, and caches may keep a 404 unless
        // they are told (RFC 9110, section 15.1).
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(after) = self.retry_after {
            // Whole seconds, and never 0: that would invite a busy loop.
            let seconds = after.as_secs().max(1);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        // The trace layer takes the failure from here to log its cause once.
        response.extensions_mut().insert(std::sync::Arc::new(self));
        response
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = status(self.reason);
        self.into_response_with(status)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_answer_is_a_problem_with_a_retry_hint_where_one_helps() {
        let response = Error::unavailable("history does not answer")
            .retry_after(Duration::from_millis(200))
            .into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[header::CONTENT_TYPE], PROBLEM_JSON);
        assert_eq!(response.headers()[header::RETRY_AFTER], "1");
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        assert_eq!(
            response.headers()[header::X_CONTENT_TYPE_OPTIONS],
            "nosniff"
        );
    }

    #[test]
    fn causes_do_not_reach_the_caller() {
        let error = Error::internal("password=hunter2");
        let body = serde_json::to_string(&error.problem()).unwrap();
        assert!(!body.contains("hunter2"));
        assert!(body.contains(r#""reason":"INTERNAL""#));
    }
}
