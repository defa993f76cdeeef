//! What operators see, and that only they do.

use std::{collections::BTreeSet, sync::atomic::Ordering, time::Duration};

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use chassis::config::Setting as _;
use http_body_util::BodyExt as _;
use proto::id::OrderId;
use serde_json::Value;
use tower::ServiceExt as _;

use super::{Answer, Doors};
use crate::{
    core::Timeouts,
    ops::{Access, MOST_STREAMS, OperatorToken},
};

const TOKEN: &str = "s3cret-token";
/// Longer than every pace at which something is looked at.
const A_WHILE: Duration = Duration::from_millis(2_500);

fn guarded(access: Access) -> Doors {
    let timeouts = Timeouts {
        place: Duration::from_secs(10),
        read: Duration::from_secs(2),
    };
    Doors::with_access(timeouts, access)
}

async fn asked(doors: &Doors, method: &str, path: &str, token: Option<&str>) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    doors.send(request.body(Body::empty()).unwrap()).await
}

/// An open stream, as its events come.
struct Events {
    body: Body,
    read: String,
}

impl Events {
    async fn open(doors: &Doors) -> Self {
        let request = Request::get("/ops/live").body(Body::empty()).unwrap();
        let answer = doors.rest.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/event-stream");
        Self {
            body: answer.into_body(),
            read: String::new(),
        }
    }

    /// The next event's name and data; `None` at the end.
    async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((event, rest)) = self.read.split_once("\n\n") {
                let (head, data) = event.split_once('\n').unwrap_or((event, "null"));
                let name = head.trim_start_matches("event: ").to_owned();
                let data = serde_json::from_str(data.trim_start_matches("data: ")).unwrap();
                self.read = rest.to_owned();
                return Some((name, data));
            }
            let frame = self.body.frame().await?.unwrap();
            let bytes = frame.into_data().unwrap();
            self.read.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }

    /// The data of the next event of this name.
    async fn next_of(&mut self, name: &str) -> Value {
        loop {
            let (of, data) = self.next().await.unwrap();
            if of == name {
                return data;
            }
        }
    }
}

#[tokio::test]
async fn operators_routes_are_closed_to_everybody_else() {
    let token = OperatorToken::parse(TOKEN);
    let (guarded, closed) = (
        guarded(Access::new(token, false)),
        guarded(Access::new(None, false)),
    );
    for (method, path) in super::document::operators_routes() {
        for wrong in [None, Some("wrong-token")] {
            let answer = asked(&guarded, &method, &path, wrong).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
            assert_eq!(answer.header(header::WWW_AUTHENTICATE), "Bearer", "{path}");
            assert_eq!(answer.json()["reason"], "UNAUTHENTICATED", "{path}");
        }
        let answer = asked(&closed, &method, &path, Some(TOKEN)).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
        assert_eq!(answer.json()["reason"], "PERMISSION_DENIED", "{path}");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains("GATEWAY__OPERATOR_TOKEN"), "{detail}");
    }
}

#[tokio::test]
async fn all_five_services_are_shown_in_their_order() {
    let doors = guarded(Access::new(OperatorToken::parse(TOKEN), false));
    doors.operations.state().away.push("notifier");
    let answer = asked(&doors, "GET", "/ops/services", Some(TOKEN)).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header(header::CONTENT_TYPE), "application/json");
    assert_eq!(answer.header(header::CACHE_CONTROL), "no-store");
    assert_eq!(answer.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff");
    let json = answer.json();
    let services = json["services"].as_array().unwrap();
    let told: Vec<_> = services
        .iter()
        .map(|service| {
            (
                service["name"].as_str().unwrap(),
                service["state"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("gateway", "ready"),
            ("payments", "ready"),
            ("history", "ready"),
            ("notifier", "unreachable"),
            ("analytics", "ready"),
        ]
    );
    assert_eq!(services[3]["reasons"][0], "it does not take connections");
}

#[tokio::test]
async fn many_who_ask_at_once_are_one_round_of_asking_and_nobody_is_none() {
    let doors = Doors::open();
    let asking = (0..20).map(|_| doors.get("/ops/services"));
    for answer in futures::future::join_all(asking).await {
        assert_eq!(answer.status, StatusCode::OK);
    }
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(doors.operations.asked.load(Ordering::Relaxed), 5);
    doors.get("/ops/services").await;
    assert_eq!(doors.operations.asked.load(Ordering::Relaxed), 10);
}

#[tokio::test]
async fn a_stream_shows_everything_at_once_and_then_what_changes() {
    let doors = Doors::open();
    let mut events = Events::open(&doors).await;
    let mut first = BTreeSet::new();
    while first.len() < 3 {
        first.insert(events.next().await.unwrap().0);
    }
    let expected = ["analytics", "orders", "services"];
    assert_eq!(first, expected.map(str::to_owned).into());
    let id = OrderId::random();
    doors.backend.store(id);
    let orders = events.next_of("orders").await;
    assert_eq!(orders["orders"][0]["orderId"], id.to_string());
    // A second one is shown the same, without waiting for a change.
    let mut second = Events::open(&doors).await;
    let analytics = second.next_of("analytics").await;
    assert_eq!(analytics["stats"]["orders"], 3);
    for part in ["rate", "topProducts", "productPairs", "funnel"] {
        assert!(analytics[part].is_object(), "{part}: {analytics}");
    }
    let before = events.next_of("services").await;
    let after = events.next_of("services").await;
    assert_ne!(before["at"], after["at"]);
}

#[tokio::test]
async fn analytics_that_cannot_be_read_are_null() {
    let doors = Doors::open();
    let away = crate::backend::pretend::Peer::Analytics;
    doors.backend.state().away.insert(away);
    let mut events = Events::open(&doors).await;
    let analytics = events.next_of("analytics").await;
    assert_eq!(analytics["stats"], Value::Null);
}

#[tokio::test]
async fn nothing_is_asked_once_the_last_stream_is_gone() {
    let doors = Doors::open();
    let mut events = Events::open(&doors).await;
    events.next_of("services").await;
    drop(events);
    // What is being looked at just now is looked at to its end.
    tokio::time::sleep(A_WHILE).await;
    let asked = doors.operations.asked.load(Ordering::Relaxed);
    let listed = doors.backend.state().listed.len();
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(doors.operations.asked.load(Ordering::Relaxed), asked);
    assert_eq!(doors.backend.state().listed.len(), listed);
}

#[tokio::test]
async fn closing_doors_end_a_stream_with_a_problem() {
    let doors = Doors::open();
    let mut events = Events::open(&doors).await;
    events.next().await.unwrap();
    doors.closing.cancel();
    let problem = events.next_of("problem").await;
    assert_eq!(problem["reason"], "DEPENDENCY_UNAVAILABLE");
    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn too_many_streams_are_refused_with_a_hint() {
    let doors = Doors::open();
    let mut open = Vec::new();
    for _ in 0..MOST_STREAMS {
        open.push(Events::open(&doors).await);
    }
    let answer = doors.get("/ops/live").await;
    assert_eq!(answer.json()["reason"], "OVERLOADED");
    assert_eq!(answer.header(header::RETRY_AFTER), "1");
    open.pop();
    let mut events = Events::open(&doors).await;
    events.next_of("services").await;
}

#[tokio::test]
async fn parameters_that_are_none_are_told() {
    let doors = Doors::open();
    for path in ["/ops/services?x=1", "/ops/live?x=1"] {
        let answer = doors.get(path).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
        assert_eq!(answer.fields(), ["x"]);
    }
}
