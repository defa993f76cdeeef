//! What librdkafka tells about a client: whether brokers answer, and its logs.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use rdkafka::{
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode},
};
use serde::Deserialize;

use crate::{health::ReadinessHandle, lock::locked};

/// Whether some broker answers, as a condition of readiness.
///
/// librdkafka reports that all brokers are down once, and nothing when one is
/// back; its statistics tell both.
#[derive(Debug)]
pub(super) struct ClusterWatch {
    condition: ReadinessHandle,
    /// What the cluster does not let us do.
    refused: Mutex<Option<String>>,
    lag: Mutex<HashMap<(String, i32), i64>>,
    /// Records on their way to a broker.
    queued: AtomicU64,
}

/// The parts of librdkafka's STATISTICS.md that we read.
#[derive(Deserialize)]
struct Statistics {
    #[serde(default)]
    msg_cnt: u64,
    #[serde(default)]
    brokers: HashMap<String, BrokerStatistics>,
    #[serde(default)]
    topics: HashMap<String, TopicStatistics>,
}

#[derive(Deserialize)]
struct BrokerStatistics {
    state: String,
}

#[derive(Deserialize)]
struct TopicStatistics {
    #[serde(default)]
    partitions: HashMap<String, PartitionStatistics>,
}

#[derive(Deserialize)]
struct PartitionStatistics {
    #[serde(default)]
    consumer_lag: i64,
}

impl ClusterWatch {
    pub(super) fn new(condition: ReadinessHandle) -> Arc<Self> {
        Arc::new(Self {
            condition,
            refused: Mutex::default(),
            lag: Mutex::default(),
            queued: AtomicU64::new(0),
        })
    }

    /// A broker has just answered.
    pub(super) fn answered(&self) {
        self.condition.set_ready();
    }

    /// The cluster has just let us do what it may refuse.
    pub(super) fn admitted(&self) {
        locked(&self.refused).take();
        self.answered();
    }

    /// Whether an error says that the cluster does not let us in; then that is what is
    /// waited for, until it does. librdkafka tells it once, and tries again.
    pub(super) fn refuses(&self, error: &KafkaError) -> bool {
        let refuses = matches!(
            error.rdkafka_error_code(),
            Some(
                RDKafkaErrorCode::GroupAuthorizationFailed
                    | RDKafkaErrorCode::ClusterAuthorizationFailed
                    | RDKafkaErrorCode::SaslAuthenticationFailed
            )
        );
        if refuses {
            let why = format!("the cluster refuses: {error}; grant it, work goes on by itself");
            self.condition.set_not_ready(why.clone());
            *locked(&self.refused) = Some(why);
        }
        refuses
    }

    /// librdkafka's statistics, every two seconds.
    pub(super) fn on_statistics(&self, json: &[u8]) {
        let Ok(statistics) = serde_json::from_slice::<Statistics>(json) else {
            return;
        };
        if statistics
            .brokers
            .values()
            .any(|broker| broker.state == "UP")
        {
            match &*locked(&self.refused) {
                Some(why) => self.condition.set_not_ready(why.clone()),
                None => self.condition.set_ready(),
            }
        } else {
            self.condition
                .set_not_ready("no broker answers; trying again until one does");
        }
        self.queued.store(statistics.msg_cnt, Ordering::Relaxed);
        let mut lag = locked(&self.lag);
        lag.clear();
        for (topic, statistics) in statistics.topics {
            for (partition, statistics) in statistics.partitions {
                // -1 is the internal "unassigned" partition, and an unknown lag.
                if let Ok(partition @ 0..) = partition.parse::<i32>()
                    && statistics.consumer_lag >= 0
                {
                    lag.insert((topic.clone(), partition), statistics.consumer_lag);
                }
            }
        }
    }

    /// Records that the producer holds, as of its last statistics.
    pub(super) fn queued(&self) -> u64 {
        self.queued.load(Ordering::Relaxed)
    }

    /// Lag of the partitions this client consumes, by topic and partition.
    pub(super) fn lag(&self) -> Vec<((String, i32), i64)> {
        locked(&self.lag)
            .iter()
            .map(|(key, lag)| (key.clone(), *lag))
            .collect()
    }

    pub(super) fn on_error(&self, error: &KafkaError, reason: &str) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) {
            self.condition
                .set_not_ready("no broker answers; trying again until one does");
        }
        // The condition's change is what an operator needs to see once; the
        // rest repeats with every attempt to connect.
        tracing::debug!(%error, reason, "librdkafka");
    }
}

/// librdkafka's log lines. Connection failures repeat by the second while a
/// broker is away, so they are for debugging; readiness tells the fact.
pub(super) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
            tracing::error!(facility, "{message}");
        }
        RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning
            if !matches!(facility, "FAIL" | "ERROR" | "REQTMOUT" | "MOCK") =>
        {
            tracing::warn!(facility, "{message}");
        }
        _ => tracing::debug!(facility, "{message}"),
    }
}
