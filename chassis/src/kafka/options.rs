//! Settings of Kafka clients.

use std::{collections::BTreeMap, sync::Arc};

use rdkafka::ClientConfig;

use super::embedded::Admission;
use crate::config::Config;

/// Settings shared by every Kafka client of a process: the section `KAFKA`.
///
/// Besides ours, any librdkafka setting passes through:
/// `KAFKA__SECURITY_PROTOCOL=sasl_ssl` sets `security.protocol`.
#[derive(Debug, Clone)]
pub struct KafkaOptions {
    brokers: String,
    topic_prefix: String,
    properties: BTreeMap<String, String>,
    admission: Option<Arc<Admission>>,
}

/// What a topic's name ends with that takes dead letters back.
const REPLAYS: &str = ".replay.v1";

/// Settings that our guarantees rest on; setting them otherwise would make the
/// documentation untrue.
const OURS: &[&str] = &[
    "bootstrap.servers",
    "group.id",
    "acks",
    // The same by its other name.
    "request.required.acks",
    "message.timeout.ms",
    "delivery.timeout.ms",
    "message.max.bytes",
    "enable.idempotence",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "isolation.level",
    "partition.assignment.strategy",
    "partitioner",
];

impl KafkaOptions {
    /// Reads the section `KAFKA`. Mistakes collect in `config`.
    pub fn read(config: &mut Config) -> Self {
        let mut section = config.section("KAFKA");
        let brokers = section.get(
            "BROKERS",
            "127.0.0.1:9092",
            "host:port of some brokers, separated by commas",
        );
        let topic_prefix = section.get(
            "TOPIC_PREFIX",
            "",
            "put before every topic and consumer group, to share a cluster",
        );
        let mut properties = BTreeMap::new();
        for (name, value) in section.rest() {
            let property = name.to_ascii_lowercase().replace('_', ".");
            if OURS.contains(&property.as_str()) {
                section.mistake(
                    &name,
                    format!("{property} is fixed: our guarantees rest on it"),
                );
            } else {
                properties.insert(property, value);
            }
        }
        let options = Self {
            brokers,
            topic_prefix,
            properties,
            admission: None,
        };
        // librdkafka checks names and values; one at a time, so all mistakes show.
        for (property, value) in &options.properties {
            let mut probe = ClientConfig::new();
            probe.set(property, value);
            if let Err(error) = probe.create_native_config() {
                let name = property.to_ascii_uppercase().replace('.', "_");
                let hint = if value.to_ascii_lowercase().contains("ssl") {
                    "; TLS needs a build with `--features chassis/tls`"
                } else {
                    ""
                };
                section.mistake(&name, format!("librdkafka refuses it: {error}{hint}"));
            }
        }
        options
    }

    /// Settings for a broker of our own, without any file or environment.
    pub fn for_brokers(brokers: impl Into<String>) -> Self {
        Self {
            brokers: brokers.into(),
            topic_prefix: String::new(),
            properties: BTreeMap::new(),
            admission: None,
        }
    }

    /// Refuses publishing by what the embedded broker can hold.
    pub fn with_admission(mut self, admission: Arc<Admission>) -> Self {
        self.admission = Some(admission);
        self
    }

    /// What the embedded broker can still take; `None` on a real cluster.
    pub fn admission(&self) -> Option<&Arc<Admission>> {
        self.admission.as_ref()
    }

    /// A topic's name on the cluster.
    pub fn topic(&self, name: &str) -> String {
        format!("{}{name}", self.topic_prefix)
    }

    /// A topic's name to us, from that on the cluster.
    pub(crate) fn logical<'t>(&self, topic: &'t str) -> &'t str {
        topic
            .strip_prefix(self.topic_prefix.as_str())
            .unwrap_or(topic)
    }

    /// The consumer group of a service.
    pub fn group(&self, service: &str) -> String {
        format!("{}ordermesh.{service}", self.topic_prefix)
    }

    /// The dead-letter topic of a service.
    pub fn dead_letters(service: &str) -> String {
        format!("{service}.dlq.v1")
    }

    /// The topic through which a service gets dead letters back.
    pub fn replays(service: &str) -> String {
        format!("{service}{REPLAYS}")
    }

    /// Whether some service gets dead letters back through a topic.
    pub(super) fn is_replays(topic: &str) -> bool {
        topic.ends_with(REPLAYS)
    }

    /// What every client starts from.
    pub(crate) fn client(&self, service: &str) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", format!("ordermesh.{service}"))
            // Tells lag and whether brokers answer; see `ClusterWatch`.
            .set("statistics.interval.ms", "2000")
            // A broker that returns is found within this; the default of 10 s
            // would be most of our bound of 15 s.
            .set("reconnect.backoff.max.ms", "2000")
            .set("socket.keepalive.enable", "true")
            // librdkafka reports a lost idle connection as an error otherwise.
            .set("log.connection.close", "false");
        self.overrule(&mut config);
        config
    }

    /// Puts what was set from the outside above what a client was tuned to.
    pub(crate) fn overrule(&self, config: &mut ClientConfig) {
        for (property, value) in &self.properties {
            config.set(property, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> (KafkaOptions, Result<(), crate::config::ConfigError>) {
        let environment = pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        let mut config = Config::load(None, environment);
        let options = KafkaOptions::read(&mut config);
        (options, config.finish())
    }

    #[test]
    fn any_librdkafka_setting_passes_through() {
        let (options, result) = read(&[("KAFKA__SASL_MECHANISM", "PLAIN")]);
        result.unwrap();
        assert_eq!(
            options.client("payments").get("sasl.mechanism"),
            Some("PLAIN")
        );
    }

    #[test]
    fn what_is_set_from_the_outside_stands_above_what_a_client_was_tuned_to() {
        let (options, _) = read(&[("KAFKA__QUEUED_MIN_MESSAGES", "50")]);
        let mut config = options.client("payments");
        config.set("queued.min.messages", "1000");
        options.overrule(&mut config);
        assert_eq!(config.get("queued.min.messages"), Some("50"));
    }

    #[test]
    fn unknown_wrong_and_fixed_settings_are_all_told() {
        let (_, result) = read(&[
            ("KAFKA__NO_SUCH_THING", "1"),
            ("KAFKA__SOCKET_TIMEOUT_MS", "soon"),
            ("KAFKA__ACKS", "1"),
            ("KAFKA__REQUEST_REQUIRED_ACKS", "1"),
        ]);
        let crate::config::ConfigError(mistakes) = result.unwrap_err();
        assert_eq!(mistakes.len(), 4, "{mistakes:?}");
    }

    #[test]
    fn a_prefix_keeps_two_systems_on_one_cluster_apart() {
        let (options, _) = read(&[("KAFKA__TOPIC_PREFIX", "staging.")]);
        assert_eq!(options.topic("orders.v1"), "staging.orders.v1");
        assert_eq!(options.logical("staging.orders.v1"), "orders.v1");
        assert_eq!(options.group("payments"), "staging.ordermesh.payments");
    }
}
