//! Many orders from many clients, each of which comes out exactly once.

use std::{collections::BTreeSet, time::Duration};

use e2e::{
    footing::{Footing, Kind},
    orders::{example, example_request, new_user},
};
use http::StatusCode;
use proto::{
    analytics::v1::GetStatsRequest, history::v1::ListOrdersRequest,
    payments::v1::GetPaymentStatsRequest,
};
use testkit::{harness::Test, wait::until};

use crate::on_both_alone;

const CLIENTS: usize = 16;
const ORDERS: usize = 2_000;

pub(crate) fn tests() -> Vec<Test> {
    on_both_alone(
        "2,000 orders from 16 clients come out once in every service",
        all_once,
    )
    .into()
}

async fn all_once(kind: Kind) -> anyhow::Result<()> {
    let journal = tempfile::NamedTempFile::new()?;
    let path = journal.path().display().to_string();
    let mut footing = Footing::start(kind, &[("PAYMENTS__MOCK_JOURNAL", &path)]).await?;
    let placed = place_all(&footing).await?;
    assert_eq!(
        placed.len(),
        ORDERS,
        "every accepted order has an id of its own"
    );

    until(
        "every mail to arrive",
        Duration::from_secs(90),
        async || {
            let mails = footing.smtp.count();
            anyhow::ensure!(mails >= ORDERS * 2, "{mails} mails");
            anyhow::Ok(())
        },
    )
    .await?;
    let orders = i64::try_from(ORDERS)?;
    until(
        "analytics to have counted all",
        Duration::from_secs(30),
        async || {
            let mut analytics = footing.clients.analytics.clone();
            let stats = analytics
                .get_stats(GetStatsRequest {})
                .await?
                .into_inner()
                .stats;
            let stats = stats.unwrap_or_default();
            anyhow::ensure!(stats.notifications_sent >= orders * 2, "{stats:?}");
            anyhow::Ok(())
        },
    )
    .await?;

    // Draining finishes all work, so nothing can be doubled after it is counted.
    let mut history = footing.clients.history.clone();
    let mut stored = BTreeSet::new();
    let mut page_token = String::new();
    loop {
        let request = ListOrdersRequest {
            user_id: None,
            page_size: 1_000,
            page_token,
        };
        let page = history.list_orders(request).await?.into_inner();
        for order in page.orders {
            assert!(stored.insert(order.order_id), "listed twice");
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(stored, placed, "history");

    let mut payments = footing.clients.payments.clone();
    let stats = payments
        .get_payment_stats(GetPaymentStatsRequest {})
        .await?
        .into_inner();
    assert_eq!((stats.pending, stats.captured), (0, orders), "payments");
    let charges = std::fs::read_to_string(&path)?;
    let charged: Vec<&str> = charges
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(charged.len(), ORDERS, "one charge an order at the provider");
    assert_eq!(charged.iter().collect::<BTreeSet<_>>().len(), ORDERS);

    let mut analytics = footing.clients.analytics.clone();
    let stats = analytics
        .get_stats(GetStatsRequest {})
        .await?
        .into_inner()
        .stats;
    let stats = stats.unwrap_or_default();
    assert_eq!(
        (stats.orders, stats.orders_paid, stats.units),
        (orders, orders, orders * 2)
    );
    assert_eq!(stats.money.len(), 1);
    assert_eq!(
        (stats.money[0].ordered, stats.money[0].revenue),
        (orders * 1498, orders * 1498)
    );

    footing.down().await?;
    let ids = footing.smtp.message_ids();
    assert_eq!(ids.len(), ORDERS * 2, "one mail a product");
    assert!(
        ids.values().all(|times| *times == 1),
        "no mail arrived twice"
    );
    Ok(())
}

/// Half of the clients use REST, half gRPC.
async fn place_all(footing: &Footing) -> anyhow::Result<BTreeSet<String>> {
    let clients = (0..CLIENTS).map(|client| async move {
        let mut ids = Vec::new();
        for _ in 0..ORDERS / CLIENTS {
            if client % 2 == 0 {
                let answer = footing.rest.post("/order", &example(new_user())).await?;
                anyhow::ensure!(answer.status == StatusCode::ACCEPTED, "{answer:?}");
                ids.push(
                    answer.json()["orderId"]
                        .as_str()
                        .unwrap_or_default()
                        .to_owned(),
                );
            } else {
                let mut orders = footing.clients.orders.clone();
                let placed = orders.place_order(example_request(new_user())).await?;
                ids.push(placed.into_inner().order_id);
            }
        }
        anyhow::Ok(ids)
    });
    Ok(futures::future::try_join_all(clients)
        .await?
        .into_iter()
        .flatten()
        .collect())
}
