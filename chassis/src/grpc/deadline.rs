//! How long a caller still waits.
//!
//! Invariant: a call made on behalf of another gets less time than is left of
//! the other's, so the one nearest to the caller gives up last and can still
//! answer.

use std::time::{Duration, Instant};

use tonic::Request;

/// Kept back at each hop for the answer's way home and for its making.
const MARGIN: Duration = Duration::from_millis(5);

/// A point in time after which the caller is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// So long from now.
    pub fn after(time: Duration) -> Self {
        Self(Instant::now() + time)
    }

    /// The sooner of the caller's own (`grpc-timeout`, gRPC over HTTP/2) and
    /// ours.
    pub fn of_request<T>(request: &Request<T>, ours: Duration) -> Self {
        let callers = request
            .metadata()
            .get("grpc-timeout")
            .and_then(|value| value.to_str().ok())
            .and_then(parse_timeout);
        Self::after(callers.map_or(ours, |callers| callers.min(ours)))
    }

    /// What is left; zero when it has passed.
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Whether the caller is gone.
    pub fn has_passed(self) -> bool {
        self.remaining().is_zero()
    }

    /// The sooner of this one and one so long from now.
    pub fn at_most(self, time: Duration) -> Self {
        self.min(Self::after(time))
    }

    /// As an instant, for tokio's timers.
    pub fn instant(self) -> tokio::time::Instant {
        self.0.into()
    }

    /// What a call on the caller's behalf may take.
    pub fn for_next_hop(self) -> Duration {
        let remaining = self.remaining();
        // A margin larger than the rest would turn a short deadline into none.
        remaining.saturating_sub(MARGIN.min(remaining / 4))
    }

    /// A request that carries what a call on the caller's behalf may take.
    pub fn request<T>(self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(self.for_next_hop());
        request
    }
}

/// `TimeoutValue TimeoutUnit`: at most 8 digits and one of H M S m u n.
fn parse_timeout(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let digits = text.strip_suffix(unit)?;
    if digits.is_empty() || digits.len() > 8 {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    Some(match unit {
        'H' => Duration::from_secs(number * 3600),
        'M' => Duration::from_secs(number * 60),
        'S' => Duration::from_secs(number),
        'm' => Duration::from_millis(number),
        'u' => Duration::from_micros(number),
        'n' => Duration::from_nanos(number),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_shrink_hop_by_hop_and_never_grow() {
        let ours = Deadline::after(Duration::from_secs(1));
        let next = Deadline::of_request(&ours.request(()), Duration::from_secs(10));
        assert!(next.remaining() < Duration::from_millis(996));
        let mut hop = Deadline::after(Duration::from_millis(1));
        for _ in 0..10 {
            let after = Deadline::of_request(&hop.request(()), Duration::from_secs(1));
            assert!(after <= hop.at_most(Duration::from_millis(2)));
            hop = after;
        }
    }

    #[test]
    fn the_wire_form_is_read_as_grpc_writes_it() {
        assert_eq!(parse_timeout("20m"), Some(Duration::from_millis(20)));
        assert_eq!(
            parse_timeout("99999999n"),
            Some(Duration::from_nanos(99_999_999))
        );
        for wrong in ["", "m", "1", "1x", "-1S", "123456789S", "1é"] {
            assert_eq!(parse_timeout(wrong), None, "{wrong}");
        }
    }
}
