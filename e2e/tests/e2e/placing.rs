//! The order of the README, at both doors, and what is seen of it afterwards.

use std::time::Duration;

use e2e::{
    footing::Footing,
    orders::{example, example_request, new_user},
};
use http::{StatusCode, header};
use proto::{
    analytics::v1::GetStatsRequest,
    history::v1::{Order, OrderStatus},
    notifier::v1::{ListNotificationsRequest, NotificationStatus},
    orders::v1::WatchOrderRequest,
    payments::v1::{GetPaymentRequest, PaymentStatus, get_payment_request},
};
use testkit::{harness::Test, wait::until};

use crate::on_both;

pub(crate) fn tests() -> Vec<Test> {
    [
        on_both(
            "an order by rest is paid, stored, mailed and counted",
            by_rest,
        ),
        on_both("an order by grpc is watched to its end", by_grpc),
        on_both(
            "stages arrive as server-sent events and resume after the last one",
            by_events,
        ),
        on_both("a user's events are counted", user_events),
    ]
    .into_iter()
    .flatten()
    .collect()
}

async fn by_rest(footing: &'static Footing) -> anyhow::Result<()> {
    let user = new_user();
    let rest = &footing.rest;
    let placed = rest.post("/order", &example(user)).await?;
    assert_eq!(placed.status, StatusCode::ACCEPTED, "{placed:?}");
    let body = placed.json();
    let id = body["orderId"].as_str().unwrap_or_default().to_owned();
    assert_eq!(placed.header(header::LOCATION), format!("/orders/{id}"));
    assert_eq!(body["status"], "ORDER_STATUS_ACCEPTED");
    assert_eq!(body["total"], 1498);
    assert_eq!(body["currencyCode"], "USD");
    assert_eq!(body["traceId"].as_str().map(str::len), Some(32));

    let last = rest
        .get(&format!("/orders/{id}?wait=20s&until=final"))
        .await?;
    assert_eq!(last.status, StatusCode::OK, "{last:?}");
    let order = last.json();
    assert_eq!(order["order"]["status"], "ORDER_STATUS_PAID", "{order}");
    assert_eq!(order["order"]["userId"], user);
    assert_eq!(order["payment"]["status"], "PAYMENT_STATUS_CAPTURED");
    assert_eq!(order["payment"]["amount"], 1498);
    let mails = order["notifications"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    assert_eq!(mails.len(), 2, "one mail a product");
    assert!(
        mails
            .iter()
            .all(|mail| mail["status"] == "NOTIFICATION_STATUS_SENT")
    );
    assert_eq!(order["final"], true);

    let payment = rest.get(&format!("/orders/{id}/payment")).await?.json();
    assert_eq!(payment["orderId"], *id);
    let notifications = rest
        .get(&format!("/orders/{id}/notifications"))
        .await?
        .json();
    assert_eq!(
        notifications["notifications"].as_array().map(Vec::len),
        Some(2)
    );
    let of_user = rest.get(&format!("/users/{user}/orders")).await?.json();
    assert_eq!(of_user["orders"].as_array().map(Vec::len), Some(1));
    assert_eq!(of_user["nextPageToken"], "");

    let sent: Vec<_> = mails
        .iter()
        .filter_map(|mail| mail["messageId"].as_str())
        .collect();
    for id in sent {
        let arrived = footing.smtp.by_message_id(id);
        assert_eq!(arrived.len(), 1, "{id} arrived once");
    }
    until(
        "analytics to count the user's order",
        Duration::from_secs(10),
        async || {
            let user = rest.get(&format!("/analytics/users/{user}")).await?.json();
            anyhow::ensure!(user["orders"] == 1 && user["ordersPaid"] == 1, "{user}");
            anyhow::Ok(())
        },
    )
    .await
}

async fn by_grpc(footing: &'static Footing) -> anyhow::Result<()> {
    let user = new_user();
    let mut clients = footing.clients.clone();
    let before = stats(footing).await?;
    let placed = clients
        .orders
        .place_order(example_request(user))
        .await?
        .into_inner();
    assert_eq!((placed.total, placed.currency_code.as_str()), (1498, "USD"));
    let id = placed.order_id;

    let request = WatchOrderRequest {
        order_id: id.clone(),
    };
    let mut changes = clients.orders.watch_order(request).await?.into_inner();
    let mut stages = Vec::new();
    let mut last = None;
    while let Some(change) = changes.message().await? {
        let view = change.order.unwrap_or_default();
        stages.push(view.order.as_ref().map(Order::status));
        last = Some(view);
    }
    let last = last.unwrap_or_default();
    assert!(last.r#final, "the stream ends at the final stage");
    assert_eq!(stages.last(), Some(&Some(OrderStatus::Paid)), "{stages:?}");
    assert!(
        last.notifications
            .iter()
            .all(|mail| mail.status() == NotificationStatus::Sent)
    );

    let by_order = Some(get_payment_request::Id::OrderId(id.clone()));
    let payment = clients
        .payments
        .get_payment(GetPaymentRequest { id: by_order })
        .await?;
    let payment = payment.into_inner().payment.unwrap_or_default();
    assert_eq!(payment.status(), PaymentStatus::Captured);

    let request = ListNotificationsRequest {
        order_id: id,
        ..Default::default()
    };
    let mails = clients
        .notifier
        .list_notifications(request)
        .await?
        .into_inner();
    assert_eq!(mails.notifications.len(), 2);

    until("the totals to grow", Duration::from_secs(10), async || {
        let now = stats(footing).await?;
        anyhow::ensure!(
            now.0 > before.0 && now.1 > before.1,
            "{now:?} after {before:?}"
        );
        anyhow::Ok(())
    })
    .await
}

async fn stats(footing: &Footing) -> anyhow::Result<(i64, i64)> {
    let mut analytics = footing.clients.analytics.clone();
    let stats = analytics
        .get_stats(GetStatsRequest {})
        .await?
        .into_inner()
        .stats;
    let stats = stats.unwrap_or_default();
    Ok((stats.orders, stats.notifications_sent))
}

async fn by_events(footing: &'static Footing) -> anyhow::Result<()> {
    let rest = &footing.rest;
    let placed = rest.post("/order", &example(new_user())).await?.json();
    let id = placed["orderId"].as_str().unwrap_or_default();
    let path = format!("/orders/{id}/events");
    let (status, all) = rest.stream(&path, &[]).await?;
    assert_eq!(status, StatusCode::OK);
    let ids: Vec<&str> = all
        .lines()
        .filter_map(|line| line.strip_prefix("id:"))
        .collect();
    assert!(ids.len() >= 2, "stages: {all}");
    let last = ids.last().copied().unwrap_or_default().trim();
    let (_, rest_of) = rest.stream(&path, &[("last-event-id", last)]).await?;
    let again = rest_of
        .lines()
        .filter(|line| line.starts_with("id:"))
        .count();
    assert_eq!(
        again, 0,
        "nothing is missing after the last event: {rest_of}"
    );
    Ok(())
}

async fn user_events(footing: &'static Footing) -> anyhow::Result<()> {
    let user = new_user();
    let rest = &footing.rest;
    for (kind, product) in [
        ("USER_EVENT_TYPE_PRODUCT_VIEWED", Some(7)),
        ("USER_EVENT_TYPE_ADDED_TO_CART", Some(7)),
        ("USER_EVENT_TYPE_CHECKOUT_STARTED", None),
    ] {
        let mut event = serde_json::json!({ "userId": user, "type": kind });
        if let Some(product) = product {
            event["productId"] = product.into();
        }
        let tracked = rest.post("/events", &event).await?;
        assert_eq!(tracked.status, StatusCode::ACCEPTED, "{tracked:?}");
    }
    until(
        "analytics to count the events",
        Duration::from_secs(10),
        async || {
            let user = rest.get(&format!("/analytics/users/{user}")).await?.json();
            let events = user["events"].as_array().map_or(0, Vec::len);
            anyhow::ensure!(events == 3, "{user}");
            anyhow::Ok(())
        },
    )
    .await?;
    let funnel = rest.get("/analytics/funnel").await?.json();
    let stages = funnel["stages"].as_array().cloned().unwrap_or_default();
    assert_eq!(stages.len(), 5, "{funnel}");
    assert!(
        stages[..3]
            .iter()
            .all(|stage| stage["users"].as_i64() >= Some(1)),
        "{funnel}"
    );
    Ok(())
}
