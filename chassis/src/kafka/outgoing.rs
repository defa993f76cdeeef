//! A record to be published.

use prost::{Message, Name};
use uuid::Uuid;

use super::headers;

/// A record on its way out.
#[derive(Clone)]
pub struct Outgoing {
    pub(super) topic: String,
    pub(super) key: Option<Vec<u8>>,
    pub(super) payload: Option<Vec<u8>>,
    pub(super) headers: Vec<(String, Option<Vec<u8>>)>,
    pub(super) parent: Option<String>,
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
        let header = |name: &str, value: String| (name.to_owned(), Some(value.into_bytes()));
        Self {
            topic: topic.to_owned(),
            key: Some(key.into_bytes()),
            payload: Some(message.encode_to_vec()),
            headers: vec![
                header(headers::CE_SPECVERSION, "1.0".to_owned()),
                header(headers::CE_ID, id.to_string()),
                header(headers::CE_TYPE, M::full_name()),
                header(headers::CE_TIME, format!("{time:.6}")),
                header(headers::CONTENT_TYPE, headers::PROTOBUF.to_owned()),
            ],
            parent: None,
        }
    }

    /// Any bytes, for records that are handed on unchanged.
    pub fn raw(
        topic: String,
        key: Option<Vec<u8>>,
        payload: Option<Vec<u8>>,
        headers: Vec<(String, Option<Vec<u8>>)>,
    ) -> Self {
        Self {
            topic,
            key,
            payload,
            headers,
            parent: None,
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
            .map(|(name, value)| name.len() + value.as_ref().map_or(0, Vec::len) + 2)
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
