//! Placing orders and looking at them.

use axum::{
    Json,
    extract::{Path, Request, State},
    http::{StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
};
use chassis::{error::Error, grpc::Deadline};
use http::HeaderMap;
use proto::{
    history::v1::ListOrdersRequest,
    id::{OrderId, UserId},
    notifier::v1::ListNotificationsRequest,
};

use super::{
    Answer, body,
    failure::Failure,
    json,
    query::Params,
    responses::{BodyRefused, KeyRefused, Refused, Unknown},
    shown,
    types::{NotificationPage, OrderAccepted, OrderPage, OrderRequest, Payment, order_draft},
};
use crate::{
    core::Core,
    validate::{
        self, IdempotencyKey, InvalidKey, Name, Naming, OrderDraft, Path as At, ValidOrder,
        Violations, key_in_header,
    },
    view,
};

/// The header with the idempotency key (draft-ietf-httpapi-idempotency-key-header).
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// The same as problems name it.
const KEY_HEADER: Name = Name::same("Idempotency-Key");

/// Place an order
///
/// Answers once every in-sync Kafka replica holds the order. With an
/// `Idempotency-Key`, a retry is the same order for 30 days: send it again with
/// the same key whenever the answer did not arrive.
#[utoipa::path(
    post,
    path = "/order",
    operation_id = "placeOrder",
    tag = "orders",
    params((
        "Idempotency-Key" = Option<String>, Header,
        description = "1 to 255 visible ASCII characters, bare or as a quoted string (RFC 8941)",
    )),
    request_body = OrderRequest,
    responses(
        (
            status = 202,
            description = "The order is accepted",
            body = OrderAccepted,
            headers(("Location" = String, description = "The order's address")),
        ),
        Refused, BodyRefused, KeyRefused,
    ),
)]
pub(crate) async fn place_order(
    State(core): State<Core>,
    request: Request,
) -> Result<Response, Failure> {
    let deadline = Deadline::after(core.timeouts.place);
    Params::of(request.uri()).finish(Some(()))?;
    let key = header_key(request.headers());
    let body = body::read(request, deadline).await?;
    let order = order(&body, key)?;
    let accepted = core.place(order, deadline).await?;
    let location = [(header::LOCATION, format!("/orders/{}", accepted.order_id))];
    let body = Json(OrderAccepted::from(accepted));
    Ok((StatusCode::ACCEPTED, location, body).into_response())
}

/// Place an order, by its other path
///
/// The same as `POST /order`.
#[utoipa::path(
    post,
    path = "/orders",
    operation_id = "placeOrderToo",
    tag = "orders",
    params((
        "Idempotency-Key" = Option<String>, Header,
        description = "1 to 255 visible ASCII characters, bare or as a quoted string (RFC 8941)",
    )),
    request_body = OrderRequest,
    responses(
        (
            status = 202,
            description = "The order is accepted",
            body = OrderAccepted,
            headers(("Location" = String, description = "The order's address")),
        ),
        Refused, BodyRefused, KeyRefused,
    ),
)]
pub(crate) async fn place_order_too(
    core: State<Core>,
    request: Request,
) -> Result<Response, Failure> {
    place_order(core, request).await
}

/// The order that a body asks for, with the header's key, if there was one.
pub(crate) fn order(body: &[u8], key: Option<Result<String, String>>) -> Result<ValidOrder, Error> {
    let mut violations = Violations::new(Naming::Json);
    let mut draft = json::object(body, &mut violations)
        .map(|order| order_draft(order, &mut violations))
        .unwrap_or_default();
    if let Some(key) = key {
        add_key(key, &mut draft, &mut violations);
    }
    validate::order(draft, violations)
}

/// The header's key, or the rule it breaks; `None` without such a header.
fn header_key(headers: &HeaderMap) -> Option<Result<String, String>> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let value = values.next()?;
    if values.next().is_some() {
        return Some(Err("is given more than once".to_owned()));
    }
    let key = value.to_str().ok().and_then(key_in_header);
    // Checked here as well, so that a mistake in the header is told of the
    // header.
    let key = key.filter(|key| key.parse::<IdempotencyKey>().is_ok());
    Some(key.ok_or_else(|| InvalidKey.to_string()))
}

/// Adds the header's key to the draft.
fn add_key(key: Result<String, String>, draft: &mut OrderDraft, violations: &mut Violations) {
    let at = At::Root.field(KEY_HEADER);
    let Some(key) = violations.check(at, key) else {
        return;
    };
    match &draft.idempotency_key {
        Some(other) if *other != key => {
            violations.add(at, "differs from idempotencyKey in the body");
        }
        _ => draft.idempotency_key = Some(key),
    }
}

