//! Looking at one order: now, when it has come so far, or as it happens.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::{Path, State},
    http::{HeaderMap, StatusCode, Uri},
    response::{
        IntoResponse as _, Response,
        sse::{Event as Sent, KeepAlive, Sse},
    },
};
use chassis::{error::Error, grpc::Deadline};
use futures::{Stream, StreamExt as _, stream};
use http::HeaderName;
use proto::{id::OrderId, orders::v1::OrderView as View};

use super::{
    Answer,
    failure::Failure,
    query::Params,
    responses::{Refused, Unknown},
    shown,
    stage::{Seen, StageReached},
    types::OrderView,
};
use crate::{core::Core, watch::Watch};

/// Between two signs of life on a quiet stream. Below the 30 to 60 s after which
/// proxies take a silent connection for dead.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// The header with the id of the last event seen (HTML, section 9.2.4).
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// How far an order has to have come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Until {
    #[default]
    Stored,
    Final,
}

impl Until {
    const NAMES: [&'static str; 2] = ["stored", "final"];

    fn parse(text: &str) -> Option<Self> {
        match text {
            "stored" => Some(Self::Stored),
            "final" => Some(Self::Final),
            _ => None,
        }
    }

    fn is_reached(self, view: &View) -> bool {
        self == Self::Stored || view.r#final
    }
}

/// Get an order
///
/// With what each service knows of it. An order that was just accepted is not
/// stored yet; `wait` holds the answer back until it is.
#[utoipa::path(
    get,
    path = "/orders/{orderId}",
    operation_id = "getOrder",
    tag = "orders",
    params(
        ("orderId" = uuid::Uuid, Path, description = "The id from placing the order"),
        ("wait" = Option<String>, Query, description = "How long to hold the answer back at most: \
            up to 30s with its unit, such as 5s or 500ms", example = "5s"),
        ("until" = Option<String>, Query, description = "What to wait for: `stored` (the default) \
            or `final`", example = "final"),
    ),
    responses((status = 200, description = "The order", body = OrderView), Refused, Unknown),
)]
pub(crate) async fn get_order(
    State(core): State<Core>,
    Path(order_id): Path<String>,
    uri: Uri,
) -> Answer<OrderView> {
    let mut params = Params::of(&uri);
    let id = params.order_id(&order_id);
    let wait = params.wait();
    let until = params
        .one_of("until", &Until::NAMES, Until::parse)
        .unwrap_or_default();
    let id = params.finish(id)?;
    if !wait.is_zero() {
        let watch = core.hub.watch(id)?;
        if let Some(view) = hold(watch, until, wait).await? {
            return shown(Ok(Arc::unwrap_or_clone(view)));
        }
    }
    let _entered = core.gate.enter()?;
    shown(core.view(id, Deadline::after(core.timeouts.read)).await)
}

/// The order once it has come so far, or as far as it came in time.
async fn hold(mut watch: Watch, until: Until, wait: Duration) -> Result<Option<Arc<View>>, Error> {
    let mut newest = None;
    let end = tokio::time::Instant::now() + wait;
    while let Ok(Some(next)) = tokio::time::timeout_at(end, watch.next()).await {
        let view = next?;
        let is_reached = until.is_reached(&view);
        newest = Some(view);
        if is_reached {
            break;
        }
    }
    Ok(newest)
}

/// Watch an order happen
///
/// Server-sent events: each stage as it happens, then `final`, then the end. An
/// event's id names every stage sent so far; with `Last-Event-ID` (browsers send
/// it by themselves) only what is missing is sent. Should the watch fail, for
/// instance because no such order appears within 30 s, the last event is a
/// `problem`.
#[utoipa::path(
    get,
    path = "/orders/{orderId}/events",
    operation_id = "watchOrder",
    tag = "orders",
    params(
        ("orderId" = uuid::Uuid, Path, description = "The id from placing the order"),
        ("Last-Event-ID" = Option<String>, Header, description = "The id of the last event seen"),
    ),
    responses(
        (
            status = 200,
            description = "The stages, each as the data of one event",
            body = StageReached,
            content_type = "text/event-stream",
        ),
        (status = 204, description = "`final` was seen already: there is nothing to come back for"),
        Refused,
    ),
)]
pub(crate) async fn order_events(
    State(core): State<Core>,
    Path(order_id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let mut params = Params::of(&uri);
    let id = params.order_id(&order_id);
    let id = params.finish(id)?;
    let last = headers
        .get(LAST_EVENT_ID)
        .and_then(|value| value.to_str().ok());
    let seen = last.map(Seen::of_last_event_id).unwrap_or_default();
    if seen.is_final() {
        // The one answer that keeps a browser from coming back (HTML, section
        // 9.2.3).
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let events = Sse::new(events(core.hub.watch(id)?, id, seen))
        .keep_alive(KeepAlive::new().interval(HEARTBEAT));
    // Proxies that gather answers before handing them on would hold events
    // back.
    let no_buffer = [(HeaderName::from_static("x-accel-buffering"), "no")];
    Ok((no_buffer, events).into_response())
}

fn events(
    watch: Watch,
    id: OrderId,
    mut seen: Seen,
) -> impl Stream<Item = Result<Sent, Infallible>> + Send {
    watch.into_stream().flat_map(move |next| {
        let sent = next
            .and_then(|view| told(&mut seen, &view))
            .unwrap_or_else(|error| {
                tracing::debug!(order_id = %id, cause = error.cause(), "a watch ended early");
                vec![problem(&error)]
            });
        stream::iter(sent.into_iter().map(Ok))
    })
}

/// The events that a view is worth.
fn told(seen: &mut Seen, view: &View) -> Result<Vec<Sent>, Error> {
    let event = |event: super::stage::Event| {
        let sent = Sent::default()
            .id(event.id)
            .event(event.kind)
            .json_data(event.data);
        sent.map_err(Error::internal)
    };
    seen.news(view)?.into_iter().map(event).collect()
}

/// Why a watch ended before its order did. Not called `error`: that is what
/// browsers call a lost connection.
fn problem(error: &Error) -> Sent {
    Sent::default()
        .event("problem")
        .json_data(error.problem())
        .unwrap_or_default()
}
