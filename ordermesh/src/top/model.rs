//! What the gateway's feed tells: the documents of `GET /ops/live`.
//!
//! Invariant: a text that came from outside reaches the terminal only as a
//! [`Text`], which holds nothing that a terminal would act on.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::{Map, Value};

/// Longest text that is kept, in characters: wider than a screen.
const LONGEST: usize = 300;
/// Most rows of one list that are kept.
const MOST_ROWS: usize = 100;

/// A text of one line that can be shown as it is.
#[derive(Clone, PartialEq, Eq, Default)]
pub(super) struct Text(String);

impl Text {
    /// Escape sequences, line breaks and characters that turn the direction of what
    /// follows (Unicode Bidi controls) stand as `�`.
    pub(super) fn clean(text: &str) -> Self {
        let clean = text.chars().take(LONGEST).map(|one| {
            let is_turning = matches!(one, '\u{200e}' | '\u{200f}' | '\u{061c}'
                | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            let is_breaking = matches!(one, '\u{2028}' | '\u{2029}');
            if one.is_control() || is_turning || is_breaking {
                char::REPLACEMENT_CHARACTER
            } else {
                one
            }
        });
        Self(clean.collect())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::clean(&String::deserialize(deserializer)?))
    }
}

/// How all services are.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Services {
    pub(super) accepted_per_second: f64,
    #[serde(deserialize_with = "rows")]
    pub(super) services: Vec<Service>,
}

/// How one is.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Service {
    pub(super) name: Text,
    pub(super) state: State,
    #[serde(deserialize_with = "rows")]
    pub(super) reasons: Vec<Text>,
    pub(super) instances: i64,
    pub(super) version: Text,
    pub(super) uptime_seconds: u64,
    #[serde(deserialize_with = "rows")]
    pub(super) topics: Vec<Topic>,
    pub(super) lag: Option<i64>,
    pub(super) age: Option<Age>,
    pub(super) retries: Option<i64>,
    pub(super) dead_letters: Option<i64>,
}

/// Whether a service does its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    Ready,
    NotReady,
    Unreachable,
    /// A newer gateway's word.
    #[serde(other)]
    Unknown,
}

/// What a service reads.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Topic {
    pub(super) per_second: f64,
}

/// How old events were when they were settled.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Age {
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

/// One of the newest orders.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Order {
    #[serde(rename = "orderId")]
    pub(super) id: Text,
    pub(super) user_id: i64,
    pub(super) currency_code: Text,
    pub(super) total: i64,
    pub(super) status: Text,
    pub(super) decline_code: Option<Text>,
    #[serde(deserialize_with = "time")]
    pub(super) placed_at: Timestamp,
    #[serde(deserialize_with = "maybe_time")]
    pub(super) settled_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Orders {
    #[serde(deserialize_with = "rows")]
    orders: Vec<Order>,
}

/// What all orders together say; a part is `None` while analytics does not tell it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Analytics {
    pub(super) stats: Option<Stats>,
    pub(super) rate: Option<Rate>,
    pub(super) top_products: Option<TopProducts>,
}

/// Counts since the beginning.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stats {
    pub(super) orders: i64,
    pub(super) orders_paid: i64,
    pub(super) orders_declined: i64,
    pub(super) notifications_sent: i64,
    pub(super) notifications_failed: i64,
}

/// Orders minute by minute.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Rate {
    // At most 1,500, says the API.
    pub(super) buckets: Vec<Bucket>,
}

/// A minute's.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Bucket {
    #[serde(deserialize_with = "time")]
    pub(super) start_time: Timestamp,
    pub(super) orders: u64,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct TopProducts {
    #[serde(deserialize_with = "rows")]
    pub(super) products: Vec<Product>,
}

/// A product that is ordered much.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Product {
    pub(super) name: Text,
    pub(super) units: i64,
    pub(super) revenue: i64,
    pub(super) currency_code: Text,
}

fn rows<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    let mut rows = Vec::deserialize(from)?;
    rows.truncate(MOST_ROWS);
    Ok(rows)
}

/// RFC 3339.
fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
    String::deserialize(from)?.parse().map_err(D::Error::custom)
}

fn maybe_time<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    let time = text.map(|text| text.parse().map_err(D::Error::custom));
    time.transpose()
}

/// The newest of each document.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) services: Option<Services>,
    pub(super) orders: Option<Vec<Order>>,
    pub(super) analytics: Option<Analytics>,
    /// As they came, for machines; read when they are asked for.
    documents: BTreeMap<String, String>,
}

impl Model {
    /// Takes a document in; false when it is none of ours. One that cannot be read
    /// is an error.
    pub(super) fn learn(&mut self, name: &str, data: &str) -> Result<bool, serde_json::Error> {
        match name {
            "services" => self.services = Some(serde_json::from_str(data)?),
            "orders" => self.orders = Some(serde_json::from_str::<Orders>(data)?.orders),
            "analytics" => self.analytics = Some(serde_json::from_str(data)?),
            _ => return Ok(false),
        }
        self.documents.insert(name.to_owned(), data.to_owned());
        Ok(true)
    }

    /// Whether there is one of each.
    pub(super) fn is_whole(&self) -> bool {
        self.services.is_some() && self.orders.is_some() && self.analytics.is_some()
    }

    /// Everything for machines: the documents by their names, null where none came.
    pub(super) fn json(&self) -> Value {
        let document = |name: &str| {
            let document = self.documents.get(name);
            // What was taken in is JSON.
            let document = document.and_then(|text| serde_json::from_str(text).ok());
            (name.to_owned(), document.unwrap_or_default())
        };
        ["services", "orders", "analytics"]
            .map(document)
            .into_iter()
            .collect::<Map<_, _>>()
            .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_acts_on_is_left() {
        let text = Text::clean("\u{1b}[31mred\u{7}\r\n\u{9b}2J\u{202e}evil\t\u{2028}");
        assert_eq!(text.as_str(), "�[31mred����2J�evil��");
        assert_eq!(Text::clean("Gerät 东京 🦀").as_str(), "Gerät 东京 🦀");
        assert_eq!(
            Text::clean(&"x".repeat(10_000)).as_str().len(),
            LONGEST,
            "bounded"
        );
    }

    #[test]
    fn lists_are_bounded_and_new_words_are_no_error() {
        let order = r#"{"orderId":"o","userId":1,"lines":[],"currencyCode":"USD","total":1,
            "status":"ORDER_STATUS_NEW","declineCode":null,"placedAt":"2026-01-01T00:00:00Z",
            "storedAt":"2026-01-01T00:00:00Z","settledAt":null,"traceId":""}"#;
        let orders = format!(r#"{{"orders":[{}]}}"#, vec![order; 500].join(","));
        let mut model = Model::default();
        assert!(model.learn("orders", &orders).unwrap());
        assert_eq!(model.orders.as_ref().map(Vec::len), Some(MOST_ROWS));
        let services = r#"{"at":"x","acceptedPerSecond":0,"services":[{"name":"history",
            "state":"dozing","reasons":[],"instances":1,"version":"1","uptimeSeconds":1,
            "topics":[],"lag":null,"age":null,"retries":null,"deadLetters":null}]}"#;
        assert!(model.learn("services", services).unwrap());
        let state = model.services.as_ref().unwrap().services[0].state;
        assert_eq!(state, State::Unknown);
        assert!(!model.learn("weather", "{}").unwrap());
        assert!(model.learn("orders", "[]").is_err());
        assert_eq!(model.json()["analytics"], Value::Null);
    }
}