/// List orders
///
/// The latest orders of all users, newest first.
#[utoipa::path(
    get,
    path = "/orders",
    operation_id = "listOrders",
    tag = "orders",
    params(
        ("pageSize" = Option<u64>, Query, description = "0 means 50; above 1000 means 1000"),
        ("pageToken" = Option<String>, Query, description = "`nextPageToken` of the page before"),
    ),
    responses((status = 200, description = "A page of orders", body = OrderPage), Refused),
)]
pub(crate) async fn list_orders(State(core): State<Core>, uri: Uri) -> Answer<OrderPage> {
    let mut params = Params::of(&uri);
    let page = params.page();
    let page = params.finish(Some(page))?;
    let deadline = Deadline::after(core.timeouts.read);
    let request = ListOrdersRequest {
        user_id: None,
        page_size: page.size,
        page_token: page.token,
    };
    shown(core.backend.list_orders(request, deadline).await)
}

/// List a user's orders
///
/// Newest first.
#[utoipa::path(
    get,
    path = "/users/{userId}/orders",
    operation_id = "listOrdersOfUser",
    tag = "orders",
    params(
        ("userId" = i64, Path, description = "1 to 2^53-1"),
        ("pageSize" = Option<u64>, Query, description = "0 means 50; above 1000 means 1000"),
        ("pageToken" = Option<String>, Query, description = "`nextPageToken` of the page before"),
    ),
    responses((status = 200, description = "A page of orders", body = OrderPage), Refused),
)]
pub(crate) async fn list_orders_of_user(
    State(core): State<Core>,
    Path(user_id): Path<String>,
    uri: Uri,
) -> Answer<OrderPage> {
    let mut params = Params::of(&uri);
    let user_id: Option<UserId> = params.number_id("userId", &user_id);
    let page = params.page();
    let (user_id, page) = params.finish(user_id.map(|user_id| (user_id, page)))?;
    let deadline = Deadline::after(core.timeouts.read);
    let request = ListOrdersRequest {
        user_id: Some(user_id.get()),
        page_size: page.size,
        page_token: page.token,
    };
    shown(core.backend.list_orders(request, deadline).await)
}

/// Get an order's payment
#[utoipa::path(
    get,
    path = "/orders/{orderId}/payment",
    operation_id = "getPayment",
    tag = "orders",
    params(("orderId" = uuid::Uuid, Path, description = "The id from placing the order")),
    responses((status = 200, description = "The payment", body = Payment), Refused, Unknown),
)]
pub(crate) async fn get_payment(
    State(core): State<Core>,
    Path(order_id): Path<String>,
    uri: Uri,
) -> Answer<Payment> {
    let mut params = Params::of(&uri);
    let id = params.order_id(&order_id);
    let id = params.finish(id)?;
    let deadline = Deadline::after(core.timeouts.read);
    let payment = core
        .backend
        .payments(&[id], deadline)
        .await
        .and_then(|mut payments| {
            let missing = || no_payment(id);
            payments.pop().ok_or_else(missing)
        });
    shown(payment)
}

fn no_payment(id: OrderId) -> Error {
    Error::new(
        chassis::error::Reason::NotFound,
        "there is no payment for this order, or not yet",
    )
    .with("order_id", id.to_string())
    .retry_after(crate::place::RETRY_AFTER)
}

/// List an order's mails
///
/// Newest first, without their text.
#[utoipa::path(
    get,
    path = "/orders/{orderId}/notifications",
    operation_id = "listNotifications",
    tag = "orders",
    params(
        ("orderId" = uuid::Uuid, Path, description = "The id from placing the order"),
        ("pageSize" = Option<u64>, Query, description = "0 means 50; above 1000 means 1000"),
        ("pageToken" = Option<String>, Query, description = "`nextPageToken` of the page before"),
    ),
    responses(
        (status = 200, description = "A page of mails", body = NotificationPage),
        Refused, Unknown,
    ),
)]
pub(crate) async fn list_notifications(
    State(core): State<Core>,
    Path(order_id): Path<String>,
    uri: Uri,
) -> Answer<NotificationPage> {
    let mut params = Params::of(&uri);
    let id = params.order_id(&order_id);
    let page = params.page();
    let (id, page) = params.finish(id.map(|id| (id, page)))?;
    let deadline = Deadline::after(core.timeouts.read);
    let request = ListNotificationsRequest {
        order_id: id.to_string(),
        page_size: page.size,
        page_token: page.token,
        ..ListNotificationsRequest::default()
    };
    let mails = core.backend.list_notifications(request, deadline).await;
    // No mails yet, or no such order: only history knows. Where it does not
    // answer, an empty list is true as well.
    if mails
        .as_ref()
        .is_ok_and(|page| page.notifications.is_empty())
    {
        let known = core.backend.orders(&[id], deadline).await;
        if known.is_ok_and(|orders| orders.is_empty()) {
            return Err(view::unknown_order(id).into());
        }
    }
    shown(mails)
}
