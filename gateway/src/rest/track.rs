//! Recording what users do.

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
};
use chassis::grpc::Deadline;
use proto::time::UnixMicros;

use super::{
    body,
    failure::Failure,
    json,
    query::Params,
    responses::{BodyRefused, Refused},
    types::{EventAccepted, EventRequest, event_draft},
};
use crate::{
    core::Core,
    validate::{self, Naming, Violations},
};

/// Record something a user did
///
/// Answers once every in-sync Kafka replica holds the event.
#[utoipa::path(
    post,
    path = "/events",
    operation_id = "trackEvent",
    tag = "events",
    request_body = EventRequest,
    responses(
        (status = 202, description = "The event is recorded", body = EventAccepted),
        Refused, BodyRefused,
    ),
)]
pub(crate) async fn track_event(
    State(core): State<Core>,
    request: Request,
) -> Result<(StatusCode, Json<EventAccepted>), Failure> {
    let deadline = Deadline::after(core.timeouts.place);
    Params::of(request.uri()).finish(Some(()))?;
    let body = body::read(request, deadline).await?;
    let mut violations = Violations::new(Naming::Json);
    let draft = json::object(&body, &mut violations)
        .map(|event| event_draft(event, &mut violations))
        .unwrap_or_default();
    let event = validate::event(&draft, UnixMicros::now(), violations)?;
    let event_id = core.track(&event, deadline).await?.to_string();
    Ok((StatusCode::ACCEPTED, Json(EventAccepted { event_id })))
}
