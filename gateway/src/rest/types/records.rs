//! Records of topics, and those that were given up.
//!
//! Invariant: a value is shown only as its schema has it, private fields masked; bytes
//! without a schema are not shown at all, for nobody knows what is in them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chassis::kafka::{
    Record,
    dead_letters::{self, DeadLetter, Found, LetterId, REMEMBERED},
    headers, lookup,
};
use proto::{id::OrderId, time::UnixMicros};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::Time;
use crate::ops;

/// Largest value that is decoded. Ours are smaller; what is larger is somebody's
/// mistake, and would be no less as JSON.
const MOST_DECODED: usize = 256 * 1024;
/// Characters of a reason why a value cannot be decoded; it may quote the value's type.
const MOST_PROBLEM: usize = 200;

/// What is in a record.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RecordContent {
    /// Its key: an order's id, for user events the user's.
    key: String,
    /// What its headers say that it is; empty when they do not.
    #[schema(example = "ordermesh.events.v1.OrderPlaced")]
    r#type: String,
    /// Bytes of its value.
    bytes: usize,
    /// In their order.
    headers: Vec<RecordHeader>,
    /// Its value, private fields masked; null when it cannot be decoded.
    #[schema(required = true, value_type = Option<Object>)]
    payload: Option<Value>,
    /// Why it cannot be decoded; null when it can.
    #[schema(required = true)]
    problem: Option<String>,
}

/// A record's header.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RecordHeader {
    /// Its name.
    #[schema(example = "ce_id")]
    name: String,
    /// Its value; null when it has none.
    #[schema(required = true)]
    value: Option<String>,
    /// `base64` for a value that is no text; absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    encoding: Option<&'static str>,
}

impl RecordContent {
    fn of(record: &Record) -> Self {
        let (payload, problem) = match decoded(record) {
            Ok(payload) => (Some(payload), None),
            Err(problem) => (None, Some(problem.chars().take(MOST_PROBLEM).collect())),
        };
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        Self {
            key: text(record.key().unwrap_or_default()),
            r#type: text(record.header(headers::CE_TYPE).unwrap_or_default()),
            bytes: record.payload().map_or(0, <[u8]>::len),
            headers: record
                .headers()
                .map(|(name, value)| RecordHeader::of(text(name), value))
                .collect(),
            payload,
            problem,
        }
    }
}

impl RecordHeader {
    fn of(name: String, value: Option<&[u8]>) -> Self {
        let text = value.map(std::str::from_utf8);
        let encoding = matches!(text, Some(Err(_))).then_some("base64");
        let value = match (value, text) {
            (_, Some(Ok(text))) => Some(text.to_owned()),
            (value, _) => value.map(|bytes| STANDARD.encode(bytes)),
        };
        Self {
            name,
            value,
            encoding,
        }
    }
}

fn decoded(record: &Record) -> Result<Value, String> {
    let name = record
        .text_header(headers::CE_TYPE)
        .ok_or_else(|| format!("no {} header says what it is", headers::CE_TYPE))?;
    let payload = record.payload().unwrap_or_default();
    if payload.is_empty() {
        return Err("the value is empty".to_owned());
    }
    if payload.len() > MOST_DECODED {
        return Err(format!("the value is larger than {MOST_DECODED} bytes"));
    }
    proto::json::bytes_to_json(name, payload).map_err(|error| error.to_string())
}

/// A time in milliseconds since the Unix epoch; below 0 is none, and so is what no
/// calendar holds: whoever writes a record may stamp it as it likes.
fn time(millis: i64) -> Option<Time> {
    let time = jiff::Timestamp::from_millisecond(millis).ok()?;
    let micros = Some(time.as_microsecond()).filter(|micros| *micros >= 0)?;
    Some(UnixMicros::from_micros(micros).into())
}

/// An order's records.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OrderRecords {
    /// UUID.
    order_id: String,
    /// Whether everything was found that the services tell of: false when the search
    /// ended before, or when Kafka no longer has it.
    complete: bool,
    /// By topic, in the order of their partition.
    records: Vec<PlacedRecord>,
}

/// A record, and where it stands.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PlacedRecord {
    #[serde(flatten)]
    at: RecordPlace,
    #[serde(flatten)]
    content: RecordContent,
}

/// Where a record stands.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RecordPlace {
    /// The topic's name.
    #[schema(example = "orders.v1")]
    topic: String,
    /// From 0.
    partition: i32,
    /// From 0.
    offset: i64,
    /// When it was written; null when it does not say.
    #[schema(required = true)]
    timestamp: Option<Time>,
}

impl OrderRecords {
    pub(crate) fn of(id: OrderId, found: &lookup::Found) -> Self {
        let records = found.records.iter().map(|record| PlacedRecord {
            at: RecordPlace {
                topic: record.topic().to_owned(),
                partition: record.partition(),
                offset: record.offset(),
                timestamp: time(record.timestamp_ms()),
            },
            content: RecordContent::of(record),
        });
        Self {
            order_id: id.to_string(),
            complete: found.complete,
            records: records.collect(),
        }
    }
}

/// The newest dead letters.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeadLetters {
    /// Newest first.
    dead_letters: Vec<Letter>,
    /// Whether there are more, or may be.
    truncated: bool,
}

/// A record that a service gave up.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Letter {
    /// Where it stands: service, partition and offset.
    #[schema(example = "history:0:17")]
    id: String,
    /// Who gave it up.
    service: String,
    /// Why, as a class.
    #[schema(example = "exhausted")]
    class: String,
    /// Why, in words.
    message: String,
    /// How often it was tried.
    attempts: u32,
    /// When it was given up.
    #[schema(required = true)]
    given_up_at: Option<Time>,
    /// Whether it was put back.
    replayed: bool,
    /// Whether it can be put back without force.
    replayable: bool,
    /// Where the record first stood.
    origin: RecordPlace,
    #[serde(flatten)]
    content: RecordContent,
}

