//! Which topics the system has, and how they are made on a cluster.

use chassis::kafka::{KafkaOptions, TopicSpec};
use proto::event;

/// The topics of events.
pub const TOPICS: [&str; 4] = [
    event::ORDERS,
    event::PAYMENTS,
    event::NOTIFICATIONS,
    event::USER_EVENTS,
];

/// Services that consume, and so have a dead-letter topic.
pub(crate) const CONSUMERS: [&str; 4] = ["payments", "history", "notifier", "analytics"];

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
/// How long events stay. Long enough to bring a service back after a fortnight's
/// outage; shorter than the inbox remembers ids (45 days), so that reading a
/// topic anew doubles nothing.
const EVENT_DAYS: u64 = 14;
/// How long dead letters stay; shorter than the inbox as well.
const DEAD_LETTER_DAYS: u64 = 30;
/// Largest batch that a topic takes: the publisher's largest record and its
/// frame.
const MAX_MESSAGE_BYTES: u64 = 2 * 1024 * 1024 + 64 * 1024;

/// Every topic with its settings, for a cluster that keeps `replication` copies.
pub fn topic_specs(partitions: i32, replication: i32) -> Vec<TopicSpec> {
    let spec = |name: String, partitions, days: u64| TopicSpec {
        name,
        partitions,
        replication,
        config: vec![
            ("retention.ms", (days * DAY_MS).to_string()),
            ("max.message.bytes", MAX_MESSAGE_BYTES.to_string()),
            // With three copies, two must have a record before it counts; with
            // fewer, every copy there is.
            (
                "min.insync.replicas",
                (replication - 1).clamp(1, 2).to_string(),
            ),
        ],
    };
    let events = TOPICS
        .iter()
        .map(|name| spec((*name).to_owned(), partitions, EVENT_DAYS));
    let dead = CONSUMERS
        .iter()
        // Few and rare: three partitions let three operators' tools read at once.
        .map(|service| spec(KafkaOptions::dead_letters(service), 3, DEAD_LETTER_DAYS));
    let replays = CONSUMERS
        .iter()
        .map(|service| spec(KafkaOptions::replays(service), 3, EVENT_DAYS));
    events.chain(dead).chain(replays).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_counts_when_all_but_one_of_three_have_it() {
        for (replication, expected) in [(1, "1"), (2, "1"), (3, "2"), (5, "2")] {
            let specs = topic_specs(12, replication);
            let min = ("min.insync.replicas", expected.to_owned());
            assert!(specs.iter().all(|spec| spec.config.contains(&min)));
        }
        assert_eq!(topic_specs(12, 3).len(), TOPICS.len() + 2 * CONSUMERS.len());
    }
}
