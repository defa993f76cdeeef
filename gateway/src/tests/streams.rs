//! Waiting for an order and watching it, at both doors.

use std::time::{Duration, Instant};

use axum::http::{StatusCode, header};
use proto::{
    history::v1::OrderStatus,
    id::OrderId,
    orders::v1::{OrderView, WatchOrderRequest},
};
use tokio_stream::StreamExt as _;
use tonic::Code;

use super::{Answer, Doors};

/// The events of a stream, as type and id.
fn events(answer: &Answer) -> Vec<(String, String)> {
    let text = std::str::from_utf8(&answer.body).unwrap();
    let field = |event: &str, name: &str| {
        let line = event.lines().find_map(|line| line.strip_prefix(name));
        line.map(|value| value.trim().to_owned())
            .unwrap_or_default()
    };
    text.split("\n\n")
        .filter(|event| event.contains("data:"))
        .map(|event| (field(event, "event:"), field(event, "id:")))
        .collect()
}

fn kinds(answer: &Answer) -> Vec<String> {
    events(answer).into_iter().map(|(kind, _)| kind).collect()
}

fn finish(doors: &Doors, id: OrderId) {
    doors.backend.settle(id, OrderStatus::Paid);
    doors.backend.mail(id, 0);
    doors.backend.mail(id, 1);
}

async fn last_of(doors: &Doors, id: &str) -> Result<Vec<OrderView>, tonic::Status> {
    let request = WatchOrderRequest {
        order_id: id.to_owned(),
    };
    let stream = doors.grpc().watch_order(request).await?.into_inner();
    let views: Result<Vec<_>, _> = stream.collect().await;
    Ok(views?
        .into_iter()
        .map(|response| response.order.unwrap())
        .collect())
}

#[tokio::test]
async fn a_wait_ends_when_the_order_is_stored() {
    let doors = Doors::open();
    let id = OrderId::random();
    let path = format!("/orders/{id}?wait=5s");
    let start = Instant::now();
    let (answer, ()) = tokio::join!(doors.get(&path), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        doors.backend.store(id);
    });
    assert_eq!(answer.status, StatusCode::OK);
    assert!(start.elapsed() < Duration::from_secs(2));
    assert_eq!(answer.json()["order"]["status"], "ORDER_STATUS_ACCEPTED");
}

#[tokio::test]
async fn a_wait_for_the_end_ends_with_it() {
    let doors = Doors::open();
    let id = OrderId::random();
    doors.backend.store(id);
    let path = format!("/orders/{id}?wait=5s&until=final");
    let (answer, ()) = tokio::join!(doors.get(&path), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        finish(&doors, id);
    });
    assert_eq!(answer.json()["final"], true);
}

#[tokio::test]
async fn a_wait_that_is_over_shows_how_far_the_order_came() {
    let doors = Doors::open();
    let id = OrderId::random();
    doors.backend.store(id);
    let answer = doors
        .get(&format!("/orders/{id}?wait=100ms&until=final"))
        .await;
    assert_eq!(
        (answer.status, &answer.json()["final"]),
        (StatusCode::OK, &false.into())
    );
    let unknown = doors
        .get(&format!("/orders/{}?wait=50ms", OrderId::random()))
        .await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    assert_eq!(unknown.header(header::RETRY_AFTER), "1");
}

#[tokio::test]
async fn waiting_takes_no_place_at_the_gate() {
    let doors = Doors::open();
    let path = format!("/orders/{}?wait=150ms", OrderId::random());
    let waits = futures::future::join_all((0..8).map(|_| doors.get(&path)));
    let order = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        doors.post("/order", super::order().to_string()).await
    };
    let (_, answer) = tokio::join!(waits, order);
    assert_eq!(answer.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn stages_arrive_as_events_and_come_to_an_end() {
    let doors = Doors::open();
    let id = OrderId::random();
    let path = format!("/orders/{id}/events");
    let (answer, ()) = tokio::join!(doors.get(&path), async {
        doors.backend.store(id);
        tokio::time::sleep(Duration::from_millis(50)).await;
        finish(&doors, id);
    });
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header(header::CONTENT_TYPE), "text/event-stream");
    assert_eq!(
        kinds(&answer),
        ["accepted", "stored", "paid", "mail", "mail", "final"]
    );
    let text = std::str::from_utf8(&answer.body).unwrap();
    assert!(!text.contains("jane"), "{text}");
}

