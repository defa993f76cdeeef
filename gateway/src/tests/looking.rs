//! What the REST door shows of orders and of everything together.

use std::time::Duration;

use axum::http::{StatusCode, header};
use proto::{
    analytics::v1::{BucketWidth, ProductRanking},
    history::v1::OrderStatus,
    id::OrderId,
    orders::v1::GetOrderRequest,
};
use serde_json::{Value, json};

use super::Doors;
use crate::{backend::pretend::Peer, core::Timeouts};

fn paid(doors: &Doors) -> OrderId {
    let id = OrderId::random();
    doors.backend.store(id);
    doors.backend.settle(id, OrderStatus::Paid);
    doors.backend.mail(id, 0);
    doors.backend.mail(id, 1);
    id
}

#[tokio::test]
async fn an_order_is_shown_whole() {
    let doors = Doors::open();
    let id = paid(&doors);
    let mut json = doors.get(&format!("/orders/{id}")).await.json();
    assert_eq!(json["notifications"].as_array().map(Vec::len), Some(2));
    assert_eq!(
        json["notifications"][0]["status"],
        "NOTIFICATION_STATUS_SENT"
    );
    assert_eq!(json["payment"]["status"], "PAYMENT_STATUS_CAPTURED");
    assert_eq!(json["payment"]["declineCode"], Value::Null);
    assert_eq!(json["final"], true);
    assert_eq!(json["unavailable"], json!([]));
    let order = json["order"].take();
    assert_eq!(
        order,
        json!({
            "orderId": id.to_string(),
            "userId": 42,
            "lines": [
                { "productId": 1, "name": "Keyboard", "unitPrice": 999, "quantity": 1 },
                { "productId": 2, "name": "Mouse", "unitPrice": 499, "quantity": 1 },
            ],
            "currencyCode": "USD",
            "total": 1498,
            "status": "ORDER_STATUS_PAID",
            "declineCode": null,
            "placedAt": "2026-01-31T12:00:01.000000Z",
            "storedAt": "2026-01-31T12:00:02.000000Z",
            "settledAt": "2026-01-31T12:00:03.000000Z",
            "traceId": "0af7651916cd43dd8448eb211c80319c",
        })
    );
}

#[tokio::test]
async fn addresses_are_shown_at_neither_door() {
    let doors = Doors::open();
    let id = paid(&doors);
    for path in [
        format!("/orders/{id}"),
        format!("/orders/{id}/notifications"),
    ] {
        let answer = doors.get(&path).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert!(!answer.json().to_string().contains("jane"), "{path}");
    }
    let request = GetOrderRequest {
        order_id: id.to_string(),
    };
    let view = doors
        .grpc()
        .get_order(request)
        .await
        .unwrap()
        .into_inner()
        .order
        .unwrap();
    assert_eq!(view.notifications.len(), 2);
    assert!(
        view.notifications
            .iter()
            .all(|mail| mail.recipient == "[redacted]")
    );
}

#[tokio::test]
async fn a_service_that_is_away_or_hangs_costs_its_own_part_only() {
    for (peer, part) in [
        (Peer::Payments, "payment"),
        (Peer::Notifier, "notifications"),
    ] {
        for hangs in [false, true] {
            let doors = Doors::with(Timeouts {
                place: Duration::from_secs(10),
                read: Duration::from_millis(200),
            });
            let id = paid(&doors);
            if hangs {
                doors.backend.state().hanging.insert(peer);
            } else {
                doors.backend.state().away.insert(peer);
            }
            let answer = doors.get(&format!("/orders/{id}")).await;
            assert_eq!(answer.status, StatusCode::OK, "{part}");
            let json = answer.json();
            assert_eq!(json[part], Value::Null);
            let name = if part == "payment" { "payments" } else { part };
            assert_eq!(json["unavailable"], json!([name]));
            assert_eq!(json["order"]["status"], "ORDER_STATUS_PAID");
            let other = if part == "payment" {
                "notifications"
            } else {
                "payment"
            };
            assert_ne!(json[other], Value::Null);
        }
    }
}

