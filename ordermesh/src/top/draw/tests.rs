use std::time::{Duration, Instant};

use jiff::Timestamp;
use ratatui::style::Color;
use serde_json::{Value, json};

use super::*;
use crate::top::{
    model::{Model, Text},
    view::Link,
};

fn service(name: &str, state: &str, per_second: f64) -> Value {
    let is_gateway = name == "gateway";
    json!({
        "name": name, "state": state, "reasons": [], "instances": 1, "version": "0.1.0",
        "uptimeSeconds": 3_723,
        "topics": if is_gateway { json!([]) } else {
            json!([{ "topic": "orders.v1", "records": 1, "perSecond": per_second, "lag": 4 }])
        },
        "lag": if is_gateway { Value::Null } else { 4.into() },
        "age": if is_gateway { Value::Null } else {
            json!({ "count": 9, "p50Ms": 4.0, "p99Ms": 1_300.0 })
        },
        "retries": if is_gateway { Value::Null } else { 0.into() },
        "deadLetters": if is_gateway { Value::Null } else { 0.into() },
    })
}

fn order(name: u32, status: &str, decline: Option<&str>, settled: Option<&str>) -> Value {
    json!({
        "orderId": format!("0190c6a4-7c1e-7b3a-9d2e-{name:012}"), "userId": 42, "lines": [],
        "currencyCode": "USD", "total": 1_498, "status": status, "declineCode": decline,
        "placedAt": "2026-01-01T12:00:00Z", "storedAt": "2026-01-01T12:00:00.01Z",
        "settledAt": settled, "traceId": "",
    })
}

fn analytics() -> Value {
    let product = |name: &str, units: i64| {
        json!({ "productId": 1, "name": name, "units": units, "orders": units,
            "revenue": units * 999, "currencyCode": "USD" })
    };
    let bucket = |minute: u32, orders: u32| {
        json!({ "startTime": format!("2026-01-01T11:{minute:02}:00Z"), "orders": orders,
            "ordersPaid": orders })
    };
    json!({
        "stats": { "orders": 12_345, "units": 20_000, "ordersPaid": 12_000,
            "ordersDeclined": 340, "notificationsSent": 24_000, "notificationsFailed": 2,
            "userEvents": 0, "money": [], "updatedAt": null },
        "rate": { "buckets": (30..60).map(|minute| bucket(minute, minute)).collect::<Vec<_>>() },
        "topProducts": { "products": [product("Keyboard", 1_234), product("東京の地図", 20),
            product(&"long ".repeat(50), 3)] },
        "productPairs": null, "funnel": null,
    })
}

fn services() -> Value {
    let services = ["gateway", "payments", "history", "notifier", "analytics"]
        .map(|name| service(name, "ready", 1_234.0));
    json!({ "at": "x", "acceptedPerSecond": 1_234.4, "services": services })
}

fn view(documents: &[(&str, Value)]) -> View {
    let mut model = Model::default();
    for (name, document) in documents {
        assert!(model.learn(name, &document.to_string()).unwrap());
    }
    View {
        model,
        link: Link::Live,
        now: "2026-01-01T12:00:05Z".parse::<Timestamp>().unwrap(),
        ..View::new("127.0.0.1:3000".to_owned(), true)
    }
}

fn whole() -> View {
    let orders = json!({ "orders": [
        order(1, "ORDER_STATUS_ACCEPTED", None, None),
        order(2, "ORDER_STATUS_PAID", None, Some("2026-01-01T12:00:00.012Z")),
        order(3, "ORDER_STATUS_DECLINED", Some("DECLINE_CODE_CARD_DECLINED"),
            Some("2026-01-01T12:00:03Z")),
    ] });
    view(&[
        ("services", services()),
        ("orders", orders),
        ("analytics", analytics()),
    ])
}

fn drawn(view: &View, width: u16, height: u16) -> Buffer {
    let area = Rect::new(0, 0, width, height);
    let mut cells = Buffer::empty(area);
    draw(view, area, &mut cells);
    cells
}

