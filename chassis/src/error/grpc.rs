//! The one place where failures become gRPC statuses, and come back from them.
//!
//! The rich error model (AIP-193): `google.rpc.ErrorInfo` with the reason,
//! `BadRequest` with every violation, `RetryInfo` with when to try again.

use std::collections::HashMap;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _};

use super::{Error, Reason, Violation};

/// `ErrorInfo.domain` of every error of ours.
const DOMAIN: &str = "ordermesh";

/// Facts that may cross between services; others are dropped on the way back,
/// because a key is a `&'static str` here.
const METADATA: &[&str] = &["order_id", "trace_id", "event_id"];

/// Bytes that listed violations may take. Details travel in one header, in base64;
/// gRPC's C core and Java take 8 KiB of headers by default, and an answer beyond
/// that is lost as a whole.
const MAX_VIOLATION_BYTES: usize = 4 * 1024;

const fn code(reason: Reason) -> Code {
    match reason {
        Reason::InvalidRequest => Code::InvalidArgument,
        Reason::TooLarge | Reason::Overloaded | Reason::QuotaExceeded => Code::ResourceExhausted,
        Reason::IdempotencyKeyReused => Code::FailedPrecondition,
        Reason::KafkaUnavailable | Reason::OutcomeUnknown | Reason::DependencyUnavailable => {
            Code::Unavailable
        }
        Reason::DeadlineExceeded => Code::DeadlineExceeded,
        Reason::NotFound => Code::NotFound,
        Reason::Unauthenticated => Code::Unauthenticated,
        Reason::PermissionDenied => Code::PermissionDenied,
        Reason::Internal => Code::Internal,
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let mut details = ErrorDetails::new();
        let metadata: HashMap<String, String> = error
            .metadata
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.clone()))
            .collect();
        details.set_error_info(error.reason.as_str(), DOMAIN, metadata);
        if !error.violations.is_empty() {
            details.set_bad_request(listed(&error.violations));
        }
        if let Some(after) = error.retry_after {
            details.set_retry_info(Some(after));
        }
        let mut status =
            Status::with_error_details(code(error.reason), error.message.as_ref(), details);
        // The server's trace layer logs the cause once; it never leaves us.
        status.set_source(std::sync::Arc::new(error));
        status
    }
}

/// The violations as far as they fit, and how many more there are.
fn listed(violations: &[Violation]) -> Vec<FieldViolation> {
    let mut room = MAX_VIOLATION_BYTES;
    let mut listed: Vec<FieldViolation> = violations
        .iter()
        .map_while(|violation| {
            // 6: tags and lengths.
            let size = violation.field.len() + violation.description.len() + 6;
            room = room.checked_sub(size)?;
            Some(FieldViolation::new(
                &violation.field,
                &violation.description,
            ))
        })
        .collect();
    let more = violations.len() - listed.len();
    if more > 0 {
        let told = format!("and {more} more violations, which do not fit into an answer");
        listed.push(FieldViolation::new("", told));
    }
    listed
}

impl From<Status> for Error {
    /// What a service behind us said, for our own caller. Transport failures
    /// come as UNAVAILABLE without details.
    fn from(status: Status) -> Self {
        let details = status.get_error_details();
        let named = details
            .error_info()
            .filter(|info| info.domain == DOMAIN)
            .and_then(|info| Reason::from_name(&info.reason));
        let reason = named.unwrap_or_else(|| match status.code() {
            Code::InvalidArgument | Code::OutOfRange => Reason::InvalidRequest,
            Code::NotFound => Reason::NotFound,
            Code::DeadlineExceeded | Code::Cancelled => Reason::DeadlineExceeded,
            Code::ResourceExhausted => Reason::Overloaded,
            Code::Unavailable => Reason::DependencyUnavailable,
            _ => Reason::Internal,
        });
        // Words of ours are meant for callers; those of a transport are not.
        let mut error = match reason {
            Reason::DependencyUnavailable if named.is_none() => {
                Self::unavailable("a service behind this one does not answer; try again")
            }
            Reason::DeadlineExceeded if named.is_none() => {
                Self::new(reason, "the deadline passed before there was an answer")
            }
            Reason::Internal if named.is_none() => return Self::internal(status),
            _ => Self::new(reason, status.message().to_owned()),
        };
        if let Some(bad_request) = details.bad_request() {
            error.violations = bad_request
                .field_violations
                .iter()
                .map(|violation| Violation::new(&violation.field, &violation.description))
                .collect();
        }
        if let Some(after) = details.retry_info().and_then(|info| info.retry_delay) {
            error.retry_after = Some(after);
        }
        if let Some(info) = details.error_info() {
            for key in METADATA {
                if let Some(value) = info.metadata.get(*key) {
                    error.metadata.insert(key, value.clone());
                }
            }
        }
        error.caused_by(status)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_failure_survives_the_way_through_grpc() {
        let error = Error::invalid(vec![
            Violation::new("user_id", "must be positive"),
            Violation::new("products", "must not be empty"),
        ])
        .retry_after(Duration::from_secs(2))
        .with("order_id", "o1");
        let status = Status::from(error);
        assert_eq!(status.code(), Code::InvalidArgument);
        let back = Error::from(status);
        assert_eq!(back.reason(), Reason::InvalidRequest);
        assert_eq!(back.violations().len(), 2);
        assert_eq!(back.retry_hint(), Some(Duration::from_secs(2)));
        assert_eq!(back.metadata("order_id"), Some("o1"));
    }

    #[test]
    fn hundreds_of_violations_fit_into_a_header_and_are_counted() {
        let rule = "must be between 0 and 1000000000";
        let violations: Vec<_> = (0..400)
            .map(|n| Violation::new(format!("products[{n}].price"), rule))
            .collect();
        let status = Status::from(Error::invalid(violations));
        assert!(
            status.details().len() < 5 * 1024,
            "{}",
            status.details().len()
        );
        let back = Error::from(status);
        let listed = back.violations().len() - 1;
        assert!(listed > 50, "{listed}");
        let last = &back.violations()[listed].description;
        assert!(last.contains(&(400 - listed).to_string()), "{last}");
    }

    #[test]
    fn a_lost_connection_is_a_dependency_away_and_tells_nothing_of_our_insides() {
        let back = Error::from(Status::unavailable("tcp connect error: 10.0.0.7:50054"));
        assert_eq!(back.reason(), Reason::DependencyUnavailable);
        assert!(!back.to_string().contains("10.0.0.7"));
        assert!(back.cause().contains("10.0.0.7"), "the log still says it");
    }
}
