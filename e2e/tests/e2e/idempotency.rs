//! The same order twice.

use std::time::Duration;

use e2e::{
    footing::Footing,
    orders::{example, example_request, example_with, new_user},
};
use http::StatusCode;
use testkit::{harness::Test, wait::until};
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::on_both;

pub(crate) fn tests() -> Vec<Test> {
    [
        on_both(
            "one key is one order, at once and one after the other",
            one_order,
        ),
        on_both(
            "a key with other content is refused at both doors",
            other_content,
        ),
        on_both(
            "a key with other content at the same moment gives one order",
            conflict_at_once,
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

const KEY: (&str, &str) = ("idempotency-key", "checkout-1");

async fn settle(footing: &Footing, id: &str) -> anyhow::Result<serde_json::Value> {
    let answer = footing
        .rest
        .get(&format!("/orders/{id}?wait=20s&until=final"))
        .await?;
    anyhow::ensure!(answer.status == StatusCode::OK, "{answer:?}");
    Ok(answer.json())
}

async fn orders_of(footing: &Footing, user: i64) -> anyhow::Result<usize> {
    let orders = footing
        .rest
        .get(&format!("/users/{user}/orders"))
        .await?
        .json();
    Ok(orders["orders"].as_array().map_or(0, Vec::len))
}

async fn one_order(footing: &'static Footing) -> anyhow::Result<()> {
    let user = new_user();
    let body = example(user).to_string();
    let at_once = (0..8).map(|_| footing.rest.post_with("/order", &[KEY], body.clone()));
    let mut ids = Vec::new();
    for answer in futures::future::try_join_all(at_once).await? {
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
        ids.push(answer.json()["orderId"].clone());
    }
    let id = ids[0].as_str().unwrap_or_default().to_owned();
    assert!(ids.iter().all(|other| *other == id), "{ids:?}");

    settle(footing, &id).await?;
    let later = footing.rest.post_with("/order", &[KEY], body).await?;
    assert_eq!(later.status, StatusCode::ACCEPTED);
    assert_eq!(later.json()["orderId"], *id);
    let mut request = example_request(user);
    request.idempotency_key = Some(KEY.1.to_owned());
    let over_grpc = footing
        .clients
        .orders
        .clone()
        .place_order(request)
        .await?
        .into_inner();
    assert_eq!(over_grpc.order_id, id, "the doors share their keys");

    let order = settle(footing, &id).await?;
    assert_eq!(order["notifications"].as_array().map(Vec::len), Some(2));
    assert_eq!(orders_of(footing, user).await?, 1);
    until(
        "analytics to have counted once",
        Duration::from_secs(10),
        async || {
            let user = footing
                .rest
                .get(&format!("/analytics/users/{user}"))
                .await?
                .json();
            anyhow::ensure!(user["ordersPaid"] == 1, "{user}");
            anyhow::Ok(user)
        },
    )
    .await
    .map(|user| assert_eq!(user["orders"], 1))?;

    // Another user's same key is another order.
    let other = example(new_user()).to_string();
    let other = footing.rest.post_with("/order", &[KEY], other).await?;
    assert_ne!(other.json()["orderId"], *id);
    Ok(())
}

async fn other_content(footing: &'static Footing) -> anyhow::Result<()> {
    let user = new_user();
    let first = footing
        .rest
        .post_with("/order", &[KEY], example(user).to_string())
        .await?
        .json();
    let id = first["orderId"].as_str().unwrap_or_default().to_owned();
    settle(footing, &id).await?;

    let changed = example_with(user, "currencyCode", "EUR".into()).to_string();
    let refused = footing.rest.post_with("/order", &[KEY], changed).await?;
    assert_eq!(
        refused.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "{refused:?}"
    );
    assert_eq!(refused.json()["reason"], "IDEMPOTENCY_KEY_REUSED");

    let mut request = example_request(user);
    request.idempotency_key = Some(KEY.1.to_owned());
    request.products[0].price = Some(1);
    let status = footing
        .clients
        .orders
        .clone()
        .place_order(request)
        .await
        .err();
    let status = status.unwrap_or_else(|| tonic::Status::ok("must be refused"));
    assert_eq!(status.code(), Code::FailedPrecondition);
    let info = status.get_details_error_info().map(|info| info.reason);
    assert_eq!(info.as_deref(), Some("IDEMPOTENCY_KEY_REUSED"));

    let order = settle(footing, &id).await?;
    assert_eq!(
        order["order"]["currencyCode"], "USD",
        "the first order stays as it was"
    );
    assert_eq!(orders_of(footing, user).await?, 1);
    Ok(())
}

/// The gateway keeps no state, so two contents may both be accepted when they
/// come at the same moment; downstream one wins everywhere, and the other is a
/// dead letter.
async fn conflict_at_once(footing: &'static Footing) -> anyhow::Result<()> {
    let user = new_user();
    let one = example(user).to_string();
    let other = example_with(user, "currencyCode", "EUR".into()).to_string();
    let (one, other) = tokio::try_join!(
        footing.rest.post_with("/order", &[KEY], one),
        footing.rest.post_with("/order", &[KEY], other),
    )?;
    let id = [&one, &other]
        .into_iter()
        .find(|answer| answer.status == StatusCode::ACCEPTED)
        .and_then(|answer| answer.json()["orderId"].as_str().map(str::to_owned))
        .unwrap_or_default();
    let order = settle(footing, &id).await?;
    let currency = order["order"]["currencyCode"].clone();
    assert_eq!(
        order["payment"]["currencyCode"], currency,
        "all services took the same one"
    );
    assert_eq!(order["notifications"].as_array().map(Vec::len), Some(2));
    assert_eq!(orders_of(footing, user).await?, 1);
    Ok(())
}
