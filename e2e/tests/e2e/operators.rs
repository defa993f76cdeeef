//! What operators see and do at the gateway: how the services are, an order's records,
//! dead letters and their way back, mails.

use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use e2e::{
    footing::{Footing, Kind, OPERATOR_TOKEN, STORING},
    orders::{example, new_user},
};
use http::{Method, StatusCode, header};
use http_body_util::Full;
use prost::Name as _;
use proto::events::v1::OrderPlaced;
use serde_json::{Value, json};
use testkit::{harness::Test, rest::Answer, wait::until};

use crate::{
    hostile::{MARKUP, undecodable},
    on_both, on_both_alone,
};

const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn tests() -> Vec<Test> {
    [
        on_both("operators see all services with their rates", services),
        on_both("operators watch the system live", live),
        on_both("an order's records are shown whole and masked", records),
        on_both("markup in an order's mail is text", mails),
        on_both("markup in what users do is refused as json", user_events),
        on_both_alone("a dead letter is shown and put back over rest", dead_letter),
    ]
    .into_iter()
    .flatten()
    .collect()
}

async fn get(footing: &Footing, path: &str) -> anyhow::Result<Answer> {
    let request = footing
        .rest
        .request(Method::GET, path)
        .header(header::AUTHORIZATION, format!("Bearer {OPERATOR_TOKEN}"));
    footing.rest.send(request.body(Full::default())?).await
}

async fn get_json(footing: &Footing, path: &str) -> anyhow::Result<Value> {
    let answer = get(footing, path).await?;
    anyhow::ensure!(answer.status == StatusCode::OK, "{path}: {answer:?}");
    Ok(answer.json())
}

/// Places an order and waits until nothing more happens to it.
async fn placed(footing: &Footing, order: &Value) -> anyhow::Result<String> {
    let answer = footing.rest.post("/order", order).await?;
    anyhow::ensure!(answer.status == StatusCode::ACCEPTED, "{answer:?}");
    let id = answer.json()["orderId"]
        .as_str()
        .context("an id")?
        .to_owned();
    let path = format!("/orders/{id}?wait=30s&until=final");
    let last = footing.rest.get(&path).await?.json();
    anyhow::ensure!(last["final"] == true, "{last}");
    Ok(id)
}

async fn services(footing: &Footing) -> anyhow::Result<()> {
    let stranger = footing.rest.get("/ops/services").await?;
    assert_eq!(stranger.status, StatusCode::UNAUTHORIZED);
    assert_eq!(stranger.header(header::WWW_AUTHENTICATE), "Bearer");
    until("every service to show its rate", PATIENCE, async || {
        footing.rest.post("/order", &example(new_user())).await?;
        let json = get_json(footing, "/ops/services").await?;
        let accepted = json["acceptedPerSecond"].as_f64().unwrap_or_default();
        anyhow::ensure!(accepted > 0.0, "{json}");
        let services = json["services"].as_array().context("services")?;
        let names: Vec<_> = services.iter().map(|it| it["name"].as_str()).collect();
        let expected = ["gateway", "payments", "history", "notifier", "analytics"];
        assert_eq!(names, expected.map(Some));
        for service in services {
            anyhow::ensure!(service["state"] == "ready", "{service}");
            assert_eq!(
                (&service["instances"], &service["reasons"]),
                (&json!(1), &json!([]))
            );
        }
        for service in &services[1..] {
            let topics = service["topics"].as_array().context("topics")?;
            let orders = topics.iter().find(|it| it["topic"] == "orders.v1");
            let orders = orders.context("orders.v1")?;
            let rate = orders["perSecond"].as_f64().unwrap_or_default();
            anyhow::ensure!(rate > 0.0, "{service}");
            let age = &service["age"];
            anyhow::ensure!(age["p99Ms"].as_f64() >= age["p50Ms"].as_f64(), "{service}");
            anyhow::ensure!(age["count"].as_u64() > Some(0), "{service}");
            anyhow::ensure!(service["lag"].is_i64(), "{service}");
        }
        anyhow::Ok(())
    })
    .await
}

