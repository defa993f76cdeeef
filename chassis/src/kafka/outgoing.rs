//! A record to be published.

use std::borrow::Cow;

use prost::{Message, Name};
use uuid::Uuid;

use super::headers;

/// Names are mostly ours and so are many values: those are not copied for each
/// record.
pub(super) type OutgoingHeader = (Cow<'static, str>, Option<Cow<'static, [u8]>>);

/// A record on its way out.
#[derive(Clone)]
pub struct Outgoing {
    pub(super) topic: Cow<'static, str>,
    pub(super) key: Option<Vec<u8>>,
    pub(super) payload: Option<Vec<u8>>,
    pub(super) headers: Vec<OutgoingHeader>,
    pub(super) parent: Option<String>,
    /// An event of ours, whose key is an id; otherwise anybody's bytes.
    pub(super) is_ours: bool,
}

impl Outgoing {
    /// An event: a protobuf message with CloudEvents headers in binary mode.
    /// `time_micros` is when it happened, in microseconds since the Unix epoch.
    pub fn event<M: Message + Name>(
        topic: &'static str,
        key: String,
        id: Uuid,
        time_micros: i64,
        message: &M,
    ) -> Self {
        let time = jiff::Timestamp::from_microsecond(time_micros).unwrap_or_default();
        let header = |name, value: Cow<'static, [u8]>| (Cow::Borrowed(name), Some(value));
        let text = |value: String| Cow::Owned(value.into_bytes());
        Self {
            topic: topic.into(),
            key: Some(key.into_bytes()),
            payload: Some(message.encode_to_vec()),
            headers: vec![
                header(headers::CE_SPECVERSION, b"1.0".into()),
                header(headers::CE_ID, text(id.to_string())),
                header(headers::CE_TYPE, text(M::full_name())),
                header(headers::CE_TIME, text(format!("{time:.6}"))),
                header(headers::CONTENT_TYPE, headers::PROTOBUF.as_bytes().into()),
            ],
            parent: None,
            is_ours: true,
        }
    }

    /// Any bytes, for records that are handed on unchanged.
    pub fn raw(
        topic: String,
        key: Option<Vec<u8>>,
        payload: Option<Vec<u8>>,
        headers: Vec<(String, Option<Vec<u8>>)>,
    ) -> Self {
        let headers = headers.into_iter();
        Self {
            topic: topic.into(),
            key,
            payload,
            headers: headers
                .map(|(name, value)| (name.into(), value.map(Cow::Owned)))
                .collect(),
            parent: None,
            is_ours: false,
        }
    }

    /// Continues the trace of a stored `traceparent` instead of the current
    /// span's.
    pub fn with_parent(mut self, traceparent: Option<String>) -> Self {
        self.parent = traceparent;
        self
    }

    /// The topic's logical name.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// About how many bytes the broker keeps for it.
    pub(super) fn size(&self) -> usize {
        let headers: usize = self
            .headers
            .iter()
            .map(|(name, value)| name.len() + value.as_ref().map_or(0, |value| value.len()) + 2)
            .sum();
        let length = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
        // 70: a record's own fields and its share of a batch's; 100: the trace
        // context that is added when it is sent.
        length(&self.key) + length(&self.payload) + headers + 170
    }
}

impl std::fmt::Debug for Outgoing {
    /// Says where it goes, never what is in it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outgoing")
            .field("topic", &self.topic)
            .finish_non_exhaustive()
    }
}