#[tokio::test]
async fn an_order_without_payment_and_mails_has_none_of_them() {
    let doors = Doors::open();
    let id = OrderId::random();
    doors.backend.store(id);
    let json = doors.get(&format!("/orders/{id}")).await.json();
    assert_eq!(
        (&json["payment"], &json["notifications"]),
        (&Value::Null, &json!([]))
    );
    assert_eq!(
        (&json["final"], &json["unavailable"]),
        (&json!(false), &json!([]))
    );
    let missing = doors.get(&format!("/orders/{id}/payment")).await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    assert_eq!(missing.header(header::RETRY_AFTER), "1");
    let none = doors.get(&format!("/orders/{id}/notifications")).await;
    assert_eq!(
        none.json(),
        json!({ "notifications": [], "nextPageToken": "" })
    );
}

#[tokio::test]
async fn mails_of_an_unknown_order_are_unknown() {
    let doors = Doors::open();
    let path = format!("/orders/{}/notifications", OrderId::random());
    assert_eq!(doors.get(&path).await.status, StatusCode::NOT_FOUND);
    doors.backend.state().away.insert(Peer::History);
    assert_eq!(
        doors.get(&path).await.status,
        StatusCode::OK,
        "nobody can tell"
    );
    doors.backend.state().away.insert(Peer::Notifier);
    assert_eq!(
        doors.get(&path).await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
}

#[tokio::test]
async fn lists_are_paged_by_the_service() {
    let doors = Doors::open();
    paid(&doors);
    let answer = doors.get("/users/42/orders?pageSize=7&pageToken=t").await;
    assert_eq!(answer.json()["orders"].as_array().map(Vec::len), Some(1));
    assert_eq!(answer.json()["nextPageToken"], "next");
    doors.get("/orders").await;
    let listed = std::mem::take(&mut doors.backend.state().listed);
    assert_eq!((listed[0].user_id, listed[0].page_size), (Some(42), 7));
    assert_eq!(listed[0].page_token, "t");
    assert_eq!((listed[1].user_id, listed[1].page_size), (None, 0));
}

#[tokio::test]
async fn what_a_service_says_of_a_parameter_is_told_by_the_parameters_name() {
    let doors = Doors::open();
    doors.backend.state().refuses_tokens = true;
    let answer = doors.get("/orders?pageToken=x").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(answer.fields(), ["pageToken"]);
}

#[tokio::test]
async fn analytics_are_shown() {
    let doors = Doors::open();
    for (path, pointer, value) in [
        ("/analytics/stats", "/money/0/revenue", json!(999)),
        (
            "/analytics/stats",
            "/updatedAt",
            json!("2026-01-31T12:00:09.000000Z"),
        ),
        ("/analytics/rate", "/buckets/0/ordersPaid", json!(2)),
        ("/analytics/top-products", "/products/0/productId", json!(1)),
        (
            "/analytics/product-pairs?productId=1",
            "/pairs/0/otherProductId",
            json!(2),
        ),
        (
            "/analytics/users/42",
            "/events/0/type",
            json!("USER_EVENT_TYPE_PRODUCT_VIEWED"),
        ),
        (
            "/analytics/funnel",
            "/stages/0/kind",
            json!("FUNNEL_STAGE_KIND_VIEWED"),
        ),
    ] {
        let answer = doors.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {answer:?}");
        assert_eq!(answer.json().pointer(pointer), Some(&value), "{path}");
    }
    assert_eq!(
        doors.get("/analytics/users/43").await.status,
        StatusCode::NOT_FOUND
    );
    doors.backend.state().away.insert(Peer::Analytics);
    let away = doors.get("/analytics/stats").await;
    assert_eq!(away.json()["reason"], "DEPENDENCY_UNAVAILABLE");
}

#[tokio::test]
async fn parameters_reach_the_service() {
    let doors = Doors::open();
    let rate = "/analytics/rate?width=BUCKET_WIDTH_HOUR&startTime=2026-01-31T13:00:00%2B01:00";
    assert_eq!(doors.get(rate).await.status, StatusCode::OK);
    let asked = doors.backend.state().rates.pop().unwrap();
    assert_eq!(asked.width(), BucketWidth::Hour);
    assert_eq!(asked.start_time, Some(crate::backend::pretend::at(0)));
    assert_eq!(asked.end_time, None);
    let top = "/analytics/top-products?ranking=PRODUCT_RANKING_REVENUE&currencyCode=EUR&pageSize=3";
    assert_eq!(doors.get(top).await.status, StatusCode::OK);
    let asked = doors.backend.state().top.pop().unwrap();
    assert_eq!(asked.ranking(), ProductRanking::Revenue);
    assert_eq!((asked.currency_code.as_str(), asked.page_size), ("EUR", 3));
}
