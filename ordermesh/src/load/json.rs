//! A run for machines.

use std::time::Duration;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::{answer::Outcome, latencies::Latencies, options::Mode, report::Report, tally::Part};

impl Report {
    /// All figures; times in microseconds unless the name says otherwise.
    pub fn json(&self) -> Value {
        let mut json = json!({
            "door": self.options().door,
            "target": self.options().target,
            "connections": self.connections(),
            "seed": self.options().seed,
            "seconds": self.window().as_secs_f64(),
            "interrupted": self.is_interrupted(),
            "sentPerSecond": self.sent_per_second(),
            "acceptedPerSecond": self.accepted_per_second(),
            "latencyMicros": {
                "accepted": micros(self.latencies(Outcome::Accepted)),
                "refused": micros(self.latencies(Outcome::Refused)),
                "failed": micros(self.latencies(Outcome::Failed)),
            },
            "lateMicros": micros(self.late_ones()),
            "errors": self.faults(),
        });
        match self.options().mode {
            Mode::Open { rate, ramp } => {
                json["mode"] = "open".into();
                json["rate"] = rate.into();
                json["inFlight"] = self.options().in_flight.into();
                json["rampSeconds"] = ramp.as_secs_f64().into();
                json["ramp"] = counts(self.ramp());
            }
            Mode::Closed { clients } => {
                json["mode"] = "closed".into();
                json["clients"] = clients.into();
            }
        }
        if let (Some(json), Value::Object(counts)) = (json.as_object_mut(), counts(self.steady())) {
            json.extend(counts);
        }
        json
    }
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.json().serialize(serializer)
    }
}

fn counts(part: &Part) -> Value {
    json!({
        "sent": part.sent,
        "accepted": part.count(Outcome::Accepted),
        "refused": part.count(Outcome::Refused),
        "failed": part.count(Outcome::Failed),
        "notSent": part.not_sent,
        "unanswered": part.unanswered(),
        "repeated": part.repeated,
    })
}

fn micros(latencies: &Latencies) -> Value {
    let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let at = |percentile| micros(latencies.percentile(percentile));
    json!({
        "p50": at(50.0),
        "p90": at(90.0),
        "p99": at(99.0),
        "p999": at(99.9),
        "max": micros(latencies.max()),
    })
}

#[cfg(test)]
mod tests {
    use super::{
        super::report::tests::{open, report, tally},
        *,
    };

    #[test]
    fn json_says_the_same_in_microseconds() {
        let json = serde_json::to_value(open(tally())).unwrap();
        assert_eq!(json["mode"], "open");
        assert_eq!(json["door"], "rest");
        assert_eq!(json["accepted"], 99);
        assert_eq!(json["ramp"]["accepted"], 7);
        assert_eq!(json["latencyMicros"]["accepted"]["p50"], 1_000);
        assert_eq!(json["errors"][0]["kind"], "OVERLOADED");
        assert_eq!(json["errors"][0]["outcome"], "refused");
        let closed = report(Mode::Closed { clients: 4 }, tally(), Duration::from_secs(2));
        assert_eq!(closed.json()["mode"], "closed");
        assert_eq!(closed.json()["clients"], 4);
    }
}
