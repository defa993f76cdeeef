//! A record as it was read, owned.

use std::{fmt, ops::Range, sync::Arc};

use rdkafka::message::{BorrowedMessage, Message as _};

use super::{
    KafkaOptions,
    consumer::{Poison, PoisonClass},
    headers, raw,
};

/// Characters of a wrong header that an error shows; it is anybody's text.
const MAX_SHOWN: usize = 100;

/// A record read from a topic. Cheap to clone.
#[derive(Clone)]
pub struct Record(Arc<Inner>);

/// Key, value and headers in one buffer: two allocations a record instead of a
/// dozen.
struct Inner {
    topic: Arc<str>,
    partition: i32,
    offset: i64,
    timestamp_ms: i64,
    bytes: Box<[u8]>,
    key: Option<Range<u32>>,
    payload: Option<Range<u32>>,
    headers: Vec<(Range<u32>, Option<Range<u32>>)>,
}

/// What a record holds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Content<'c> {
    /// Its key.
    pub key: Option<&'c [u8]>,
    /// Its value.
    pub payload: Option<&'c [u8]>,
    /// Its headers, in their order.
    pub headers: &'c [(&'c [u8], Option<&'c [u8]>)],
}

impl Record {
    /// A record that was not read from a topic, as if it stood there.
    pub fn new(
        topic: impl Into<Arc<str>>,
        partition: i32,
        offset: i64,
        timestamp_ms: i64,
        content: Content<'_>,
    ) -> Self {
        let mut buffer = Buffer(Vec::new());
        let key = content.key.map(|key| buffer.put(key));
        let payload = content.payload.map(|payload| buffer.put(payload));
        let headers = content.headers.iter();
        let headers = headers
            .map(|(name, value)| (buffer.put(name), value.map(|value| buffer.put(value))))
            .collect();
        Self(Arc::new(Inner {
            topic: topic.into(),
            partition,
            offset,
            timestamp_ms,
            bytes: buffer.0.into_boxed_slice(),
            key,
            payload,
            headers,
        }))
    }

    /// Copies a record out of librdkafka. `topic` is its logical name.
    pub(super) fn copy(topic: Arc<str>, message: &BorrowedMessage<'_>) -> Self {
        let size = message.key_len() + message.payload_len() + 512;
        let mut buffer = Buffer(Vec::with_capacity(size));
        let key = message.key().map(|key| buffer.put(key));
        let payload = message.payload().map(|payload| buffer.put(payload));
        let mut headers = Vec::with_capacity(8);
        raw::for_each_header(message, |name, value| {
            let name = buffer.put(name);
            headers.push((name, value.map(|value| buffer.put(value))));
        });
        Self(Arc::new(Inner {
            topic,
            partition: message.partition(),
            offset: message.offset(),
            timestamp_ms: message.timestamp().to_millis().unwrap_or(-1),
            bytes: buffer.0.into_boxed_slice(),
            key,
            payload,
            headers,
        }))
    }

    /// The topic's logical name, such as `orders.v1`.
    pub fn topic(&self) -> &str {
        &self.0.topic
    }

    /// The partition it was read from.
    pub fn partition(&self) -> i32 {
        self.0.partition
    }

    /// Its offset in the partition.
    pub fn offset(&self) -> i64 {
        self.0.offset
    }

    /// Milliseconds since the Unix epoch, by the producer's or the broker's
    /// clock; -1 when it has none.
    pub fn timestamp_ms(&self) -> i64 {
        self.0.timestamp_ms
    }

    /// Its key.
    pub fn key(&self) -> Option<&[u8]> {
        self.0.key.clone().map(|range| self.slice(range))
    }

    /// Its value.
    pub fn payload(&self) -> Option<&[u8]> {
        self.0.payload.clone().map(|range| self.slice(range))
    }

    /// Bytes that it holds: key, value and headers.
    pub fn size(&self) -> usize {
        self.0.bytes.len()
    }

