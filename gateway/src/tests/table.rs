//! The error table, every row at both doors.

use std::time::Duration;

use axum::{body::Body, http::StatusCode, http::header};
use chassis::kafka::PublishError;
use proto::{
    events::v1::UserEventType,
    id::OrderId,
    orders::v1::{GetOrderRequest, PlaceOrderRequest, TrackEventRequest},
};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

use super::{Answer, Doors, order};
use crate::{
    backend::pretend::{Kafka, Peer},
    core::Timeouts,
    validate::keyboard_and_mouse,
};

/// What both doors said of the same case.
struct Told {
    rest: Answer,
    grpc: Status,
}

impl Told {
    /// Checks one row of the table.
    fn row(&self, reason: &str, status: StatusCode, code: Code) -> &Self {
        assert_eq!(self.rest.status, status, "{:?}", self.rest);
        assert_eq!(
            self.rest.header(header::CONTENT_TYPE),
            "application/problem+json"
        );
        let problem = self.rest.json();
        assert_eq!(problem["reason"], reason);
        assert_eq!(problem["status"], status.as_u16());
        assert_eq!(self.grpc.code(), code, "{:?}", self.grpc);
        let info = self.grpc.get_details_error_info().unwrap();
        assert_eq!(
            (info.reason.as_str(), info.domain.as_str()),
            (reason, "ordermesh")
        );
        self
    }

    /// Whether both doors say when to try again.
    fn hints(&self) -> bool {
        let rest = !self.rest.header(header::RETRY_AFTER).is_empty();
        let grpc = self
            .grpc
            .get_details_retry_info()
            .is_some_and(|info| info.retry_delay.is_some());
        assert_eq!(rest, grpc, "both doors tell the same");
        rest
    }

    /// The order that both doors name; each has its own when there is no key.
    fn order_ids(&self) -> (String, String) {
        let rest = self.rest.json()["orderId"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let info = self.grpc.get_details_error_info().unwrap();
        (
            rest,
            info.metadata.get("order_id").cloned().unwrap_or_default(),
        )
    }
}

fn request(key: Option<&str>) -> PlaceOrderRequest {
    PlaceOrderRequest {
        idempotency_key: key.map(str::to_owned),
        ..keyboard_and_mouse()
    }
}

/// Places the same order at both doors, and is refused.
async fn place(doors: &Doors, key: Option<&str>) -> Told {
    let headers: Vec<_> = key.iter().map(|key| ("idempotency-key", *key)).collect();
    let rest = doors
        .post_with("/order", &headers, order().to_string())
        .await;
    let grpc = doors.grpc().place_order(request(key)).await.unwrap_err();
    Told { rest, grpc }
}

#[tokio::test]
async fn accepted() {
    let doors = Doors::open();
    for path in ["/order", "/orders"] {
        let answer = doors.post(path, order().to_string()).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED);
        let json = answer.json();
        let id = json["orderId"].as_str().unwrap();
        assert_eq!(answer.header(header::LOCATION), format!("/orders/{id}"));
        assert_eq!(json["status"], "ORDER_STATUS_ACCEPTED");
        assert_eq!(
            (&json["total"], &json["currencyCode"]),
            (&1498.into(), &"USD".into())
        );
        assert!(json["acceptedAt"].as_str().unwrap().ends_with('Z'));
        assert!(json["traceId"].is_string());
        let published = doors.backend.state().published.pop().unwrap();
        assert_eq!(published.order_id.to_string(), id);
        assert_eq!(published.email.expose(), "user42@customers.example");
    }
    let placed = doors
        .grpc()
        .place_order(keyboard_and_mouse())
        .await
        .unwrap()
        .into_inner();
    assert_eq!((placed.total, placed.currency_code.as_str()), (1498, "USD"));
    let published = doors.backend.state().published.pop().unwrap();
    assert_eq!(published.order_id.to_string(), placed.order_id);
}

