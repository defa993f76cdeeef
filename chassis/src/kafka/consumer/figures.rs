//! What a consumer did, in figures: for `/status`, where operators look. The
//! metrics say the same to those who store them.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::window::{Ages, Rate};

/// Figures of one consumer, by its topics' logical names.
#[derive(Debug)]
pub(super) struct Figures {
    start: Instant,
    topics: Vec<Topic>,
    ages: Ages,
}

#[derive(Debug)]
struct Topic {
    name: String,
    records: AtomicU64,
    rate: Rate,
    dead: AtomicU64,
    retries: AtomicU64,
}

impl Figures {
    pub(super) fn new(topics: &[&str]) -> Self {
        let topics = topics.iter().map(|name| Topic {
            name: (*name).to_owned(),
            records: AtomicU64::new(0),
            rate: Rate::default(),
            dead: AtomicU64::new(0),
            retries: AtomicU64::new(0),
        });
        Self {
            start: Instant::now(),
            topics: topics.collect(),
            ages: Ages::default(),
        }
    }

    /// Records settled, dead letters included.
    pub(super) fn settled(&self, topic: &str, count: usize) {
        if let Some(topic) = self.topic(topic) {
            topic.records.fetch_add(count as u64, Ordering::Relaxed);
            topic.rate.add(self.now(), count);
        }
    }

    /// How old a record was when it was settled.
    pub(super) fn aged(&self, millis: u32) {
        self.ages.record(self.now(), millis.into());
    }

    pub(super) fn retried(&self, topic: &str) {
        if let Some(topic) = self.topic(topic) {
            topic.retries.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn dead(&self, topic: &str) {
        if let Some(topic) = self.topic(topic) {
            topic.dead.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// As `/status` tells it. `lag` is that of a topic's partitions here, as far
    /// as it is known. The ages come as counts as well, so that those of several
    /// instances can be put together.
    pub(super) fn told(&self, lag: impl Fn(&str) -> Option<i64>) -> Value {
        let now = self.now();
        let topics = self.topics.iter().map(|topic| {
            json!({
                "topic": topic.name,
                "records": topic.records.load(Ordering::Relaxed),
                "perSecond": topic.rate.per_second(now),
                "deadLetters": topic.dead.load(Ordering::Relaxed),
                "retries": topic.retries.load(Ordering::Relaxed),
                "lag": lag(&topic.name),
            })
        });
        let ages = self.ages.last_minute(now);
        json!({
            "topics": topics.collect::<Value>(),
            "age": {
                "count": ages.count(),
                "p50Ms": ages.per_mille(500),
                "p99Ms": ages.per_mille(990),
                "counts": ages,
            },
        })
    }

    /// A consumer has a handful of topics.
    fn topic(&self, name: &str) -> Option<&Topic> {
        self.topics.iter().find(|topic| topic.name == name)
    }

    fn now(&self) -> Duration {
        self.start.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_topic_has_its_figures_and_a_lag_where_one_is_known() {
        let figures = Figures::new(&["orders.v1", "payments.v1"]);
        figures.settled("orders.v1", 3);
        figures.aged(7);
        figures.dead("orders.v1");
        figures.retried("payments.v1");
        figures.settled("of-nobody.v1", 1);
        let told = figures.told(|topic| (topic == "orders.v1").then_some(5));
        let orders = &told["topics"][0];
        assert_eq!(
            (&orders["records"], &orders["deadLetters"], &orders["lag"]),
            (&3.into(), &1.into(), &5.into())
        );
        let payments = &told["topics"][1];
        assert_eq!(
            (&payments["records"], &payments["retries"], &payments["lag"]),
            (&0.into(), &1.into(), &Value::Null)
        );
        assert_eq!(told["topics"].as_array().unwrap().len(), 2);
        assert_eq!(
            (&told["age"]["count"], &told["age"]["p99Ms"]),
            (&1.into(), &7.into())
        );
        assert_eq!(told["age"]["counts"]["7"], 1);
    }
}
