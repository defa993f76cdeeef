//! One mail, as text and as it looks.

use axum::http::{StatusCode, header};
use proto::{
    events::v1::NotificationKind,
    history::v1::OrderStatus,
    id::{NotificationId, OrderId},
};

use super::Doors;
use crate::backend::pretend::Peer;

fn mailed(doors: &Doors) -> (OrderId, NotificationId) {
    let id = OrderId::random();
    doors.backend.store(id);
    doors.backend.settle(id, OrderStatus::Paid);
    doors.backend.mail(id, 0);
    let kind = NotificationKind::OrderConfirmation;
    (id, NotificationId::of(id, kind, Some(0)))
}

#[tokio::test]
async fn a_mail_is_shown_with_its_text_and_without_its_address() {
    let doors = Doors::open();
    let (order, mail) = mailed(&doors);
    let answer = doors
        .get(&format!("/orders/{order}/notifications/{mail}"))
        .await;
    assert_eq!(answer.status, StatusCode::OK);
    let json = answer.json();
    assert_eq!(json["notificationId"], mail.to_string());
    assert_eq!(json["textBody"], "Thank you for <b>your</b> order");
    let text = json.to_string();
    assert!(
        !text.contains("jane") && !text.contains("recipient"),
        "{text}"
    );
}

#[tokio::test]
async fn a_mail_looks_as_it_was_sent_and_can_do_nothing() {
    let doors = Doors::open();
    let (order, mail) = mailed(&doors);
    let path = format!("/orders/{order}/notifications/{mail}/html");
    let answer = doors.get(&path).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.body, "<p>Thank you</p>");
    let expected = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (
            header::CONTENT_SECURITY_POLICY,
            "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
             frame-ancestors 'self'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    answer.expect_headers(&path, expected);
}

#[tokio::test]
async fn another_orders_mail_is_none_of_this_ones() {
    let doors = Doors::open();
    let (order, mail) = mailed(&doors);
    let (other, _) = mailed(&doors);
    let unknown = NotificationId::of(order, NotificationKind::PaymentDeclined, None);
    for path in [
        format!("/orders/{other}/notifications/{mail}"),
        format!("/orders/{other}/notifications/{mail}/html"),
        format!("/orders/{order}/notifications/{unknown}"),
        format!("/orders/{order}/notifications/{unknown}/html"),
    ] {
        let answer = doors.get(&path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(answer.json()["reason"], "NOT_FOUND", "{path}");
    }
}

#[tokio::test]
async fn all_mistakes_are_told_and_an_absent_notifier_is_no_404() {
    let doors = Doors::open();
    let (order, mail) = mailed(&doors);
    for rest in ["", "/html"] {
        let answer = doors
            .get(&format!("/orders/x/notifications/y{rest}?z=1"))
            .await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert_eq!(answer.fields(), ["orderId", "notificationId", "z"]);
    }
    doors.backend.state().away.insert(Peer::Notifier);
    let answer = doors
        .get(&format!("/orders/{order}/notifications/{mail}"))
        .await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
}
