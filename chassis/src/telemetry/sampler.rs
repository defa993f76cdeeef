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
    trace::{Link, SpanContext, SpanKind, TraceContextExt as _, TraceFlags, TraceId, TraceState},
};
use opentelemetry_sdk::trace::{
    IdGenerator as _, RandomIdGenerator, Sampler, SamplingDecision, SamplingResult, ShouldSample,
};
use tracing::Span;

use super::{SamplerOption, TelemetryOptions, Traced};

/// Decides about a trace before anything is made for it.
#[derive(Debug, Clone)]
pub(crate) struct Sampling {
    root: Root,
    parent_based: bool,
}

#[derive(Debug, Clone)]
enum Root {
    /// By count: decided here, and the sampler is told.
    PerSecond(PerSecond),
    Never,
    /// By what only a span has: the sampler decides.
    BySpan,
}

/// Put into the context of a trace that is to be kept: the sampler need not decide
/// again.
#[derive(Debug)]
struct Chosen;

impl Sampling {
    /// The samplers that the options ask for: this, and the SDK's.
    pub(super) fn from_options(options: &TelemetryOptions) -> (Self, Box<dyn ShouldSample>) {
        let per_second = match options.sampler {
            SamplerOption::PerSecond(traces) => Some(PerSecond::new(traces)),
            _ => None,
        };
        let root = match (&per_second, &options.sampler) {
            (Some(per_second), _) => Root::PerSecond(per_second.clone()),
            (None, SamplerOption::AlwaysOff) => Root::Never,
            (None, _) => Root::BySpan,
        };
        let sampling = Self {
            root,
            parent_based: options.parent_based,
        };
        (sampling, sdk_sampler(options, per_second))
    }

    /// Where something begins that a caller may have named a parent for.
    pub(crate) fn begin(&self, parent: Context, span: impl FnOnce() -> Span) -> Traced {
        let has_parent = parent.span().span_context().is_valid();
        if has_parent && self.parent_based {
            return Traced::child_of(parent, span);
        }
        match &self.root {
            Root::PerSecond(bucket) if bucket.take() => {
                Traced::below(parent.with_value(Chosen), span())
            }
            Root::PerSecond(_) | Root::Never if has_parent => Traced::in_context(passed(&parent)),
            Root::PerSecond(_) | Root::Never => Traced::not_kept(),
            Root::BySpan => Traced::below(parent, span()),
        }
    }
}

/// A new trace that is not kept.
pub(super) fn not_kept() -> Context {
    let ids = RandomIdGenerator::default();
    Context::new().with_remote_span_context(SpanContext::new(
        ids.new_trace_id(),
        ids.new_span_id(),
        TraceFlags::default(),
        false,
        TraceState::default(),
    ))
}

/// The same trace, not kept from here on.
fn passed(parent: &Context) -> Context {
    let span = parent.span().span_context().clone();
    parent.with_remote_span_context(SpanContext::new(
        span.trace_id(),
        span.span_id(),
        TraceFlags::default(),
        true,
        span.trace_state().clone(),
    ))
}

/// The sampler of the SDK.
fn sdk_sampler(options: &TelemetryOptions, per_second: Option<PerSecond>) -> Box<dyn ShouldSample> {
    let root: Box<dyn ShouldSample> = match (options.sampler, per_second) {
        (_, Some(per_second)) => Box::new(per_second),
        (SamplerOption::AlwaysOn, None) => Box::new(Sampler::AlwaysOn),
        (SamplerOption::Ratio(share), None) => Box::new(Sampler::TraceIdRatioBased(share)),
        (SamplerOption::AlwaysOff | SamplerOption::PerSecond(_), None) => {
            Box::new(Sampler::AlwaysOff)
        }
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

    fn take(&self) -> bool {
        let now = u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX - SECOND);
        self.take_at(now)
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
        let is_chosen = parent.is_some_and(|parent| parent.get::<Chosen>().is_some());
        let trace_state = parent.map_or_else(TraceState::default, |parent| {
            parent.span().span_context().trace_state().clone()
        });
        SamplingResult {
            decision: if is_chosen || self.take() {
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