impl DeadLetters {
    /// As of a time.
    pub(crate) fn of(newest: &dead_letters::Newest, now: UnixMicros) -> Self {
        let oldest = now.saturating_sub(REMEMBERED).as_micros() / 1_000;
        let letters = newest.found.iter();
        Self {
            dead_letters: letters.map(|found| Letter::of(found, oldest)).collect(),
            truncated: newest.truncated,
        }
    }
}

impl Letter {
    fn of(Found { letter, is_back }: &Found, oldest: i64) -> Self {
        let DeadLetter {
            service,
            origin,
            class,
            message,
            record,
            ..
        } = letter;
        Self {
            id: letter.id(),
            service: service.clone(),
            class: class.clone(),
            message: message.clone(),
            attempts: letter.attempts,
            given_up_at: time(record.timestamp_ms()),
            replayed: *is_back,
            replayable: !is_back && letter.origin_timestamp_ms >= oldest,
            origin: RecordPlace {
                topic: origin.topic.clone(),
                partition: origin.partition,
                offset: origin.offset,
                timestamp: time(letter.origin_timestamp_ms),
            },
            content: RecordContent::of(record),
        }
    }
}

/// What became of letters that were to be put back.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Replayed {
    /// They are back now.
    replayed: Vec<String>,
    /// They were before, and stay so.
    replayed_before: Vec<String>,
    /// Left out: services no longer know whether their events took effect.
    too_old: Vec<String>,
    /// There are no such letters.
    unknown: Vec<String>,
}

impl From<ops::Replayed> for Replayed {
    fn from(replayed: ops::Replayed) -> Self {
        let texts = |ids: Vec<LetterId>| ids.iter().map(LetterId::to_string).collect();
        Self {
            replayed: texts(replayed.now),
            replayed_before: texts(replayed.before),
            too_old: texts(replayed.too_old),
            unknown: texts(replayed.unknown),
        }
    }
}

#[cfg(test)]
mod tests {
    use chassis::kafka::Content;
    use prost::Message as _;
    use proto::events::v1::OrderPlaced;
    use serde_json::json;

    use super::*;

    const TYPE: (&[u8], Option<&[u8]>) = (b"ce_type", Some(b"ordermesh.events.v1.OrderPlaced"));

    fn shown(content: Content<'_>) -> Value {
        let record = Record::new("orders.v1", 3, 12, 1_769_860_800_000, content);
        serde_json::to_value(RecordContent::of(&record)).unwrap()
    }

    #[test]
    fn a_value_is_shown_masked_and_markup_in_it_is_text() {
        let order = OrderPlaced {
            order_id: "<img src=x>".to_owned(),
            email: "jane@example.com".to_owned(),
            payment_token: "tok_secret".to_owned(),
            ..OrderPlaced::default()
        };
        let json = shown(Content {
            key: Some(b"<b>key</b>"),
            payload: Some(&order.encode_to_vec()),
            headers: &[TYPE],
        });
        assert_eq!(json["payload"]["orderId"], "<img src=x>");
        assert_eq!(json["key"], "<b>key</b>");
        assert_eq!(
            (&json["payload"]["email"], &json["problem"]),
            (&"[redacted]".into(), &Value::Null)
        );
        let text = json.to_string();
        assert!(
            !text.contains("jane") && !text.contains("tok_secret"),
            "{text}"
        );
    }

    #[test]
    fn what_cannot_be_decoded_is_told_and_not_shown() {
        let huge = vec![0; MOST_DECODED + 1];
        let unknown: (&[u8], Option<&[u8]>) = (b"ce_type", Some(b"of.Nobody"));
        for (payload, headers, problem) in [
            (Some(&b"\xff"[..]), &[TYPE][..], "Protobuf"),
            (Some(b"jane@example.com"), &[], "ce_type"),
            (Some(b"x"), &[unknown], "of.Nobody"),
            (None, &[TYPE], "empty"),
            (Some(&huge), &[TYPE], "larger"),
        ] {
            let json = shown(Content {
                key: None,
                payload,
                headers,
            });
            assert_eq!(json["payload"], Value::Null);
            let told = json["problem"].as_str().unwrap();
            assert!(
                told.to_lowercase().contains(&problem.to_lowercase()),
                "{told}"
            );
            assert!(!json.to_string().contains("jane"));
        }
    }

    #[test]
    fn headers_of_any_bytes_are_shown() {
        let headers: [(&[u8], Option<&[u8]>); 4] = [
            (b"text", Some("<script>ü".as_bytes())),
            (b"bytes", Some(b"\xff\x00")),
            (b"none", None),
            (b"\xff", Some(b"")),
        ];
        let json = shown(Content {
            headers: &headers,
            ..Content::default()
        });
        assert_eq!(
            json["headers"],
            json!([
                { "name": "text", "value": "<script>ü" },
                { "name": "bytes", "value": "/wA=", "encoding": "base64" },
                { "name": "none", "value": null },
                { "name": "\u{fffd}", "value": "" },
            ])
        );
    }

    #[test]
    fn times_that_cannot_be_written_are_none() {
        for wrong in [
            -1,
            i64::MIN,
            i64::MAX,
            253_402_300_800_000,
            9_000_000_000_000_000,
        ] {
            assert_eq!(time(wrong), None, "{wrong}");
        }
        for fine in [0, 1_769_860_800_000, 253_402_000_000_000] {
            let text = serde_json::to_value(time(fine)).unwrap();
            assert!(text.as_str().unwrap().ends_with('Z'), "{text}");
        }
    }
}
