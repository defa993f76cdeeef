//! Records and dead letters, as operators see them.

use axum::http::{StatusCode, header};
use chassis::kafka::{Content, Record};
use prost::{Message as _, Name as _};
use proto::{events::v1::OrderPlaced, history::v1::OrderStatus, id::OrderId};
use serde_json::{Value, json};

use super::Doors;
use crate::{backend::pretend::Peer, ops::pretend::letter};

fn placed(id: OrderId) -> Record {
    let order = OrderPlaced {
        order_id: id.to_string(),
        email: "jane@example.com".to_owned(),
        ..OrderPlaced::default()
    };
    let name = OrderPlaced::full_name();
    Record::new(
        "orders.v1",
        3,
        1234,
        1_769_860_801_000,
        Content {
            key: Some(id.to_string().as_bytes()),
            payload: Some(&order.encode_to_vec()),
            headers: &[(b"ce_type", Some(name.as_bytes()))],
        },
    )
}

fn now_ms() -> i64 {
    proto::time::UnixMicros::now().as_micros() / 1_000
}

#[tokio::test]
async fn an_orders_records_are_looked_for_where_they_are_and_shown_masked() {
    let doors = Doors::open();
    let id = OrderId::random();
    doors.backend.store(id);
    doors.backend.settle(id, OrderStatus::Paid);
    doors.operations.state().records.push(placed(id));
    let answer = doors.get(&format!("/orders/{id}/records")).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header(header::CACHE_CONTROL), "no-store");
    assert_eq!(answer.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff");
    let json = answer.json();
    assert_eq!(
        (&json["orderId"], &json["complete"]),
        (&id.to_string().into(), &true.into())
    );
    let record = &json["records"][0];
    for (field, value) in [
        ("topic", json!("orders.v1")),
        ("partition", json!(3)),
        ("offset", json!(1234)),
        ("timestamp", json!("2026-01-31T12:00:01.000000Z")),
        ("key", json!(id.to_string())),
        ("type", json!("ordermesh.events.v1.OrderPlaced")),
        ("problem", Value::Null),
    ] {
        assert_eq!(record[field], value, "{field}");
    }
    assert_eq!(record["payload"]["email"], "[redacted]");
    let topics: Vec<_> = doors
        .operations
        .state()
        .wanted
        .iter()
        .map(|it| it.topic)
        .collect();
    assert_eq!(topics, ["orders.v1", "payments.v1"]);
}

#[tokio::test]
async fn an_order_that_history_does_not_tell_of_is_looked_for_by_its_id() {
    let doors = Doors::open();
    let id = OrderId::random();
    let path = format!("/orders/{id}/records");
    let nothing = doors.get(&path).await;
    assert_eq!(nothing.status, StatusCode::NOT_FOUND);
    doors.operations.state().records.push(placed(id));
    assert_eq!(doors.get(&path).await.status, StatusCode::OK);
    doors.backend.state().away.insert(Peer::History);
    assert_eq!(doors.get(&path).await.status, StatusCode::OK);
    let keyed = OrderId::from_idempotency_key("42", "k");
    let keyed = doors.get(&format!("/orders/{keyed}/records")).await;
    assert_eq!(
        keyed.status,
        StatusCode::SERVICE_UNAVAILABLE,
        "nobody knows when it was placed"
    );
}

