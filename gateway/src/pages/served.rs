//! Bytes that are served as they are, compressed once.

use std::io::Write as _;

use axum::{
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};

/// Only our own files: no inline script or style, no other host, no frame around
/// us, no form that leaves.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";
/// The same for a page that shows another of ours within it: a mail.
const FRAMES_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; connect-src 'self'; frame-src 'self'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";

/// Bytes and their compressed form.
#[derive(Debug, Clone)]
pub(super) struct Body {
    plain: Bytes,
    /// Absent where it would not be shorter.
    gzip: Option<Bytes>,
}

impl Body {
    pub(super) fn new(plain: Bytes) -> Self {
        let gzip = gzip(&plain).filter(|gzip| gzip.len() < plain.len());
        Self { plain, gzip }
    }

    /// The form that a caller takes, with the headers that say so.
    pub(super) fn answer(&self, media_type: &'static str, request: &HeaderMap) -> Response {
        let common = [
            (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
            (header::VARY, HeaderValue::from_static("accept-encoding")),
            (
                header::X_CONTENT_TYPE_OPTIONS,
                HeaderValue::from_static("nosniff"),
            ),
        ];
        match &self.gzip {
            Some(gzip) if takes_gzip(request) => {
                let encoding = [(header::CONTENT_ENCODING, "gzip")];
                (common, encoding, gzip.clone()).into_response()
            }
            _ => (common, self.plain.clone()).into_response(),
        }
    }
}

/// Writing to memory does not fail; if it did, the plain form would do.
fn gzip(plain: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).ok()?;
    encoder.finish().ok().map(Bytes::from)
}

/// Whether gzip is among what is accepted (RFC 9110, section 12.5.3).
fn takes_gzip(request: &HeaderMap) -> bool {
    request
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|coding| coding.replace(' ', ""))
        .any(|coding| {
            let (name, weight) = coding.split_once(";q=").unwrap_or((&coding, "1"));
            let is_refused = weight.bytes().all(|digit| matches!(digit, b'0' | b'.'));
            name == "gzip" && !is_refused
        })
}

/// A page: asked for again each time, as its assets may have changed.
#[derive(Debug, Clone)]
pub(super) struct Page {
    html: Body,
    policy: &'static str,
}

impl Page {
    pub(super) fn new(html: String, frames: bool) -> Self {
        Self {
            html: Body::new(html.into()),
            policy: if frames { FRAMES_POLICY } else { POLICY },
        }
    }

    pub(super) fn answer(&self, request: &HeaderMap) -> Response {
        let headers = [
            (header::CACHE_CONTROL, "no-cache"),
            (header::CONTENT_SECURITY_POLICY, self.policy),
            (header::REFERRER_POLICY, "same-origin"),
        ];
        let html = self.html.answer("text/html; charset=utf-8", request);
        (headers, html).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepting(value: &'static str) -> HeaderMap {
        let value = HeaderValue::from_static(value);
        HeaderMap::from_iter([(header::ACCEPT_ENCODING, value)])
    }

    #[test]
    fn gzip_is_sent_to_those_who_take_it() {
        for (value, is_taken) in [
            ("gzip", true),
            ("deflate, gzip;q=0.5", true),
            ("br", false),
            ("gzip;q=0", false),
            ("gzip; q=0.0", false),
        ] {
            assert_eq!(takes_gzip(&accepting(value)), is_taken, "{value}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }

    #[test]
    fn what_does_not_shrink_is_sent_plain() {
        let answer = Body::new(Bytes::from_static(b"x")).answer("text/plain", &accepting("gzip"));
        assert!(!answer.headers().contains_key(header::CONTENT_ENCODING));
        let long = Body::new(Bytes::from(vec![b'x'; 1_000]));
        let answer = long.answer("text/plain", &accepting("gzip"));
        assert_eq!(answer.headers()[header::CONTENT_ENCODING], "gzip");
    }
}
