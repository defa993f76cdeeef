//! Which traces are kept.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use opentelemetry::{
    Context, KeyValue,
    trace::{Link, SpanKind, TraceContextExt as _, TraceId, TraceState},
};
use opentelemetry_sdk::trace::{Sampler, SamplingDecision, SamplingResult, ShouldSample};

use super::{SamplerOption, TelemetryOptions};

/// The sampler that the options ask for.
pub(super) fn from_options(options: &TelemetryOptions) -> Box<dyn ShouldSample> {
    let root: Box<dyn ShouldSample> = match options.sampler {
        SamplerOption::AlwaysOn => Box::new(Sampler::AlwaysOn),
        SamplerOption::AlwaysOff => Box::new(Sampler::AlwaysOff),
        SamplerOption::Ratio(share) => Box::new(Sampler::TraceIdRatioBased(share)),
        SamplerOption::PerSecond(traces) => Box::new(PerSecond::new(traces)),
    };
    if options.parent_based {
        Box::new(Sampler::ParentBased(root))
    } else {
        root
    }
}

/// A token bucket over new traces: so many a second, and as many at once after
/// a quiet second.
///
/// Invariant: `next` is the virtual time (ns since start) at which the bucket
/// would be full again; a trace moves it by one interval, and is kept only while
/// it stays within one second of now (GCRA). One atomic, no lock.
#[derive(Debug, Clone)]
struct PerSecond {
    interval: u64,
    start: Instant,
    next: Arc<AtomicU64>,
}

const SECOND: u64 = 1_000_000_000;

impl PerSecond {
    fn new(traces: u32) -> Self {
        Self {
            interval: SECOND.checked_div(u64::from(traces)).unwrap_or(u64::MAX),
            start: Instant::now(),
            next: Arc::new(AtomicU64::new(0)),
        }
    }

    fn take_at(&self, now: u64) -> bool {
        self.next
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |next| {
                let after = next.max(now).checked_add(self.interval)?;
                (after <= now + SECOND).then_some(after)
            })
            .is_ok()
    }
}

impl ShouldSample for PerSecond {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        _: TraceId,
        _: &str,
        _: &SpanKind,
        _: &[KeyValue],
        _: &[Link],
    ) -> SamplingResult {
        let now = u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX - SECOND);
        let trace_state = parent.map_or_else(TraceState::default, |parent| {
            parent.span().span_context().trace_state().clone()
        });
        SamplingResult {
            decision: if self.take_at(now) {
                SamplingDecision::RecordAndSample
            } else {
                SamplingDecision::Drop
            },
            attributes: Vec::new(),
            trace_state,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_gets_a_seconds_worth_and_then_the_rate() {
        let bucket = PerSecond::new(100);
        let burst = (0..1_000).filter(|_| bucket.take_at(0)).count();
        assert_eq!(burst, 100);
        let kept = (0..10_000_u64)
            .filter(|i| bucket.take_at(i * SECOND / 1_000))
            .count();
        assert!(
            (990..=1_010).contains(&kept),
            "{kept} in 10 s at 1,000 a second"
        );
    }

    #[test]
    fn none_a_second_keeps_none() {
        assert!(!PerSecond::new(0).take_at(SECOND));
    }
}