#[tokio::test]
async fn whoever_comes_back_is_sent_what_is_missing() {
    let doors = Doors::open();
    let id = OrderId::random();
    doors.backend.store(id);
    finish(&doors, id);
    let path = format!("/orders/{id}/events");
    let all = events(&doors.get(&path).await);
    assert_eq!(all.len(), 6);
    for (index, (_, last)) in all.iter().enumerate() {
        let request = axum::http::Request::get(&path)
            .header("last-event-id", last)
            .body(axum::body::Body::empty());
        let answer = doors.send(request.unwrap()).await;
        if index == 5 {
            assert_eq!(
                answer.status,
                StatusCode::NO_CONTENT,
                "nothing to come back for"
            );
        }
        assert_eq!(events(&answer), all[index + 1..], "after {last}");
    }
}

#[tokio::test]
async fn a_declined_order_ends_with_its_notice() {
    let doors = Doors::open();
    let id = OrderId::random();
    doors.backend.store(id);
    doors.backend.settle(id, OrderStatus::Declined);
    doors.backend.mail(id, 0);
    doors.backend.mail(id, 1);
    let answer = doors.get(&format!("/orders/{id}/events")).await;
    assert_eq!(kinds(&answer)[2], "declined");
}

#[tokio::test]
async fn events_of_an_order_that_never_appears_end_with_a_problem() {
    let doors = Doors::open();
    let answer = doors
        .get(&format!("/orders/{}/events", OrderId::random()))
        .await;
    assert_eq!(kinds(&answer), ["problem"]);
    assert!(
        std::str::from_utf8(&answer.body)
            .unwrap()
            .contains("NOT_FOUND")
    );
}

#[tokio::test]
async fn grpc_shows_the_whole_order_then_each_change_and_ends_well() {
    let doors = Doors::open();
    let id = OrderId::random();
    doors.backend.store(id);
    let text = id.to_string();
    let (views, ()) = tokio::join!(last_of(&doors, &text), async {
        tokio::time::sleep(Duration::from_millis(60)).await;
        finish(&doors, id);
    });
    let views = views.unwrap();
    assert!(views.len() >= 2, "{views:?}");
    assert_eq!(
        views[0].order.as_ref().unwrap().status(),
        OrderStatus::Accepted
    );
    assert!(views.last().unwrap().r#final);
}

#[tokio::test]
async fn grpc_tells_an_order_that_never_appears_and_an_id_that_is_none() {
    let doors = Doors::open();
    let unknown = last_of(&doors, &OrderId::random().to_string())
        .await
        .unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    let none = last_of(&doors, "no-uuid").await.unwrap_err();
    assert_eq!(none.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn too_many_watchers_are_refused_with_a_hint() {
    let doors = Doors::open();
    let watches: Vec<_> = (0..10)
        .map(|_| doors.core.hub.watch(OrderId::random()))
        .collect();
    let id = OrderId::random();
    let answer = doors.get(&format!("/orders/{id}/events")).await;
    assert_eq!(answer.json()["reason"], "OVERLOADED");
    assert_eq!(answer.header(header::RETRY_AFTER), "1");
    let status = last_of(&doors, &id.to_string()).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    drop(watches);
}

#[tokio::test]
async fn closing_doors_end_waits_and_streams_at_once() {
    let doors = Doors::open();
    let id = OrderId::random();
    let (wait, stream) = (
        format!("/orders/{id}?wait=30s"),
        format!("/orders/{id}/events"),
    );
    let start = Instant::now();
    let (waited, streamed, ()) = tokio::join!(doors.get(&wait), doors.get(&stream), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        doors.closing.cancel();
    });
    assert!(
        start.elapsed() < Duration::from_millis(190),
        "before patience ends"
    );
    assert_eq!(waited.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(kinds(&streamed), ["problem"]);
}
