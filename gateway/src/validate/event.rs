//! The rules of a user event.

use std::time::Duration;

use proto::{
    event::{TrackedEvent, is_about_product},
    events::v1::UserEventType,
    id::{ProductId, UserEventId, UserId},
    orders::v1::TrackEventRequest,
    time::UnixMicros,
};

use super::{
    Path, Violations,
    names::{OCCURRED_AT, PRODUCT_ID, TYPE, USER_ID},
};

const DAY: Duration = Duration::from_secs(24 * 3600);
/// Clocks of callers run ahead.
const MOST_AHEAD: Duration = DAY;
/// Events of an app that was offline come late; older ones would fall into days
/// that nobody looks at any more.
const MOST_BACK: Duration = Duration::from_secs(30 * 24 * 3600);

/// An event as a caller sent it. Absent is what was not sent, or what a door
/// could not read and has told of already.
#[derive(Default)]
pub(crate) struct EventDraft {
    pub(crate) user_id: Option<i64>,
    pub(crate) kind: Option<UserEventType>,
    pub(crate) product_id: Option<i64>,
    pub(crate) occurred_at: Option<UnixMicros>,
}

impl EventDraft {
    /// Reads a gRPC request; what it cannot hold is told at once.
    pub(crate) fn of(request: &TrackEventRequest, violations: &mut Violations) -> Self {
        let at = Path::Root;
        let occurred_at = request
            .occurred_at
            .and_then(|time| violations.check(at.field(OCCURRED_AT), UnixMicros::try_from(time)));
        Self {
            user_id: Some(request.user_id),
            // A number of no known type and no type at all break the same rule.
            kind: Some(request.r#type()),
            product_id: request.product_id,
            occurred_at,
        }
    }
}

/// Checks an event against every rule, and gives it its id.
pub(crate) fn event(
    draft: &EventDraft,
    now: UnixMicros,
    mut violations: Violations,
) -> Result<TrackedEvent, chassis::error::Error> {
    let at = Path::Root;
    let user_id = violations
        .required(at.field(USER_ID), draft.user_id)
        .and_then(|id| violations.check(at.field(USER_ID), UserId::try_from(id)));
    let kind = violations
        .required(at.field(TYPE), draft.kind)
        .filter(|kind| *kind != UserEventType::Unspecified)
        .or_else(|| {
            violations.add(at.field(TYPE), "must be a known type of event");
            None
        });
    let product_id = draft
        .product_id
        .and_then(|id| violations.check(at.field(PRODUCT_ID), ProductId::try_from(id)));
    if kind.is_some_and(is_about_product) && draft.product_id.is_none() {
        violations.add(
            at.field(PRODUCT_ID),
            "is required for an event about a product",
        );
    }
    let occurred_at = draft.occurred_at.unwrap_or(now);
    let allowed = now.saturating_sub(MOST_BACK)..=now.saturating_add(MOST_AHEAD);
    if !allowed.contains(&occurred_at) {
        let rule = "must be at most 30 days back and at most 1 day ahead";
        violations.add(at.field(OCCURRED_AT), rule);
    }
    let valid = (|| {
        Some(TrackedEvent {
            event_id: UserEventId::random(),
            user_id: user_id?,
            kind: kind?,
            product_id,
            occurred_at,
        })
    })();
    violations.finish(valid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::Naming;

    fn viewed() -> TrackEventRequest {
        TrackEventRequest {
            user_id: 42,
            r#type: UserEventType::ProductViewed.into(),
            product_id: Some(7),
            occurred_at: None,
        }
    }

    fn check(request: &TrackEventRequest) -> Result<TrackedEvent, Vec<String>> {
        let mut violations = Violations::new(Naming::Proto);
        let draft = EventDraft::of(request, &mut violations);
        event(&draft, UnixMicros::now(), violations)
            .map_err(|error| error.violations().iter().map(|v| v.field.clone()).collect())
    }

    #[test]
    fn an_event_happened_now_unless_it_says_otherwise() {
        let event = check(&viewed()).unwrap();
        assert!(UnixMicros::now().duration_since(event.occurred_at) < Duration::from_secs(5));
    }

    #[test]
    fn all_broken_rules_are_told_together() {
        let request = TrackEventRequest {
            user_id: 0,
            r#type: 99,
            product_id: Some(-1),
            occurred_at: Some(prost_types::Timestamp {
                seconds: i64::MAX,
                nanos: 0,
            }),
        };
        assert_eq!(
            check(&request).unwrap_err(),
            ["occurred_at", "user_id", "type", "product_id"]
        );
    }

    #[test]
    fn product_events_need_a_product_and_a_checkout_does_not() {
        let mut request = TrackEventRequest {
            product_id: None,
            ..viewed()
        };
        assert_eq!(check(&request).unwrap_err(), ["product_id"]);
        request.set_type(UserEventType::CheckoutStarted);
        assert!(check(&request).is_ok());
    }

    #[test]
    fn only_the_last_month_and_the_next_day_count() {
        let at = |time: UnixMicros| TrackEventRequest {
            occurred_at: Some(time.into()),
            ..viewed()
        };
        let now = UnixMicros::now();
        for fine in [now.saturating_sub(29 * DAY), now.saturating_add(DAY / 2)] {
            check(&at(fine)).unwrap();
        }
        for wrong in [now.saturating_sub(31 * DAY), now.saturating_add(2 * DAY)] {
            assert_eq!(check(&at(wrong)).unwrap_err(), ["occurred_at"]);
        }
    }
}
