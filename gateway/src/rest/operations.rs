//! What operators see of the running system.

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderName, HeaderValue, Uri, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use futures::StreamExt as _;

use super::{
    failure::Failure,
    query::Params,
    responses::{OperatorRefused, Refused},
    types::Services,
};
use crate::core::Core;

/// Lets operators through. What they are answered is kept by nobody.
pub(crate) async fn operators_only(
    State(core): State<Core>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = match core.access.check(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(error) => Failure::not_let_in(error).into_response(),
    };
    let headers = response.headers_mut();
    let no_store = HeaderValue::from_static("no-store");
    headers.insert(header::CACHE_CONTROL, no_store);
    // Records hold what anybody wrote to Kafka: no browser is to take it for markup.
    let nosniff = HeaderValue::from_static("nosniff");
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    response
}

/// See how the services are
///
/// Every service with what it waits for and what it did, at most a second old. For
/// operators.
#[utoipa::path(
    get,
    path = "/ops/services",
    operation_id = "getServices",
    tag = "operations",
    responses(
        (status = 200, description = "The services", body = Services),
        Refused, OperatorRefused,
    ),
)]
pub(crate) async fn services(State(core): State<Core>, uri: Uri) -> Result<Response, Failure> {
    Params::of(&uri).finish(Some(()))?;
    let services = core.feed.services().await?;
    Ok(([(header::CONTENT_TYPE, "application/json")], services).into_response())
}

/// Watch the system
///
/// Server-sent events, without end: `services` every second, as `GET /ops/services`
/// answers; `orders`, the 20 newest, whenever they change; `analytics` (`stats`, `rate`,
/// `topProducts`, `productPairs` and `funnel`, each as its own address answers, or null)
/// whenever they change. What there is comes at once. Should the stream have to end, the
/// last event is a `problem`. For operators.
#[utoipa::path(
    get,
    path = "/ops/live",
    operation_id = "watchSystem",
    tag = "operations",
    responses(
        (
            status = 200,
            description = "Documents, each as the data of one event; of `services` like this",
            body = Services,
            content_type = "text/event-stream",
        ),
        Refused, OperatorRefused,
    ),
)]
pub(crate) async fn live(State(core): State<Core>, uri: Uri) -> Result<Response, Failure> {
    Params::of(&uri).finish(Some(()))?;
    let events = core.feed.watch()?.map(Ok::<_, std::convert::Infallible>);
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        // Proxies that gather answers before handing them on would hold events back.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::from_stream(events)).into_response())
}