fn picture(view: &View, width: u16, height: u16) -> String {
    lines(&drawn(view, width, height)).join("\n")
}

#[test]
fn a_small_terminal_shows_it_all() {
    insta::assert_snapshot!(picture(&whole(), 80, 24));
}

#[test]
fn a_wide_one_shows_more() {
    insta::assert_snapshot!(picture(&whole(), 120, 30));
}

#[test]
fn what_services_wait_for_stands_below_them() {
    let mut services = services();
    services["services"][1]["state"] = "not_ready".into();
    services["services"][1]["reasons"] = json!(["database: connection refused"]);
    services["services"][3] = service("notifier", "unreachable", 0.0);
    let reasons: Vec<_> = (0..9)
        .map(|number| format!("address {number}: away"))
        .collect();
    services["services"][3]["reasons"] = reasons.into();
    services["services"][2]["lag"] = 123_456.into();
    services["services"][2]["deadLetters"] = 3.into();
    let view = view(&[("services", services)]);
    insta::assert_snapshot!(picture(&view, 80, 24));
}

#[test]
fn what_was_lost_is_said_and_what_is_over_is_dim() {
    let mut view = whole();
    view.link = Link::Lost {
        since: Instant::now(),
        why: Text::clean("the connection broke"),
        again_in: Duration::from_secs(2),
    };
    let cells = drawn(&view, 80, 24);
    let lines = lines(&cells);
    assert_eq!(
        lines[1],
        "lost for 0s: the connection broke; trying again every 2s"
    );
    let green = cells
        .content()
        .iter()
        .filter(|cell| cell.fg == Color::Green);
    assert_eq!(green.count(), 0, "what is not known is not green");
}

#[test]
fn before_the_first_order_it_says_how_to_place_one() {
    let orders = json!({ "orders": [] });
    let empty = json!({ "stats": null, "rate": null, "topProducts": null });
    let view = view(&[
        ("services", services()),
        ("orders", orders),
        ("analytics", empty),
    ]);
    insta::assert_snapshot!(picture(&view, 80, 24));
}

#[test]
fn before_the_first_news_there_is_nothing_but_the_frame() {
    let mut view = View::new("127.0.0.1:3000".to_owned(), true);
    view.now = Timestamp::UNIX_EPOCH;
    insta::assert_snapshot!(picture(&view, 80, 24));
}

#[test]
fn a_window_that_is_too_small_is_told_so() {
    let text = picture(&whole(), 40, 10).replace('\n', " ");
    assert!(text.contains("has 40 columns and 10 rows"), "{text}");
    assert!(text.contains("needs 72 and 20"), "{text}");
    picture(&whole(), 0, 0);
    picture(&whole(), 1, 1);
}

#[test]
fn without_colours_there_are_none_and_every_state_has_its_word() {
    let mut view = whole();
    view.has_colours = false;
    let cells = drawn(&view, 80, 24);
    let coloured = |cell: &&ratatui::buffer::Cell| cell.fg != Color::Reset;
    assert_eq!(cells.content().iter().filter(coloured).count(), 0);
    assert!(picture(&view, 80, 24).contains("history    ready"));
}

#[test]
fn hostile_texts_move_nothing() {
    let evil = "\u{1b}]0;owned\u{7}\u{202e}\r\n\u{1b}[2J";
    let mut analytics = analytics();
    analytics["topProducts"]["products"][0]["name"] = evil.into();
    let mut services = services();
    services["services"][0]["reasons"] = json!([evil]);
    services["services"][0]["version"] = evil.into();
    let view = view(&[("services", services), ("analytics", analytics)]);
    for (width, height) in [(72, 20), (80, 24), (200, 60)] {
        let text = picture(&view, width, height);
        let acts = |one: char| one != '\n' && (one.is_control() || one == '\u{202e}');
        assert!(!text.contains(acts), "{text:?}");
    }
}
