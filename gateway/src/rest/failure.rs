//! Failures as the REST door tells them: problems (RFC 9457), with the trace
//! under which our logs have the rest.

use axum::response::{IntoResponse, Response};
use chassis::error::{Error, Reason, Violation};
use http::{HeaderName, HeaderValue, StatusCode, header};

/// A failure on its way to the caller.
#[derive(Debug)]
pub(crate) struct Failure {
    error: Box<Error>,
    /// Where HTTP has a closer word than the error's reason.
    status: Option<StatusCode>,
    header: Option<(HeaderName, HeaderValue)>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            error: Box::new(error),
            status: None,
            header: None,
        }
    }
}

impl Failure {
    fn invalid(status: StatusCode, message: &'static str) -> Self {
        Self {
            error: Box::new(Error::new(Reason::InvalidRequest, message)),
            status: Some(status),
            header: None,
        }
    }

    /// There is nothing at this path.
    pub(crate) fn no_such_path() -> Self {
        let message = "there is nothing at this path; /docs lists what there is";
        Error::new(Reason::NotFound, message).into()
    }

    /// The path has no such method; the router adds `Allow`.
    pub(crate) fn no_such_method() -> Self {
        let message = "this path has no such method; the header Allow lists what it has";
        Self::invalid(StatusCode::METHOD_NOT_ALLOWED, message)
    }

    /// The body is not said to be JSON.
    pub(crate) fn no_json() -> Self {
        let message = "the body must be JSON, with content-type: application/json";
        Self {
            header: Some((header::ACCEPT, HeaderValue::from_static("application/json"))),
            ..Self::invalid(StatusCode::UNSUPPORTED_MEDIA_TYPE, message)
        }
    }

    /// The body is compressed (RFC 9110, section 15.5.16).
    pub(crate) fn compressed() -> Self {
        let message = "the body must not be compressed: send it without content-encoding";
        Self {
            header: Some((
                header::ACCEPT_ENCODING,
                HeaderValue::from_static("identity"),
            )),
            ..Self::invalid(StatusCode::UNSUPPORTED_MEDIA_TYPE, message)
        }
    }

    /// The headers are longer than we read.
    pub(crate) fn long_headers() -> Self {
        let message = "the headers are longer than 8 KiB together; send fewer or shorter ones";
        Self::invalid(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, message)
    }

    /// Who asks is not let in; on 401, how to say who one is (RFC 9110, section 11.6.1).
    pub(crate) fn not_let_in(error: Error) -> Self {
        let is_unknown = error.reason() == Reason::Unauthenticated;
        let bearer = (header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        Self {
            header: is_unknown.then_some(bearer),
            ..error.into()
        }
    }

    /// The body did not arrive in time.
    pub(crate) fn slow_body() -> Self {
        let message = "the body did not arrive in time; send it again";
        Self {
            error: Box::new(Error::new(Reason::DeadlineExceeded, message)),
            status: Some(StatusCode::REQUEST_TIMEOUT),
            header: None,
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let error = match crate::trace_id() {
            trace_id if trace_id.is_empty() => *self.error,
            trace_id => self.error.with("trace_id", trace_id),
        };
        let mut response = match self.status {
            Some(status) => error.into_response_with(status),
            None => error.into_response(),
        };
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

/// What a service behind us said of a request, in the words of this door: it
/// names fields as gRPC does.
pub(crate) fn by_rest_names(error: Error) -> Error {
    if error.reason() != Reason::InvalidRequest || error.violations().is_empty() {
        return error;
    }
    let renamed = error
        .violations()
        .iter()
        .map(|violation| Violation::new(camel_case(&violation.field), &*violation.description));
    Error::invalid(renamed.collect())
}

fn camel_case(field: &str) -> String {
    let mut words = field.split('_');
    let mut name = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        name.push_str(letters.as_str());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_words_are_told_by_the_names_of_this_door() {
        let error = Error::invalid(vec![
            Violation::new("page_token", "belongs to another list"),
            Violation::new("order_ids[3]", "must be a UUID"),
        ]);
        let fields: Vec<_> = by_rest_names(error)
            .violations()
            .iter()
            .map(|v| v.field.clone())
            .collect();
        assert_eq!(fields, ["pageToken", "orderIds[3]"]);
    }
}
