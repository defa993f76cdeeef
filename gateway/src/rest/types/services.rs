//! How the services do.
//!
//! Several instances of a service are told as one: what they counted adds up, and
//! what one of them lacks, the service lacks.

use std::collections::BTreeSet;

use chassis::window::Distribution;
use proto::time::UnixMicros;
use serde::Serialize;
use utoipa::ToSchema;

use super::Time;
use crate::ops::{Status, Statuses, status};

/// The services at a time.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Services {
    /// When they were asked.
    at: Time,
    /// Orders that the gateways accepted a second, over the last five.
    accepted_per_second: f64,
    /// All five: gateway, payments, history, notifier, analytics.
    services: Vec<ServiceState>,
}

/// One service, all its instances together.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ServiceState {
    /// Its name.
    #[schema(example = "history")]
    name: &'static str,
    /// Whether it does all its work.
    state: Readiness,
    /// What it waits for, or why it cannot be reached; empty when it is ready.
    #[schema(example = json!([]))]
    reasons: Vec<String>,
    /// How many instances answered.
    instances: usize,
    /// Its version; several, separated by commas, while one replaces another.
    version: String,
    /// Seconds since its youngest instance started.
    uptime_seconds: u64,
    /// What it consumes; empty for the gateway.
    topics: Vec<TopicFigures>,
    /// Records that it has not read yet; null when that is not known.
    #[schema(required = true)]
    lag: Option<i64>,
    /// How old records were when they were settled, within the last minute; null
    /// when none was.
    #[schema(required = true)]
    age: Option<AgeFigures>,
    /// Tries that were repeated since the instances started; null for the gateway.
    #[schema(required = true)]
    retries: Option<u64>,
    /// Records given up since the instances started; null for the gateway.
    #[schema(required = true)]
    dead_letters: Option<u64>,
}

/// Whether a service does all its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Readiness {
    /// Every instance does.
    Ready,
    /// Some instance waits for something, or does not answer.
    NotReady,
    /// No instance answers.
    Unreachable,
}

/// What became of a topic's records at a service.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TopicFigures {
    /// The topic's name.
    #[schema(example = "orders.v1")]
    topic: String,
    /// Records settled since the instances started.
    records: u64,
    /// Records settled a second, over the last five.
    per_second: f64,
    /// Records not read yet; null when that is not known.
    #[schema(required = true)]
    lag: Option<i64>,
}

/// How old records were when they were settled.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AgeFigures {
    /// How many records.
    count: u64,
    /// In milliseconds; at most a sixteenth too high.
    p50_ms: f64,
    /// In milliseconds; at most a sixteenth too high.
    p99_ms: f64,
}