#[tokio::test]
async fn dead_letters_are_shown_with_why_and_from_where() {
    let doors = Doors::open();
    doors.operations.state().letters =
        vec![letter("history", 17, now_ms()), letter("payments", 0, 0)];
    let json = doors.get("/ops/dead-letters").await.json();
    assert_eq!(json["truncated"], false);
    let first = &json["deadLetters"][0];
    for (field, value) in [
        ("id", json!("history:0:17")),
        ("service", json!("history")),
        ("class", json!("exhausted")),
        ("message", json!("<b>it</b> failed")),
        ("attempts", json!(5)),
        ("replayed", json!(false)),
        ("replayable", json!(true)),
        ("type", json!("ordermesh.events.v1.OrderPlaced")),
        ("bytes", json!(3)),
    ] {
        assert_eq!(first[field], value, "{field}");
    }
    let origin = &first["origin"];
    assert_eq!(
        (&origin["topic"], &origin["partition"], &origin["offset"]),
        (&json!("orders.v1"), &json!(3), &json!(12))
    );
    assert_eq!(first["payload"]["orderId"], "x");
    let ancient = &json["deadLetters"][1];
    assert_eq!(
        ancient["replayable"], false,
        "nobody knows whether it took effect"
    );
}

#[tokio::test]
async fn dead_letters_are_asked_for_by_service_class_and_number() {
    let doors = Doors::open();
    for path in [
        "/ops/dead-letters",
        "/ops/dead-letters?service=history&class=conflict&pageSize=7",
        "/ops/dead-letters?pageSize=100000",
    ] {
        assert_eq!(doors.get(path).await.status, StatusCode::OK, "{path}");
    }
    let queries = std::mem::take(&mut doors.operations.state().queries);
    assert_eq!((queries[0].services.len(), queries[0].count), (4, 50));
    assert_eq!(
        (
            &queries[1].services,
            queries[1].class.as_deref(),
            queries[1].count
        ),
        (&vec!["history"], Some("conflict"), 7)
    );
    assert_eq!(queries[2].count, 500);
    let wrong = "/ops/dead-letters?service=gateway&class=bad&pageSize=-1&x=1";
    let answer = doors.get(wrong).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(answer.fields(), ["service", "class", "pageSize", "x"]);
}

#[tokio::test]
async fn each_letter_is_put_back_once() {
    let doors = Doors::open();
    doors.operations.state().letters =
        vec![letter("history", 17, now_ms()), letter("payments", 0, 0)];
    let body = json!({ "ids": ["history:0:17", "payments:0:0", "notifier:0:5"] });
    let replay = async || {
        let answer = doors
            .post("/ops/dead-letters/replay", body.to_string())
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        answer.json()
    };
    assert_eq!(
        replay().await,
        json!({
            "replayed": ["history:0:17"], "replayedBefore": [],
            "tooOld": ["payments:0:0"], "unknown": ["notifier:0:5"],
        })
    );
    assert_eq!(replay().await["replayedBefore"], json!(["history:0:17"]));
    let forced = json!({ "ids": ["payments:0:0"], "force": true }).to_string();
    let forced = doors.post("/ops/dead-letters/replay", forced).await.json();
    assert_eq!(forced["replayed"], json!(["payments:0:0"]));
}

#[tokio::test]
async fn a_replay_is_refused_with_all_mistakes_at_once() {
    let doors = Doors::open();
    let body = json!({ "ids": ["history:0:17", "x", 5], "force": 1, "colour": "red" });
    let answer = doors
        .post("/ops/dead-letters/replay", body.to_string())
        .await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let mut fields = answer.fields();
    fields.sort();
    assert_eq!(fields, ["colour", "force", "ids[1]", "ids[2]"]);
    let none = doors.post("/ops/dead-letters/replay", "{}").await;
    assert_eq!(none.fields(), ["ids"]);
    let text = [("content-type", "text/plain")];
    let text = doors
        .post_with("/ops/dead-letters/replay", &text, "{}")
        .await;
    assert_eq!(text.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test]
async fn while_kafka_is_away_that_is_told() {
    let doors = Doors::open();
    let id = OrderId::random();
    doors.backend.store(id);
    doors.operations.state().is_kafka_away = true;
    for path in [&format!("/orders/{id}/records"), "/ops/dead-letters"] {
        let answer = doors.get(path).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert_eq!(answer.json()["reason"], "DEPENDENCY_UNAVAILABLE");
    }
}