async fn live(footing: &Footing) -> anyhow::Result<()> {
    use http_body_util::BodyExt as _;
    let id = placed(footing, &example(new_user())).await?;
    let client = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new())
        .build_http::<Full<Bytes>>();
    let request = footing
        .rest
        .request(Method::GET, "/ops/live")
        .header(header::AUTHORIZATION, format!("Bearer {OPERATOR_TOKEN}"));
    let mut answer = client.request(request.body(Full::default())?).await?;
    assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/event-stream");
    let mut read = String::new();
    let everything = async {
        let has = |read: &str, name: &str| read.contains(&format!("event: {name}\n"));
        while !["services", "orders", "analytics"]
            .iter()
            .all(|name| has(&read, name))
        {
            let frame = answer.body_mut().frame().await.context("it goes on")??;
            let bytes = frame.into_data().unwrap_or_default();
            read.push_str(std::str::from_utf8(&bytes)?);
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(PATIENCE, everything)
        .await
        .context("all three")??;
    anyhow::ensure!(read.contains(&id), "the newest order is shown");
    Ok(())
}

async fn records(footing: &Footing) -> anyhow::Result<()> {
    let mut order = example(new_user());
    order["products"][0]["name"] = MARKUP.into();
    // A local part in quotes may hold this (RFC 5321, section 4.1.2).
    order["email"] = "\"<b>jane</b>\"@example.com".into();
    order["paymentToken"] = "tok_of_jane".into();
    let id = placed(footing, &order).await?;
    let path = format!("/orders/{id}/records");
    let stranger = footing.rest.get(&path).await?;
    assert_eq!(stranger.status, StatusCode::UNAUTHORIZED);
    // The order is final a moment before its last event is on Kafka.
    let json = until("all records", PATIENCE, async || {
        let answer = get(footing, &path).await?;
        anyhow::ensure!(answer.status == StatusCode::OK, "{answer:?}");
        let content_type = answer.header(header::CONTENT_TYPE).to_owned();
        assert_eq!(content_type, "application/json");
        let json = answer.json();
        anyhow::ensure!(json["complete"] == true, "{json}");
        anyhow::Ok(json)
    })
    .await?;
    let records = json["records"].as_array().context("records")?;
    let types: Vec<_> = records
        .iter()
        .filter_map(|it| it["type"].as_str())
        .collect();
    let expected = [
        "ordermesh.events.v1.OrderPlaced",
        "ordermesh.events.v1.PaymentSettled",
        "ordermesh.events.v1.NotificationSent",
    ];
    for kind in expected {
        assert!(types.contains(&kind), "{types:?}");
    }
    let placed = &records[0];
    assert_eq!(
        (&placed["topic"], &placed["key"]),
        (&json!("orders.v1"), &json!(id))
    );
    assert_eq!(placed["payload"]["lines"][0]["name"], MARKUP);
    assert_eq!(placed["payload"]["email"], "[redacted]");
    assert_eq!(placed["payload"]["paymentToken"], "[redacted]");
    let names: Vec<_> = placed["headers"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|it| it["name"].as_str())
        .collect();
    assert!(
        names.contains(&"ce_id") && names.contains(&"traceparent"),
        "{names:?}"
    );
    let text = json.to_string();
    assert!(!text.contains("jane"), "{text}");
    Ok(())
}

async fn mails(footing: &Footing) -> anyhow::Result<()> {
    let mut order = example(new_user());
    order["products"][0]["name"] = MARKUP.into();
    let id = placed(footing, &order).await?;
    let list = format!("/orders/{id}/notifications");
    let mails = footing.rest.get(&list).await?.json();
    let mails = mails["notifications"].as_array().context("mails")?.clone();
    assert!(!mails.is_empty());
    let mut seen = 0;
    for mail in mails {
        let mail = mail["notificationId"].as_str().context("an id")?;
        let path = format!("/orders/{id}/notifications/{mail}");
        let text = footing.rest.get(&path).await?;
        assert_eq!(text.status, StatusCode::OK, "{text:?}");
        let html = footing.rest.get(&format!("{path}/html")).await?;
        assert_eq!(html.status, StatusCode::OK, "{html:?}");
        let policy = html.header(header::CONTENT_SECURITY_POLICY);
        assert!(policy.starts_with("sandbox;"), "{policy}");
        let html = std::str::from_utf8(&html.body)?;
        assert!(!html.contains("<img"), "{html}");
        if text.json()["textBody"]
            .as_str()
            .context("a text")?
            .contains(MARKUP)
        {
            assert!(html.contains("&lt;img src"), "{html}");
            seen += 1;
        }
    }
    assert!(seen > 0, "some mail names the product");
    Ok(())
}

/// Whatever is sent, what comes back is JSON and said to be, so no browser runs it.
async fn user_events(footing: &Footing) -> anyhow::Result<()> {
    let event = json!({ "userId": 1, "type": MARKUP, MARKUP: MARKUP });
    let answers = [
        footing.rest.post("/events", &event).await?,
        footing
            .rest
            .get("/users/%3Cimg%20src=x%3E/orders?%3Cb%3E=1")
            .await?,
        get(
            footing,
            "/ops/dead-letters?service=%3Cb%3E&%3Cimg%20src=x%3E=1",
        )
        .await?,
    ];
    for answer in answers {
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{answer:?}");
        let content_type = answer.header(header::CONTENT_TYPE);
        assert_eq!(content_type, "application/problem+json");
        assert_eq!(answer.json()["reason"], "INVALID_REQUEST", "{answer:?}");
    }
    Ok(())
}

async fn dead_letter(kind: Kind) -> anyhow::Result<()> {
    let mut footing = Footing::start(kind, &[]).await?;
    undecodable(&footing).await?;
    let name = OrderPlaced::full_name();

    let first = letters(&footing, "", STORING.len()).await?;
    let services: Vec<_> = first
        .iter()
        .filter_map(|it| it["service"].as_str())
        .collect();
    assert!(
        STORING.iter().all(|service| services.contains(service)),
        "{services:?}"
    );
    let of_history = letters(&footing, "?service=history&class=undecodable", 1).await?;
    let letter = &of_history[0];
    for (field, value) in [
        ("class", json!("undecodable")),
        ("replayed", json!(false)),
        ("replayable", json!(true)),
        ("key", json!(MARKUP)),
        ("payload", Value::Null),
        ("type", json!(name)),
    ] {
        assert_eq!(letter[field], value, "{field}: {letter}");
    }
    assert_eq!(letter["origin"]["topic"], "orders.v1");
    assert!(letter["problem"].is_string(), "{letter}");
    let headers = letter["headers"].as_array().context("headers")?;
    let note = headers.iter().find(|it| it["name"] == "x-note");
    assert_eq!(note.context("the note")?["value"], MARKUP);
    assert!(letters(&footing, "?class=conflict", 0).await?.is_empty());

    let id = letter["id"].as_str().context("an id")?;
    let replayed = replay(&footing, &json!({ "ids": [id, "history:0:9999"] })).await?;
    assert_eq!(
        replayed,
        json!({
            "replayed": [id], "replayedBefore": [], "tooOld": [], "unknown": ["history:0:9999"],
        })
    );
    // It fails again; the first letter is known to be back, and nobody else was asked.
    let after = letters(&footing, "", STORING.len() + 1).await?;
    let before = after
        .iter()
        .find(|it| it["id"] == id)
        .context("the first")?;
    assert_eq!(
        (&before["replayed"], &before["replayable"]),
        (&json!(true), &json!(false))
    );
    let again = after
        .iter()
        .find(|it| it["service"] == "history" && it["id"] != id);
    assert_eq!(again.context("the second")?["origin"], letter["origin"]);
    let replayed = replay(&footing, &json!({ "ids": [id] })).await?;
    assert_eq!(replayed["replayedBefore"], json!([id]), "{replayed}");
    footing.down().await
}

/// The dead letters, once there are so many.
pub(crate) async fn letters(
    footing: &Footing,
    query: &str,
    count: usize,
) -> anyhow::Result<Vec<Value>> {
    until("the dead letters", PATIENCE, async || {
        let json = get_json(footing, &format!("/ops/dead-letters{query}")).await?;
        let letters = json["deadLetters"].as_array().context("letters")?.clone();
        anyhow::ensure!(letters.len() == count, "{}: {json}", letters.len());
        anyhow::Ok(letters)
    })
    .await
}

async fn replay(footing: &Footing, body: &Value) -> anyhow::Result<Value> {
    let token = format!("Bearer {OPERATOR_TOKEN}");
    let headers = [("authorization", token.as_str())];
    let path = "/ops/dead-letters/replay";
    let answer = footing
        .rest
        .post_with(path, &headers, body.to_string())
        .await?;
    anyhow::ensure!(answer.status == StatusCode::OK, "{answer:?}");
    Ok(answer.json())
}