    /// All headers in their order: names and values are bytes of any kind.
    pub fn headers(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        self.0.headers.iter().map(|(name, value)| {
            (
                self.slice(name.clone()),
                value.clone().map(|value| self.slice(value)),
            )
        })
    }

    /// The last value of a header, as Kafka's own `lastHeader` has it.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers()
            .filter(|(candidate, _)| *candidate == name.as_bytes())
            .last()
            .and_then(|(_, value)| value)
    }

    /// A header that should be text.
    pub fn text_header(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.header(name)?).ok()
    }

    /// The event's id, `ce_id`.
    pub fn event_id(&self) -> Option<&str> {
        self.text_header(headers::CE_ID)
    }

    /// Whether to read it as an event of type `M`, whose own topic is `topic`.
    ///
    /// Each topic holds one type, and another there is a mistake that
    /// [`event`](Self::event) finds. Dead letters that were put back come from a topic
    /// that holds all types that a service reads; there a record's own type decides.
    pub fn is_of<M: prost::Name>(&self, topic: &str) -> bool {
        self.topic() == topic
            || KafkaOptions::is_replays(self.topic())
                && self.text_header(headers::CE_TYPE) == Some(M::full_name().as_str())
    }

    /// Decodes the event that the headers and the value make.
    ///
    /// Checks that the type is the one expected, that the value decodes, that
    /// its content is valid, and that the record's key is what `key` says it
    /// should be. What fails here fails for ever, so it is poison.
    pub fn event<M, E>(&self, key: impl Fn(&E) -> String) -> Result<E, Poison>
    where
        M: prost::Message + prost::Name + Default,
        E: TryFrom<M, Error: fmt::Display>,
    {
        let expected = M::full_name();
        match self.text_header(headers::CE_TYPE) {
            Some(found) if found == expected => {}
            Some(found) => {
                let shown: String = found.chars().take(MAX_SHOWN).collect();
                let problem = format!("the type is {shown:?}, not {expected}");
                return Err(Poison::new(PoisonClass::Unsupported, problem));
            }
            None => {
                let problem = format!("there is no {} header with a text", headers::CE_TYPE);
                return Err(Poison::new(PoisonClass::Unsupported, problem));
            }
        }
        if let Some(found) = self.header(headers::CONTENT_TYPE)
            && found != headers::PROTOBUF.as_bytes()
        {
            let problem = format!("the content type is not {}", headers::PROTOBUF);
            return Err(Poison::new(PoisonClass::Unsupported, problem));
        }
        let undecodable = |problem: String| Poison::new(PoisonClass::Undecodable, problem);
        let payload = self.payload().filter(|payload| !payload.is_empty());
        let payload = payload.ok_or_else(|| undecodable("the value is empty".to_owned()))?;
        let message = M::decode(payload).map_err(|error| undecodable(error.to_string()))?;
        let event = E::try_from(message)
            .map_err(|error| Poison::new(PoisonClass::Invalid, error.to_string()))?;
        if self.key() != Some(key(&event).as_bytes()) {
            let problem = "the record's key is not the id that its value names".to_owned();
            return Err(Poison::new(PoisonClass::Invalid, problem));
        }
        Ok(event)
    }

    fn slice(&self, range: Range<u32>) -> &[u8] {
        &self.0.bytes[range.start as usize..range.end as usize]
    }
}

impl fmt::Debug for Record {
    /// Says where it is, never what is in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}[{}]@{}",
            self.topic(),
            self.partition(),
            self.offset()
        )
    }
}

struct Buffer(Vec<u8>);

impl Buffer {
    fn put(&mut self, bytes: &[u8]) -> Range<u32> {
        // A record is at most 2^31 bytes (its size is an int32 on the wire).
        let at = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let start = at(self.0.len());
        self.0.extend_from_slice(bytes);
        start..at(self.0.len())
    }
}
