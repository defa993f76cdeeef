//! One mail, with its text or as it looks.

use axum::{
    extract::{Path, State},
    http::{HeaderValue, Uri, header},
    response::{IntoResponse as _, Response},
};
use chassis::{
    error::{Error, Reason},
    grpc::Deadline,
};
use proto::{
    id::{NotificationId, OrderId},
    notifier::v1::Notification,
};

use super::{
    Answer,
    failure::{self, Failure},
    query::Params,
    responses::{Refused, Unknown},
    shown,
    types::Mail,
};
use crate::core::Core;

/// The mail is somebody else's markup as far as a browser is concerned: it runs
/// nothing, loads nothing, and stands in frames of ours only.
const POLICY: &str = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
    frame-ancestors 'self'";

/// Get a mail
///
/// With its text. Where it goes is not told.
#[utoipa::path(
    get,
    path = "/orders/{orderId}/notifications/{notificationId}",
    operation_id = "getNotification",
    tag = "orders",
    params(
        ("orderId" = uuid::Uuid, Path, description = "The id from placing the order"),
        ("notificationId" = uuid::Uuid, Path, description = "The mail's id, as the list tells it"),
    ),
    responses((status = 200, description = "The mail", body = Mail), Refused, Unknown),
)]
pub(crate) async fn get_notification(
    State(core): State<Core>,
    Path(ids): Path<(String, String)>,
    uri: Uri,
) -> Answer<Mail> {
    shown(mail(&core, &ids, &uri).await)
}

/// See a mail
///
/// The HTML as it was sent, to be shown in a sandboxed frame.
#[utoipa::path(
    get,
    path = "/orders/{orderId}/notifications/{notificationId}/html",
    operation_id = "getNotificationHtml",
    tag = "orders",
    params(
        ("orderId" = uuid::Uuid, Path, description = "The id from placing the order"),
        ("notificationId" = uuid::Uuid, Path, description = "The mail's id, as the list tells it"),
    ),
    responses(
        (status = 200, description = "The mail", content_type = "text/html"),
        Refused, Unknown,
    ),
)]
pub(crate) async fn notification_html(
    State(core): State<Core>,
    Path(ids): Path<(String, String)>,
    uri: Uri,
) -> Result<Response, Failure> {
    let mail = mail(&core, &ids, &uri)
        .await
        .map_err(failure::by_rest_names)?;
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    let headers = headers.map(|(name, value)| (name, HeaderValue::from_static(value)));
    Ok((headers, mail.html_body).into_response())
}

/// An order's mail. That of another order is none of this one's.
async fn mail(
    core: &Core,
    (order_id, notification_id): &(String, String),
    uri: &Uri,
) -> Result<Notification, Error> {
    let mut params = Params::of(uri);
    let order: Option<OrderId> = params.order_id(order_id);
    let mail: Option<NotificationId> = params.path("notificationId", notification_id);
    let (order, mail) = params.finish(order.zip(mail))?;
    let deadline = Deadline::after(core.timeouts.read);
    let found = core.backend.notification(mail, deadline).await?;
    let is_of_order = |found: &Notification| found.order_id == order.to_string();
    found.filter(is_of_order).ok_or_else(|| {
        Error::new(Reason::NotFound, "this order has no such mail")
            .with("order_id", order.to_string())
    })
}