impl Services {
    /// What all instances said, by service.
    pub(crate) fn of(at: UnixMicros, services: &[(&'static str, Statuses)]) -> Self {
        let accepted = services
            .iter()
            .flat_map(|(_, statuses)| statuses.iter().flatten())
            .filter_map(|status| status.orders.as_ref())
            .map(|orders| orders.per_second);
        let services = services
            .iter()
            .map(|(name, statuses)| ServiceState::of(name, statuses));
        Self {
            at: at.into(),
            accepted_per_second: accepted.sum::<f64>() + 0.0,
            services: services.collect(),
        }
    }
}

impl ServiceState {
    fn of(name: &'static str, statuses: &Statuses) -> Self {
        let there: Vec<&Status> = statuses.iter().flatten().collect();
        let is_ready = there.len() == statuses.len() && there.iter().all(|status| status.ready);
        let state = match there.as_slice() {
            [] => Readiness::Unreachable,
            _ if is_ready => Readiness::Ready,
            _ => Readiness::NotReady,
        };
        let versions: BTreeSet<&str> = there.iter().map(|status| &*status.version).collect();
        let consumers: Vec<&status::Consumer> = there
            .iter()
            .filter_map(|status| status.consumer.as_ref())
            .collect();
        let topics: Vec<&status::Topic> = consumers.iter().flat_map(|it| &it.topics).collect();
        let sum = |count: fn(&status::Topic) -> u64| {
            let total = topics
                .iter()
                .fold(0, |sum: u64, topic| sum.saturating_add(count(topic)));
            (!consumers.is_empty()).then_some(total)
        };
        Self {
            name,
            state,
            reasons: reasons(statuses),
            instances: there.len(),
            version: versions.into_iter().collect::<Vec<_>>().join(", "),
            uptime_seconds: there
                .iter()
                .map(|status| status.uptime_seconds)
                .min()
                .unwrap_or_default(),
            lag: lag(topics.iter().copied()),
            age: age(&consumers),
            retries: sum(|topic| topic.retries),
            dead_letters: sum(|topic| topic.dead_letters),
            topics: by_topic(&topics),
        }
    }
}

/// Each once: instances mostly wait for the same.
fn reasons(statuses: &Statuses) -> Vec<String> {
    let reasons: BTreeSet<String> = statuses
        .iter()
        .flat_map(|status| match status {
            Err(why) => vec![why.clone()],
            Ok(status) => status
                .conditions
                .iter()
                .filter(|condition| !condition.ready)
                .map(|condition| format!("{}: {}", condition.name, condition.reason))
                .collect(),
        })
        .collect();
    reasons.into_iter().collect()
}

/// In the order in which the first instance tells them.
fn by_topic(topics: &[&status::Topic]) -> Vec<TopicFigures> {
    let mut names: Vec<&str> = Vec::new();
    for topic in topics {
        if !names.contains(&&*topic.name) {
            names.push(&topic.name);
        }
    }
    let figures = |name: &str| {
        let of_topic = || topics.iter().filter(|topic| topic.name == name).copied();
        TopicFigures {
            topic: name.to_owned(),
            records: of_topic().fold(0, |sum, topic| sum.saturating_add(topic.records)),
            per_second: of_topic().map(|topic| topic.per_second).sum(),
            lag: lag(of_topic()),
        }
    };
    names.into_iter().map(figures).collect()
}

/// Of what is known: an instance without partitions of a topic has no lag there.
fn lag<'t>(topics: impl Iterator<Item = &'t status::Topic>) -> Option<i64> {
    topics
        .filter_map(|topic| topic.lag)
        .reduce(i64::saturating_add)
}

fn age(consumers: &[&status::Consumer]) -> Option<AgeFigures> {
    let mut all = Distribution::default();
    for consumer in consumers {
        all.merge(&consumer.age.counts);
    }
    // Milliseconds of a day are far below 2^32.
    let millis = |value: u64| f64::from(u32::try_from(value).unwrap_or(u32::MAX));
    Some(AgeFigures {
        count: all.count(),
        p50_ms: millis(all.per_mille(500)?),
        p99_ms: millis(all.per_mille(990)?),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn instance(uptime: u64, records: u64, age_ms: &str) -> Value {
        json!({
            "service": "history", "version": "0.1.0", "uptimeSeconds": uptime, "ready": true,
            "conditions": [{ "name": "database", "ready": true, "reason": "" }],
            "partitions": [],
            "consumer": {
                "topics": [
                    { "topic": "orders.v1", "records": records, "perSecond": 1.5,
                      "deadLetters": 1, "retries": 2, "lag": 4 },
                    { "topic": "payments.v1", "records": 0, "perSecond": 0.0,
                      "deadLetters": 0, "retries": 0, "lag": null },
                ],
                "age": { "count": 1, "p50Ms": 1, "p99Ms": 1, "counts": { age_ms: 1 } },
            },
        })
    }

    fn told(service: &'static str, statuses: Vec<Result<Value, &str>>) -> Value {
        let statuses = statuses.into_iter().map(|status| match status {
            Ok(json) => Ok(serde_json::from_value(json).unwrap()),
            Err(why) => Err(why.to_owned()),
        });
        let at = UnixMicros::from_micros(0);
        let services = Services::of(at, &[(service, statuses.collect())]);
        serde_json::to_value(services).unwrap()
    }

    #[test]
    fn instances_add_up() {
        let told = told(
            "history",
            vec![Ok(instance(60, 3, "4")), Ok(instance(7, 4, "31"))],
        );
        assert_eq!(
            told["services"][0],
            json!({
                "name": "history", "state": "ready", "reasons": [], "instances": 2,
                "version": "0.1.0", "uptimeSeconds": 7,
                "topics": [
                    { "topic": "orders.v1", "records": 7, "perSecond": 3.0, "lag": 8 },
                    { "topic": "payments.v1", "records": 0, "perSecond": 0.0, "lag": null },
                ],
                "lag": 8,
                "age": { "count": 2, "p50Ms": 4.0, "p99Ms": 31.0 },
                "retries": 4, "deadLetters": 2,
            })
        );
    }

    #[test]
    fn what_one_lacks_the_service_lacks() {
        let mut waiting = instance(1, 0, "1");
        waiting["ready"] = false.into();
        waiting["conditions"][0] = json!({ "name": "smtp", "ready": false, "reason": "535" });
        let told = told(
            "history",
            vec![Ok(instance(1, 0, "1")), Ok(waiting), Err("away")],
        );
        let service = &told["services"][0];
        assert_eq!(service["state"], "not_ready");
        assert_eq!(service["reasons"], json!(["away", "smtp: 535"]));
        assert_eq!(service["instances"], 2);
    }

    #[test]
    fn where_nobody_answers_nothing_is_known() {
        let told = told("history", vec![Err("no address"), Err("no address")]);
        let service = &told["services"][0];
        assert_eq!(service["state"], "unreachable");
        assert_eq!(service["reasons"], json!(["no address"]));
        for field in ["lag", "age", "retries", "deadLetters"] {
            assert_eq!(service[field], Value::Null, "{field}");
        }
    }

    #[test]
    fn gateways_accept_together_and_consume_nothing() {
        let gateway = json!({
            "version": "0.1.0", "uptimeSeconds": 1, "ready": true, "conditions": [],
            "orders": { "accepted": 9, "perSecond": 2.5 },
        });
        let told = told("gateway", vec![Ok(gateway.clone()), Ok(gateway)]);
        assert_eq!(told["acceptedPerSecond"], 5.0);
        let service = &told["services"][0];
        assert_eq!(
            (&service["topics"], &service["retries"]),
            (&json!([]), &Value::Null)
        );
    }
}
