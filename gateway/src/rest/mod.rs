//! The REST door: JSON over HTTP, for browsers and for tools without gRPC; and the
//! web pages behind the same door.
//!
//! Invariant: what is served and what the document says is the same, because a
//! route is added together with its description, and every failure leaves as a
//! problem (RFC 9457), the router's own included.

mod analytics;
mod body;
mod docs;
mod failure;
pub(crate) mod json;
mod mails;
mod operations;
mod orders;
mod query;
mod records;
mod responses;
mod stage;
mod track;
pub(crate) mod types;
mod watching;

use axum::{
    Extension, Json, Router,
    extract::{Request, State},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
};
use chassis::error::Error;
use serde::Serialize;
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    core::Core,
    pages::{self, PageOptions},
};
pub(crate) use failure::Failure;
pub(crate) use orders::order;

/// All headers of a request together. The server reads twice as much before it
/// hangs up, so that up to there the answer can be a problem.
const MAX_HEADER_BYTES: usize = 8 * 1024;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Ordermesh",
        description = "Place orders and see what becomes of them. Integers are below 2^53 and \
            may be sent as numbers or as texts of decimal digits; they are answered as numbers. \
            Money is in minor units of its currency (999 is 9.99 USD). Every failure is a \
            problem as in RFC 9457.",
    ),
    // Those that only failures and parameters name.
    components(schemas(types::Problem, types::BucketWidth, types::ProductRanking)),
    tags(
        (name = "orders", description = "Place orders, look at them, watch them happen"),
        (name = "events", description = "Record what users do"),
        (name = "analytics", description = "What all orders together say"),
        (name = "operations", description = "For operators: how the system is, with \
            `Authorization: Bearer` and the token that the gateway was given"),
        (name = "documents", description = "This document"),
    ),
)]
struct Document;

/// The routes whose requests pass the gate.
fn gated() -> OpenApiRouter<Core> {
    OpenApiRouter::default()
        .routes(routes!(orders::place_order))
        .routes(routes!(orders::list_orders, orders::place_order_too))
        .routes(routes!(orders::list_orders_of_user))
        .routes(routes!(orders::get_payment))
        .routes(routes!(orders::list_notifications))
        .routes(routes!(mails::get_notification))
        .routes(routes!(mails::notification_html))
        .routes(routes!(track::track_event))
        .routes(routes!(analytics::stats))
        .routes(routes!(analytics::rate))
        .routes(routes!(analytics::top_products))
        .routes(routes!(analytics::product_pairs))
        .routes(routes!(analytics::user))
        .routes(routes!(analytics::funnel))
}

/// The routes that hold their caller back, and so take a watcher's place instead
/// of one at the gate; and the documents, which cost nothing.
fn open() -> OpenApiRouter<Core> {
    OpenApiRouter::default()
        .routes(routes!(watching::get_order))
        .routes(routes!(watching::order_events))
        .routes(routes!(docs::openapi))
}

/// The routes for operators. They stand beside the gate: what they cost is bounded where
/// it is done, and somebody must be able to look while everybody else is refused.
fn operators() -> OpenApiRouter<Core> {
    OpenApiRouter::default()
        .routes(routes!(operations::services))
        .routes(routes!(operations::live))
        .routes(routes!(records::order_records))
        .routes(routes!(records::dead_letters))
        .routes(routes!(records::replay))
}

/// The door: the API, and the pages that use it.
///
/// An error is a page of ours that does not render.
pub(crate) fn router(core: Core, options: &PageOptions) -> anyhow::Result<Router> {
    let gate = middleware::from_fn_with_state(core.clone(), through_gate);
    let operators_only = middleware::from_fn_with_state(core.clone(), operations::operators_only);
    let (router, document) = OpenApiRouter::with_openapi(Document::openapi())
        .merge(gated().route_layer(gate))
        .merge(open())
        .merge(operators().route_layer(operators_only))
        .split_for_parts();
    let router = router
        .merge(pages::router(options, &document)?)
        .fallback(async || Failure::no_such_path())
        .method_not_allowed_fallback(async || Failure::no_such_method())
        .layer(Extension(docs::Document::new(&document)))
        .layer(middleware::from_fn(bound_headers))
        .with_state(core);
    Ok(router)
}

/// Refuses what is more than can be done at once, before anything is read of it.
async fn through_gate(State(core): State<Core>, request: Request, next: Next) -> Response {
    match core.gate.enter() {
        Ok(_entered) => next.run(request).await,
        Err(error) => Failure::from(error).into_response(),
    }
}

async fn bound_headers(request: Request, next: Next) -> Response {
    let length: usize = request
        .headers()
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    if length > MAX_HEADER_BYTES {
        return Failure::long_headers().into_response();
    }
    next.run(request).await
}

/// An answer that is shown as it is.
type Answer<T> = Result<Json<T>, Failure>;

/// Shows what a service answered.
fn shown<Row, Shown>(answer: Result<Row, Error>) -> Answer<Shown>
where
    Shown: TryFrom<Row, Error = Error> + Serialize,
{
    let row = answer.map_err(failure::by_rest_names)?;
    Ok(Json(Shown::try_from(row)?))
}
