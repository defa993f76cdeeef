//! Where a trace can be looked at.

use chassis::config::Setting;

/// An address with `{traceId}` in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TraceUrl(String);

const PLACE: &str = "{traceId}";

impl TraceUrl {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Setting for TraceUrl {
    const EXPECTS: &'static str =
        "an address with {traceId} in it, such as http://localhost:16686/trace/{traceId}";

    /// Only what a browser opens without running it.
    fn parse(text: &str) -> Option<Self> {
        let is_web = text.starts_with("http://") || text.starts_with("https://");
        (is_web && text.matches(PLACE).count() == 1).then(|| Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_web_address_with_one_place_for_the_trace() {
        for (text, is_one) in [
            ("http://localhost:16686/trace/{traceId}", true),
            ("https://jaeger.example/trace/{traceId}?x=y", true),
            ("http://localhost:16686", false),
            ("javascript:alert('{traceId}')", false),
            ("http://{traceId}.example/{traceId}", false),
        ] {
            assert_eq!(TraceUrl::parse(text).is_some(), is_one, "{text}");
        }
    }
}