#[tokio::test]
async fn a_bad_field() {
    let doors = Doors::open();
    let mut body = order();
    body["userId"] = 0.into();
    body["products"][1]["price"] = (-1).into();
    let rest = doors.post("/order", body.to_string()).await;
    let mut bad = keyboard_and_mouse();
    bad.user_id = 0;
    bad.products[1].price = Some(-1);
    let grpc = doors.grpc().place_order(bad).await.unwrap_err();
    let violations = grpc.get_details_bad_request().unwrap().field_violations;
    let fields: Vec<_> = violations.iter().map(|v| v.field.as_str()).collect();
    assert_eq!(fields, ["user_id", "products[1].price"]);
    assert_eq!(rest.fields(), ["userId", "products[1].price"]);
    let told = Told { rest, grpc };
    told.row(
        "INVALID_REQUEST",
        StatusCode::BAD_REQUEST,
        Code::InvalidArgument,
    );
    assert!(!told.hints());
    assert!(doors.backend.state().published.is_empty());
}

#[tokio::test]
async fn too_large() {
    let doors = Doors::open();
    let large = "x".repeat(300 * 1024);
    let rest = doors.post("/order", large.clone()).await;
    assert_eq!(rest.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(rest.json()["reason"], "TOO_LARGE");
    let mut request = keyboard_and_mouse();
    request.products[0].name = large.clone();
    let grpc = doors.grpc().place_order(request).await.unwrap_err();
    assert_eq!(grpc.code(), Code::OutOfRange, "{grpc:?}");
    // Without a length, the body itself tells.
    let chunks = large
        .into_bytes()
        .chunks(1024)
        .map(<[u8]>::to_vec)
        .collect::<Vec<_>>();
    let chunked = futures::stream::iter(chunks.into_iter().map(Ok::<_, std::io::Error>));
    let rest = doors.post("/order", Body::from_stream(chunked)).await;
    assert_eq!(rest.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn an_idempotency_key_reused() {
    let doors = Doors::open();
    let id = OrderId::from_idempotency_key("42", "k1");
    doors.backend.store(id); // Its content hash is that of no order here.
    let told = place(&doors, Some("k1")).await;
    told.row(
        "IDEMPOTENCY_KEY_REUSED",
        StatusCode::UNPROCESSABLE_ENTITY,
        Code::FailedPrecondition,
    );
    assert!(!told.hints());
    assert_eq!(told.order_ids(), (id.to_string(), id.to_string()));
    assert!(doors.backend.state().published.is_empty());
}

#[tokio::test]
async fn an_idempotency_key_again_with_the_same_content() {
    let doors = Doors::open();
    let first = doors
        .grpc()
        .place_order(request(Some("k1")))
        .await
        .unwrap()
        .into_inner();
    let published = doors.backend.state().published.pop().unwrap();
    let id: OrderId = first.order_id.parse().unwrap();
    doors.backend.store(id);
    doors
        .backend
        .state()
        .orders
        .get_mut(&id)
        .unwrap()
        .content_hash = published.content_hash.0.to_vec();
    doors
        .backend
        .settle(id, proto::history::v1::OrderStatus::Paid);

    let rest = doors.post_with(
        "/order",
        &[("idempotency-key", "\"k1\"")],
        order().to_string(),
    );
    let answer = rest.await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    let json = answer.json();
    assert_eq!(json["orderId"], first.order_id);
    assert_eq!(json["status"], "ORDER_STATUS_PAID");
    assert_eq!(
        json["acceptedAt"], "2026-01-31T12:00:01.000000Z",
        "the stored answer"
    );
    assert_eq!(json["traceId"], "0af7651916cd43dd8448eb211c80319c");
    assert!(
        doors.backend.state().published.is_empty(),
        "and nothing was published again"
    );
}

#[tokio::test]
async fn a_history_that_does_not_answer_keeps_no_order_waiting() {
    for hangs in [true, false] {
        let doors = Doors::open();
        if hangs {
            doors.backend.state().hanging.insert(Peer::History);
        } else {
            doors.backend.state().away.insert(Peer::History);
        }
        let start = std::time::Instant::now();
        let placed = doors
            .grpc()
            .place_order(request(Some("k1")))
            .await
            .unwrap()
            .into_inner();
        assert!(start.elapsed() < Duration::from_millis(500));
        let id = OrderId::from_idempotency_key("42", "k1").to_string();
        assert_eq!(placed.order_id, id);
        assert_eq!(doors.backend.state().published.len(), 1);
    }
}

#[tokio::test]
async fn more_than_the_gate_lets_in() {
    let doors = Doors::open();
    let inside: Vec<_> = (0..4).map(|_| doors.core.gate.enter().unwrap()).collect();
    let told = place(&doors, None).await;
    told.row(
        "OVERLOADED",
        StatusCode::SERVICE_UNAVAILABLE,
        Code::ResourceExhausted,
    );
    assert!(told.hints());
    for path in [
        "/orders",
        "/analytics/stats",
        "/orders/0190c6a4-7c1e-7b3a-9d2e-5f3a1c2b4d6e",
    ] {
        assert_eq!(
            doors.get(path).await.json()["reason"],
            "OVERLOADED",
            "{path}"
        );
    }
    drop(inside);
    assert_eq!(
        doors.post("/order", order().to_string()).await.status,
        StatusCode::ACCEPTED
    );
}

#[tokio::test]
async fn the_producers_queue_is_full() {
    let doors = Doors::open();
    doors.backend.state().kafka = Kafka::Fails(PublishError::QueueFull);
    let told = place(&doors, None).await;
    told.row(
        "OVERLOADED",
        StatusCode::SERVICE_UNAVAILABLE,
        Code::ResourceExhausted,
    );
    assert!(told.hints());
}

#[tokio::test]
async fn kafka_is_away() {
    let doors = Doors::open();
    doors.backend.state().kafka = Kafka::Fails(PublishError::Unavailable("10.0.0.7".into()));
    for key in [None, Some("k1")] {
        let told = place(&doors, key).await;
        told.row(
            "KAFKA_UNAVAILABLE",
            StatusCode::SERVICE_UNAVAILABLE,
            Code::Unavailable,
        );
        assert!(told.hints());
        let words = format!("{}{}", told.rest.json(), told.grpc.message());
        assert!(
            !words.contains("10.0.0.7"),
            "our insides stay inside: {words}"
        );
    }
}

#[tokio::test]
async fn an_unknown_outcome_with_a_key() {
    let doors = Doors::open();
    doors.backend.state().kafka = Kafka::Fails(PublishError::OutcomeUnknown("cut".into()));
    let told = place(&doors, Some("k1")).await;
    told.row(
        "OUTCOME_UNKNOWN",
        StatusCode::SERVICE_UNAVAILABLE,
        Code::Unavailable,
    );
    assert!(told.hints());
    let id = OrderId::from_idempotency_key("42", "k1").to_string();
    assert_eq!(told.order_ids(), (id.clone(), id));
    assert!(told.grpc.message().contains("same idempotency key"));
}

#[tokio::test]
async fn an_unknown_outcome_without_a_key() {
    let doors = Doors::open();
    doors.backend.state().kafka = Kafka::Fails(PublishError::OutcomeUnknown("cut".into()));
    let told = place(&doors, None).await;
    told.row(
        "OUTCOME_UNKNOWN",
        StatusCode::SERVICE_UNAVAILABLE,
        Code::Unavailable,
    );
    assert!(!told.hints(), "a retry could order twice");
    let (rest, grpc) = told.order_ids();
    assert!(rest.parse::<OrderId>().is_ok() && grpc.parse::<OrderId>().is_ok());
    assert!(told.grpc.message().contains("look it up"));
}

#[tokio::test]
async fn the_deadline_passed() {
    let place_timeout = Duration::from_millis(50);
    let doors = Doors::with(Timeouts {
        place: place_timeout,
        read: Duration::from_secs(2),
    });
    doors.backend.state().kafka = Kafka::NeverAnswers;
    let told = place(&doors, None).await;
    told.row(
        "DEADLINE_EXCEEDED",
        StatusCode::GATEWAY_TIMEOUT,
        Code::DeadlineExceeded,
    );
    assert!(!told.hints(), "a retry could order twice");
    assert_ne!(
        told.order_ids().0,
        "",
        "the order may be accepted all the same"
    );
}

#[tokio::test]
async fn the_callers_own_deadline_counts_when_it_is_sooner() {
    let doors = Doors::open();
    doors.backend.state().kafka = Kafka::NeverAnswers;
    let mut request = Request::new(keyboard_and_mouse());
    request.set_timeout(Duration::from_millis(50));
    let start = std::time::Instant::now();
    let status = doors.grpc().place_order(request).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn an_unknown_id() {
    let doors = Doors::open();
    let id = OrderId::random();
    let rest = doors.get(&format!("/orders/{id}")).await;
    assert_eq!(
        rest.header(header::RETRY_AFTER),
        "1",
        "it may not be stored yet"
    );
    let request = GetOrderRequest {
        order_id: id.to_string(),
    };
    let grpc = doors.grpc().get_order(request).await.unwrap_err();
    let told = Told { rest, grpc };
    told.row("NOT_FOUND", StatusCode::NOT_FOUND, Code::NotFound);
    assert!(told.hints());
}

#[tokio::test]
async fn no_id_at_all() {
    let doors = Doors::open();
    let rest = doors.get("/orders/no-uuid").await;
    assert_eq!(rest.fields(), ["orderId"]);
    let request = GetOrderRequest {
        order_id: "no-uuid".into(),
    };
    let grpc = doors.grpc().get_order(request).await.unwrap_err();
    let violations = grpc.get_details_bad_request().unwrap().field_violations;
    assert_eq!(violations[0].field, "order_id");
    Told { rest, grpc }.row(
        "INVALID_REQUEST",
        StatusCode::BAD_REQUEST,
        Code::InvalidArgument,
    );
}

#[tokio::test]
async fn history_is_away() {
    let doors = Doors::open();
    doors.backend.state().away.insert(Peer::History);
    let id = OrderId::random();
    let rest = doors.get(&format!("/orders/{id}")).await;
    let request = GetOrderRequest {
        order_id: id.to_string(),
    };
    let grpc = doors.grpc().get_order(request).await.unwrap_err();
    let told = Told { rest, grpc };
    told.row(
        "DEPENDENCY_UNAVAILABLE",
        StatusCode::SERVICE_UNAVAILABLE,
        Code::Unavailable,
    );
    assert!(told.hints());
}

#[tokio::test]
async fn events_are_refused_as_orders_are() {
    let doors = Doors::open();
    let request = || TrackEventRequest {
        user_id: 42,
        r#type: UserEventType::ProductViewed.into(),
        product_id: Some(7),
        occurred_at: None,
    };
    let body = r#"{"userId":42,"type":"USER_EVENT_TYPE_PRODUCT_VIEWED","productId":"7"}"#;
    let track = async || Told {
        rest: doors.post("/events", body).await,
        grpc: doors.grpc().track_event(request()).await.unwrap_err(),
    };
    let unknown = || PublishError::OutcomeUnknown(String::new());
    let away = || PublishError::Unavailable(String::new());
    let busy = StatusCode::SERVICE_UNAVAILABLE;
    for (failure, reason, code, hints) in [
        (
            PublishError::QueueFull,
            "OVERLOADED",
            Code::ResourceExhausted,
            true,
        ),
        (away(), "KAFKA_UNAVAILABLE", Code::Unavailable, true),
        (unknown(), "OUTCOME_UNKNOWN", Code::Unavailable, false),
    ] {
        doors.backend.state().kafka = Kafka::Fails(failure);
        let told = track().await;
        told.row(reason, busy, code);
        assert_eq!(told.hints(), hints, "{reason}");
    }
    doors.backend.state().kafka = Kafka::Takes;
    let answer = doors.post("/events", body).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    doors.grpc().track_event(request()).await.unwrap();
    let tracked = std::mem::take(&mut doors.backend.state().tracked);
    assert_eq!(answer.json()["eventId"], tracked[0].event_id.to_string());
    assert_eq!(tracked[0].product_id, tracked[1].product_id);
}
