//! What became of one order, at either door.

use http::StatusCode;
use proto::orders::v1::PlaceOrderResponse;
use serde::{Deserialize, Serialize};
use tonic::{Code, Response, Status};
use tonic_types::StatusExt as _;

/// Bytes of what a server said that are kept; enough for a sentence of ours.
const EXAMPLE: usize = 300;

/// How an order ended for its customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// The system has it.
    Accepted,
    /// The system said: not now. HTTP 503 or 429, gRPC UNAVAILABLE or
    /// RESOURCE_EXHAUSTED.
    Refused,
    /// Anything else: another answer, a broken connection, none in time.
    Failed,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Accepted, Self::Refused, Self::Failed];

    /// As a word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// An outcome, and why if it is not the good one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) outcome: Outcome,
    pub(super) why: Option<Why>,
}

/// Why an order was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Why {
    /// The same for all of a kind, for instance `OVERLOADED`.
    pub(super) kind: String,
    /// What was said this time.
    pub(super) message: String,
}

/// What is read of an RFC 9457 problem.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Problem {
    reason: String,
    detail: String,
}

impl Answer {
    const ACCEPTED: Self = Self {
        outcome: Outcome::Accepted,
        why: None,
    };

    fn not(outcome: Outcome, kind: impl Into<String>, message: &str) -> Self {
        let end = message.floor_char_boundary(EXAMPLE);
        Self {
            outcome,
            why: Some(Why {
                kind: kind.into(),
                message: message[..end].escape_debug().to_string(),
            }),
        }
    }

    /// No answer within the limit.
    pub(super) fn none_in_time() -> Self {
        let message = "no answer within 60 s of the intended start";
        Self::not(Outcome::Failed, "no answer", message)
    }

    /// The connection could not be made, or broke.
    pub(super) fn broken(error: &anyhow::Error) -> Self {
        Self::not(
            Outcome::Failed,
            "connection",
            &chain(error.chain().map(ToString::to_string)),
        )
    }

    /// What a REST door said.
    pub(super) fn over_http(status: StatusCode, body: &[u8]) -> Self {
        if status.is_success() {
            return Self::ACCEPTED;
        }
        let outcome = match status {
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => Outcome::Refused,
            _ => Outcome::Failed,
        };
        let problem: Problem = serde_json::from_slice(body).unwrap_or_default();
        let kind = if problem.reason.is_empty() {
            format!("HTTP {}", status.as_u16())
        } else {
            problem.reason
        };
        if problem.detail.is_empty() {
            Self::not(outcome, kind, &String::from_utf8_lossy(body))
        } else {
            Self::not(outcome, kind, &problem.detail)
        }
    }

    /// What a gRPC door said. tonic calls a broken connection UNAVAILABLE, too, but
    /// gives it a source, which an answer from the other side has not.
    pub(super) fn over_grpc(answer: Result<Response<PlaceOrderResponse>, Status>) -> Self {
        let Err(status) = answer else {
            return Self::ACCEPTED;
        };
        if let Some(source) = std::error::Error::source(&status) {
            let causes = std::iter::successors(Some(source), |error| error.source());
            let text = chain(causes.map(ToString::to_string));
            return Self::not(Outcome::Failed, "connection", &text);
        }
        let outcome = match status.code() {
            Code::Unavailable | Code::ResourceExhausted => Outcome::Refused,
            _ => Outcome::Failed,
        };
        let kind = match status.get_details_error_info() {
            Some(info) => info.reason,
            None => format!("gRPC {:?}", status.code()),
        };
        Self::not(outcome, kind, status.message())
    }
}

/// Causes as one line. Some errors repeat their cause in their own words.
fn chain(causes: impl Iterator<Item = String>) -> String {
    let mut text = String::new();
    for cause in causes {
        if !text.contains(&cause) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&cause);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use chassis::error::{Error, Reason};

    use super::*;

    fn kind(answer: &Answer) -> (Outcome, &str) {
        let kind = answer.why.as_ref().map_or("", |why| &why.kind);
        (answer.outcome, kind)
    }

    #[test]
    fn both_doors_tell_the_same_story() {
        for (reason, outcome) in [
            (Reason::Overloaded, Outcome::Refused),
            (Reason::KafkaUnavailable, Outcome::Refused),
            (Reason::QuotaExceeded, Outcome::Refused),
            (Reason::InvalidRequest, Outcome::Failed),
            (Reason::IdempotencyKeyReused, Outcome::Failed),
            (Reason::DeadlineExceeded, Outcome::Failed),
            (Reason::Internal, Outcome::Failed),
        ] {
            let problem = Error::new(reason, "so it is").problem();
            let status = StatusCode::from_u16(problem.status).unwrap();
            let over_http = Answer::over_http(status, &serde_json::to_vec(&problem).unwrap());
            let mut status = Status::from(Error::new(reason, "so it is"));
            // The source stays with the server.
            status = Status::with_details(
                status.code(),
                status.message(),
                status.details().to_vec().into(),
            );
            let over_grpc = Answer::over_grpc(Err(status));
            assert_eq!(kind(&over_http), (outcome, reason.as_str()));
            assert_eq!(over_http, over_grpc);
        }
    }

    #[test]
    fn an_answer_that_is_no_problem_is_named_by_its_status() {
        let answer = Answer::over_http(StatusCode::BAD_GATEWAY, b"<html>oh\x1b[0m");
        assert_eq!(kind(&answer), (Outcome::Failed, "HTTP 502"));
        let message = answer.why.map(|why| why.message).unwrap_or_default();
        assert_eq!(message, "<html>oh\\u{1b}[0m", "no control characters");
        let answer = Answer::over_grpc(Err(Status::unavailable("later")));
        assert_eq!(kind(&answer), (Outcome::Refused, "gRPC Unavailable"));
    }

    #[test]
    fn a_broken_connection_is_no_refusal() {
        let mut status = Status::unavailable("tcp connect error");
        status.set_source(std::sync::Arc::new(std::io::Error::other("refused")));
        let answer = Answer::over_grpc(Err(status));
        assert_eq!(kind(&answer), (Outcome::Failed, "connection"));
        let error = anyhow::anyhow!("reset").context("reset").context("sending");
        let answer = Answer::broken(&error);
        assert_eq!(
            answer.why.map(|why| why.message),
            Some("sending: reset".to_owned())
        );
    }

    #[test]
    fn any_success_is_accepted() {
        assert_eq!(
            Answer::over_http(StatusCode::ACCEPTED, b"{}"),
            Answer::ACCEPTED
        );
        assert_eq!(
            Answer::over_grpc(Ok(Response::new(PlaceOrderResponse::default()))),
            Answer::ACCEPTED
        );
    }
}
