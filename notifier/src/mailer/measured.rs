//! Counts and times what a mailer does.

use std::{sync::Arc, time::Instant};

use async_trait::async_trait;
use opentelemetry::{
    KeyValue,
    metrics::{Histogram, Meter},
};
use proto::time::UnixMicros;

use super::{Mailer, Sent};
use crate::mail::StoredMail;

/// Bounds of the histograms, in seconds: from a server beside us to one that keeps
/// putting off.
const SECONDS: [f64; 14] = [
    0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0,
];

/// A mailer that is measured. Labels are outcomes: bounded.
pub struct Measured {
    inner: Arc<dyn Mailer>,
    sends: Histogram<f64>,
    wait: Histogram<f64>,
}

impl Measured {
    /// Measures with instruments of this meter.
    pub fn new(inner: Arc<dyn Mailer>, meter: &Meter) -> Self {
        Self {
            inner,
            sends: meter
                .f64_histogram("ordermesh.notifier.send.duration")
                .with_unit("s")
                .with_description("How long attempts to send a mail took, by outcome")
                .with_boundaries(SECONDS.to_vec())
                .build(),
            wait: meter
                .f64_histogram("ordermesh.notifier.mail.wait")
                .with_unit("s")
                .with_description("From writing a mail until the mail server took it")
                .with_boundaries(SECONDS.to_vec())
                .build(),
        }
    }
}

impl std::fmt::Debug for Measured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Measured")
    }
}

#[async_trait]
impl Mailer for Measured {
    async fn send(&self, mail: &StoredMail) -> Sent {
        let start = Instant::now();
        let sent = self.inner.send(mail).await;
        let outcome = match &sent {
            Sent::Taken => "taken",
            Sent::Deferred(_) => "deferred",
            Sent::Refused(_) => "refused",
            Sent::Lost(_) => "lost",
            Sent::Unreachable(_) => "unreachable",
        };
        let outcome = KeyValue::new("outcome", outcome);
        self.sends.record(start.elapsed().as_secs_f64(), &[outcome]);
        if sent == Sent::Taken {
            let waited = UnixMicros::now().duration_since(mail.created_at);
            self.wait.record(waited.as_secs_f64(), &[]);
        }
        sent
    }

    async fn probe(&self) -> Result<(), String> {
        self.inner.probe().await
    }
}
