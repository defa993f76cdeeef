//! What a service says of itself: the admin server's `/status`, as far as it is
//! read here.

use chassis::window::Distribution;
use serde::Deserialize;

/// One instance's word.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Status {
    pub(crate) version: String,
    pub(crate) uptime_seconds: u64,
    pub(crate) ready: bool,
    #[serde(default)]
    pub(crate) conditions: Vec<Condition>,
    /// Of those that consume.
    #[serde(default)]
    pub(crate) consumer: Option<Consumer>,
    /// Of gateways.
    #[serde(default)]
    pub(crate) orders: Option<Intake>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Condition {
    pub(crate) name: String,
    pub(crate) ready: bool,
    pub(crate) reason: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Consumer {
    pub(crate) topics: Vec<Topic>,
    pub(crate) age: Age,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Topic {
    #[serde(rename = "topic")]
    pub(crate) name: String,
    pub(crate) records: u64,
    pub(crate) per_second: f64,
    pub(crate) dead_letters: u64,
    pub(crate) retries: u64,
    pub(crate) lag: Option<i64>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Age {
    pub(crate) counts: Distribution,
}

/// Orders that a gateway accepted.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Intake {
    pub(crate) per_second: f64,
}
