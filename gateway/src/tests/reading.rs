//! How the REST door reads requests: bodies, headers, paths and parameters.

use std::collections::BTreeSet;

use axum::{
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Doors, order};
use crate::{
    rest::json::{Json, object},
    rest::types::{OrderRequest, ProductRequest, order_draft},
    validate::{Naming, ValidOrder, Violations, order as check},
};

#[tokio::test]
async fn all_that_is_wrong_with_a_body_is_told_together() {
    let doors = Doors::open();
    let body = r#"{
        "userId": "0x2a", "user_id": 42, "colour": "red",
        "products": [
            {"id": 1, "id": 2, "name": "Keyboard", "price": 9.99},
            {"id": true, "name": 5, "price": "999", "quantity": "many", "size": {}},
            "Mouse"
        ],
        "currencyCode": "usd",
        "email": ["jane@example.com"]
    }"#;
    let answer = doors.post("/order", body).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let fields: BTreeSet<_> = answer.fields().into_iter().collect();
    let expected = [
        "colour",
        "currencyCode",
        "email",
        "products[0].id",
        "products[0].price",
        "products[1].id",
        "products[1].name",
        "products[1].quantity",
        "products[1].size",
        "products[2]",
        "userId",
        "user_id",
    ];
    assert_eq!(fields, expected.into_iter().map(str::to_owned).collect());
    let text = answer.json().to_string();
    assert!(text.contains("did you mean userId?"), "{text}");
    assert!(!text.contains("jane"), "{text}");
}

#[tokio::test]
async fn integers_come_as_numbers_or_as_decimal_texts_and_null_is_absent() {
    let doors = Doors::open();
    let mut body = order();
    body["userId"] = "42".into();
    body["products"][0]["price"] = "999".into();
    body["products"][0]["quantity"] = Value::Null;
    body["email"] = Value::Null;
    let answer = doors.post("/order", body.to_string()).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    assert_eq!(answer.json()["total"], 1498);
}

#[tokio::test]
async fn what_is_no_json_object_is_told_so() {
    let doors = Doors::open();
    for body in [
        &b""[..],
        b"{",
        b"[]",
        b"null",
        b"{\"userId\":\"\xff\xfe\"}",
        b"{} {}",
        "[".repeat(10_000).as_bytes(),
        b"{\"userId\":1e999}",
    ] {
        let answer = doors.post("/order", body.to_vec()).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body:?}");
        assert_eq!(answer.fields(), ["body"], "{body:?}");
    }
}

#[tokio::test]
async fn other_media_types_are_refused_with_what_would_do() {
    let doors = Doors::open();
    let good = order().to_string();
    for headers in [
        &[("content-type", "application/x-www-form-urlencoded")][..],
        &[("content-type", "application/json; charset=utf-16")],
    ] {
        let answer = doors.post_with("/order", headers, good.clone()).await;
        assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        assert_eq!(answer.header(header::ACCEPT), "application/json");
        assert_eq!(answer.json()["reason"], "INVALID_REQUEST");
    }
    let answer = doors
        .post_with("/order", &[("content-encoding", "gzip")], good.clone())
        .await;
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(answer.header(header::ACCEPT_ENCODING), "identity");
    let answer = doors
        .post_with("/order", &[("content-encoding", "identity")], good)
        .await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    let untyped = Request::post("/order").body(Body::from("{}")).unwrap();
    assert_eq!(
        doors.send(untyped).await.status,
        StatusCode::UNSUPPORTED_MEDIA_TYPE
    );
}

