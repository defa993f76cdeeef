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
mod guard;
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

use axum::{Extension, Json, Router, handler::Handler as _, middleware};
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
    let [gated, open, operators] =
        [gated(), open(), operators()].map(OpenApiRouter::split_for_parts);
    let document = [gated.1, open.1, operators.1]
        .into_iter()
        .fold(Document::openapi(), utoipa::openapi::OpenApi::merge_from);
    let operators_only = middleware::from_fn_with_state(core.clone(), operations::operators_only);
    let ungated = open
        .0
        .layer(Extension(docs::Document::new(&document)))
        .merge(operators.0.route_layer(operators_only))
        .merge(pages::router(options, &document)?)
        .route_layer(guard::headers());
    let no_such_path = async || Failure::no_such_path();
    let no_such_method = async || Failure::no_such_method();
    let router = gated
        .0
        .route_layer(guard::gate(core.gate.clone()))
        .merge(ungated)
        .fallback(no_such_path.layer(guard::headers()))
        .method_not_allowed_fallback(no_such_method.layer(guard::headers()))
        .with_state(core);
    Ok(router)
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
