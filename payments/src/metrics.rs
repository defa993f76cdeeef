//! What is counted and timed. Labels are outcomes: bounded.

use std::time::Duration;

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Histogram, Meter},
};
use proto::event::PaymentResult;

use crate::provider::{Answer, ChargeError};

/// Bounds of the histogram of charges, in seconds: from a mock's to a bank's.
const SECONDS: [f64; 12] = [
    0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// The service's instruments.
#[derive(Debug)]
pub struct Metrics {
    charges: Histogram<f64>,
    settled: Counter<u64>,
    taken_over: Counter<u64>,
    swept: Counter<u64>,
}

impl Metrics {
    /// Instruments of this meter.
    pub fn new(meter: &Meter) -> Self {
        Self {
            charges: meter
                .f64_histogram("ordermesh.payments.charge.duration")
                .with_unit("s")
                .with_description("How long attempts at the provider took, by outcome")
                .with_boundaries(SECONDS.to_vec())
                .build(),
            settled: meter
                .u64_counter("ordermesh.payments.settled")
                .with_description("Payments settled, by outcome")
                .build(),
            taken_over: meter
                .u64_counter("ordermesh.payments.taken_over")
                .with_description("Late results refused because another worker had the payment")
                .build(),
            swept: meter
                .u64_counter("ordermesh.payments.swept")
                .with_description("Payments that the sweeper took up, by what became of them")
                .build(),
        }
    }

    pub(crate) fn charged(&self, took: Duration, answer: &Result<Answer, ChargeError>) {
        let outcome = match answer {
            Ok(answer) => result(answer.result),
            Err(error) => kind(error),
        };
        self.charges
            .record(took.as_secs_f64(), &[KeyValue::new("outcome", outcome)]);
    }

    pub(crate) fn settled(&self, outcome: PaymentResult) {
        self.settled
            .add(1, &[KeyValue::new("outcome", result(outcome))]);
    }

    pub(crate) fn taken_over(&self) {
        self.taken_over.add(1, &[]);
    }

    pub(crate) fn swept(&self, outcome: &'static str) {
        self.swept.add(1, &[KeyValue::new("outcome", outcome)]);
    }
}

pub(crate) const fn result(result: PaymentResult) -> &'static str {
    match result {
        PaymentResult::Captured => "captured",
        PaymentResult::Declined(_) => "declined",
    }
}

/// A short name for metrics and spans.
pub(crate) const fn kind(error: &ChargeError) -> &'static str {
    match error {
        ChargeError::Processing(_) => "processing_error",
        ChargeError::KeyReused => "key_reused",
        ChargeError::Unavailable(_) => "unavailable",
    }
}