#[tokio::test]
async fn long_headers_are_refused() {
    let doors = Doors::open();
    let long = "x".repeat(9 * 1024);
    let answer = doors
        .post_with("/order", &[("x-long", &long)], order().to_string())
        .await;
    assert_eq!(answer.status, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    assert_eq!(answer.json()["status"], 431);
    // Where there is nothing, too.
    for (method, path) in [("GET", "/nothing"), ("DELETE", "/order"), ("GET", "/docs")] {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("x-long", &long).body(Body::empty());
        let answer = doors.send(request.unwrap()).await;
        let expected = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        assert_eq!(answer.status, expected, "{method} {path}");
    }
}

#[tokio::test]
async fn the_key_may_stand_in_the_header_or_in_the_body() {
    let doors = Doors::open();
    let mut keyed = order();
    keyed["idempotencyKey"] = "k1".into();
    let (plain, keyed) = (order().to_string(), keyed.to_string());
    let mut ids = BTreeSet::new();
    for (headers, body) in [
        (&[("idempotency-key", "k1")][..], &plain),
        (&[("idempotency-key", "\"k1\"")], &plain),
        (&[("idempotency-key", "k1")], &keyed),
        (&[], &keyed),
    ] {
        let answer = doors.post_with("/order", headers, body.clone()).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
        ids.insert(answer.json()["orderId"].as_str().unwrap().to_owned());
    }
    assert_eq!(ids.len(), 1);
    let long = "k".repeat(256);
    for headers in [
        &[("idempotency-key", "two words")][..],
        &[("idempotency-key", "")],
        &[("idempotency-key", "\"unfinished")],
        &[("idempotency-key", &long)],
        &[("idempotency-key", "k1"), ("idempotency-key", "k1")],
        &[("idempotency-key", "k2")],
    ] {
        let answer = doors.post_with("/order", headers, keyed.clone()).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{headers:?}");
        assert_eq!(answer.fields(), ["Idempotency-Key"], "{headers:?}");
    }
}

#[tokio::test]
async fn wrong_paths_and_methods_are_problems() {
    let doors = Doors::open();
    for path in ["/nowhere", "/orders/a/b/c", "/docs/nothing.js", "/order/"] {
        let answer = doors.get(path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(
            answer.header(header::CONTENT_TYPE),
            "application/problem+json",
            "{path}"
        );
        assert_eq!(answer.json()["reason"], "NOT_FOUND");
    }
    for (path, method, allowed) in [
        ("/order", Method::PUT, ["POST"].as_slice()),
        ("/order", Method::GET, &["POST"]),
        ("/orders", Method::DELETE, &["GET", "POST"]),
        ("/orders/a", Method::POST, &["GET"]),
        ("/openapi.json", Method::POST, &["GET"]),
    ] {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .body(Body::empty())
            .unwrap();
        let answer = doors.send(request).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert_eq!(
            answer.header(header::CONTENT_TYPE),
            "application/problem+json",
            "{path}"
        );
        for method in allowed {
            assert!(
                answer.header(header::ALLOW).contains(method),
                "{path}: {answer:?}"
            );
        }
    }
}

#[tokio::test]
async fn wrong_parameters_are_told_by_name() {
    let doors = Doors::open();
    let id = proto::id::OrderId::random();
    for (path, fields) in [
        (
            format!("/orders/{id}?wait=soon&until=never&colour=red"),
            &["wait", "until", "colour"][..],
        ),
        (format!("/orders/{id}?wait=31s"), &["wait"]),
        (format!("/orders/{id}/events?x=1"), &["x"]),
        ("/orders?pageSize=-1".to_owned(), &["pageSize"]),
        ("/orders?pageSize=1&pageSize=2".to_owned(), &["pageSize"]),
        ("/users/0/orders".to_owned(), &["userId"]),
        (
            "/users/nobody/orders?pageSize=many".to_owned(),
            &["userId", "pageSize"],
        ),
        (
            "/analytics/rate?width=CENTURY&startTime=today".to_owned(),
            &["width", "startTime"],
        ),
        (
            "/analytics/top-products?ranking=best".to_owned(),
            &["ranking"],
        ),
        (
            "/analytics/product-pairs?productId=0".to_owned(),
            &["productId"],
        ),
        ("/analytics/users/9007199254740992".to_owned(), &["userId"]),
        ("/analytics/stats?x".to_owned(), &["x"]),
        ("/analytics/funnel?endTime=".to_owned(), &["endTime"]),
    ] {
        let answer = doors.get(&path).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}: {answer:?}");
        assert_eq!(answer.fields(), fields, "{path}");
    }
    let answer = doors.post("/order?x=1", order().to_string()).await;
    assert_eq!(answer.fields(), ["x"]);
}

fn read(text: &str) -> Result<ValidOrder, chassis::error::Error> {
    let mut violations = Violations::new(Naming::Json);
    let draft = object(text.as_bytes(), &mut violations)
        .map(|order| order_draft(order, &mut violations))
        .unwrap_or_default();
    check(draft, violations)
}

fn product() -> impl Strategy<Value = ProductRequest> {
    let name = proptest::collection::vec(
        any::<char>().prop_filter("control", |c| !c.is_control()),
        1..20,
    );
    (
        1..=proto::limits::MAX_ID,
        name,
        0_i64..=1_000_000_000,
        proptest::option::of(1_i64..=10),
    )
        .prop_map(|(id, name, price, quantity)| ProductRequest {
            id,
            name: name.into_iter().collect(),
            price,
            quantity,
        })
}

prop_compose! {
    fn good_order()(
        user_id in 1..=proto::limits::MAX_ID,
        products in proptest::collection::vec(product(), 1..=100),
        currency_code in proptest::option::of(proptest::sample::select(vec!["USD", "EUR", "JPY"])),
        email in proptest::option::of("[a-z]{1,20}@[a-z]{1,20}\\.example"),
        payment_token in proptest::option::of("[!-~]{1,200}"),
        idempotency_key in proptest::option::of("[!-~]{1,255}"),
    ) -> OrderRequest {
        OrderRequest {
            user_id,
            products,
            currency_code: currency_code.map(str::to_owned),
            email,
            payment_token,
            idempotency_key,
        }
    }
}

/// Any JSON, with the names of an order's fields among its own.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    let name = prop_oneof![
        proptest::sample::select(vec!["userId", "products", "id", "name", "price", "email"])
            .prop_map(str::to_owned),
        any::<String>(),
    ];
    leaf.prop_recursive(4, 64, 8, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            proptest::collection::vec((name.clone(), inner), 0..8)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn every_good_order_is_read_as_it_was_written(order in good_order()) {
        let valid = read(&serde_json::to_string(&order).unwrap()).unwrap();
        prop_assert_eq!(valid.user_id.get(), order.user_id);
        prop_assert_eq!(valid.lines.len(), order.products.len());
        for (line, product) in valid.lines.iter().zip(&order.products) {
            prop_assert_eq!(line.product_id.get(), product.id);
            prop_assert_eq!(&line.name, &product.name);
            prop_assert_eq!(line.unit_price, product.price);
            prop_assert_eq!(i64::from(line.quantity), product.quantity.unwrap_or(1));
        }
        let total: i64 =
            order.products.iter().map(|p| p.price * p.quantity.unwrap_or(1)).sum();
        prop_assert_eq!(valid.total.minor, total);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in any::<String>()) {
        let _ = read(&text);
    }

    #[test]
    fn no_json_makes_the_reader_panic_and_every_refusal_names_a_field(json in any_json()) {
        if let Err(error) = read(&json.to_string()) {
            prop_assert!(!error.violations().is_empty());
        }
    }

    #[test]
    fn any_json_is_read_into_a_tree(json in any_json()) {
        let text = json.to_string();
        prop_assert!(serde_json::from_str::<Json<'_>>(&text).is_ok());
    }
}

#[tokio::test]
async fn a_violation_of_the_event_schema_is_told_by_field() {
    let doors = Doors::open();
    for (body, field) in [
        (json!({ "userId": 1, "type": "VIEWED" }), "type"),
        (
            json!({ "userId": 1, "type": "USER_EVENT_TYPE_UNSPECIFIED" }),
            "type",
        ),
        (
            json!({ "userId": 1, "type": "USER_EVENT_TYPE_PRODUCT_VIEWED" }),
            "productId",
        ),
        (
            json!({ "userId": 1, "type": "USER_EVENT_TYPE_CHECKOUT_STARTED", "occurredAt": "now" }),
            "occurredAt",
        ),
        (
            json!({ "userId": 1, "type": "USER_EVENT_TYPE_CHECKOUT_STARTED", "occurredAt": 5 }),
            "occurredAt",
        ),
        (
            json!({ "userId": 1, "type": "USER_EVENT_TYPE_CHECKOUT_STARTED", "occurredAt": "1999-01-01T00:00:00Z" }),
            "occurredAt",
        ),
        (
            json!({ "type": "USER_EVENT_TYPE_CHECKOUT_STARTED" }),
            "userId",
        ),
        (
            json!({ "userId": 1, "type": "USER_EVENT_TYPE_CHECKOUT_STARTED", "orderId": 1 }),
            "orderId",
        ),
    ] {
        let answer = doors.post("/events", body.to_string()).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        assert_eq!(answer.fields(), [field], "{body}");
    }
}
