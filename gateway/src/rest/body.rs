//! The body of a request: JSON, uncompressed, bounded in size and time.

use std::time::Duration;

use axum::{body::Body, extract::Request};
use bytes::Bytes;
use chassis::{
    error::{Error, Reason},
    grpc::Deadline,
};
use futures::StreamExt as _;
use http::{HeaderMap, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use super::failure::Failure;
use crate::limits::MAX_BODY_BYTES;

/// How long a body may take to arrive. A body of 256 KiB takes this long at
/// 0.5 Mbit/s; slower ones would let few clients hold many places.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// How much of a refused body is read and dropped. A connection that is closed
/// with bytes unread is reset, and the reset can reach the client before it has
/// read the answer (RFC 9112, section 9.6).
const DISCARD_BYTES: usize = 4 * MAX_BODY_BYTES;
/// How long that may take.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(1);

/// Reads a request's body.
pub(crate) async fn read(request: Request, deadline: Deadline) -> Result<Bytes, Failure> {
    let (head, mut body) = request.into_parts();
    let refusal = match check_head(&head.headers) {
        Ok(()) => match collect(&mut body, deadline).await {
            Ok(body) => return Ok(body),
            Err(refusal) => refusal,
        },
        Err(refusal) => refusal,
    };
    // Who asks first sends nothing once it is told no; reading would invite it.
    if !head.headers.contains_key(header::EXPECT) {
        discard(body).await;
    }
    Err(refusal)
}

async fn discard(body: Body) {
    let rest = Limited::new(body, DISCARD_BYTES);
    let drained = rest.into_data_stream().for_each(|_| std::future::ready(()));
    // Whether all of it came or not, the answer is the same.
    let _ = tokio::time::timeout(DISCARD_TIMEOUT, drained).await;
}

async fn collect(body: &mut Body, deadline: Deadline) -> Result<Bytes, Failure> {
    let body = Limited::new(body, MAX_BODY_BYTES).collect();
    let deadline = deadline.at_most(BODY_TIMEOUT);
    match tokio::time::timeout_at(deadline.instant(), body).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large().into()),
        Ok(Err(error)) => {
            let message = "the body broke off before its end";
            Err(Error::new(Reason::InvalidRequest, message)
                .caused_by(error)
                .into())
        }
        Err(_) => Err(Failure::slow_body()),
    }
}

/// What can be refused before anything of the body is read.
fn check_head(headers: &HeaderMap) -> Result<(), Failure> {
    let is_compressed = headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"));
    if is_compressed {
        return Err(Failure::compressed());
    }
    let media_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    if !media_type.is_some_and(is_json) {
        return Err(Failure::no_json());
    }
    let length = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse::<u64>().ok());
    if length.is_some_and(|length| length > MAX_BODY_BYTES as u64) {
        return Err(too_large().into());
    }
    Ok(())
}

fn too_large() -> Error {
    let message = format!("the body is larger than {MAX_BODY_BYTES} bytes");
    Error::new(Reason::TooLarge, message)
}

/// `application/json` in UTF-8. JSON has no other encoding (RFC 8259, section
/// 8.1), so a parameter that names one is a mistake; all others mean nothing.
fn is_json(media_type: &str) -> bool {
    let mut parts = media_type.split(';').map(str::trim);
    let is_json = parts
        .next()
        .is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"));
    is_json
        && parts
            .filter_map(|part| part.split_once('='))
            .all(|(name, value)| {
                !name.trim().eq_ignore_ascii_case("charset")
                    || value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
            })
}

#[cfg(test)]
mod tests {
    use axum::{http::StatusCode, response::IntoResponse as _};

    use super::*;

    #[test]
    fn only_json_in_utf_8_is_json() {
        for fine in [
            "application/json",
            "Application/JSON; charset=UTF-8",
            "application/json;charset=\"utf-8\"; x=y",
        ] {
            assert!(is_json(fine), "{fine}");
        }
        for wrong in [
            "",
            "text/json",
            "application/json; charset=latin1",
            "application/jsonp",
        ] {
            assert!(!is_json(wrong), "{wrong}");
        }
    }

    #[tokio::test]
    async fn a_body_that_does_not_arrive_is_given_up() {
        let never = futures::stream::pending::<Result<Bytes, std::io::Error>>();
        let request = Request::builder()
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from_stream(never))
            .unwrap();
        let deadline = Deadline::after(Duration::from_millis(20));
        let failure = read(request, deadline).await.unwrap_err();
        assert_eq!(
            failure.into_response().status(),
            StatusCode::REQUEST_TIMEOUT
        );
    }
}
