//! Killed in the middle and started again, nothing is lost and nothing doubled.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use e2e::{
    footing::{Footing, Kind, SERVICES, STORING},
    orders::{example, new_user},
    process::start,
};
use http::StatusCode;
use testkit::{harness::Test, process::Scratch, wait::until};

use crate::on_cluster;

pub(crate) fn tests() -> Vec<Test> {
    vec![on_cluster(
        "services killed in the middle lose and double nothing",
        killed,
    )]
}

const ORDERS: usize = 600;

async fn killed() -> anyhow::Result<()> {
    let journal = tempfile::NamedTempFile::new()?;
    let path = journal.path().display().to_string();
    let footing = Footing::prepare(Kind::Cluster, &[("PAYMENTS__MOCK_JOURNAL", &path)]).await?;
    let scratch = Scratch::new("restart")?;
    let mut running = Vec::new();
    for service in SERVICES {
        running.push((service, start(&footing, service, &scratch).await?));
    }

    let (storing, stays): (Vec<_>, Vec<_>) = running
        .into_iter()
        .partition(|(name, _)| STORING.contains(name));

    let placing = async {
        let mut placed = BTreeSet::new();
        for _ in 0..ORDERS {
            let answer = footing.rest.post("/order", &example(new_user())).await?;
            anyhow::ensure!(answer.status == StatusCode::ACCEPTED, "{answer:?}");
            placed.insert(
                answer.json()["orderId"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned(),
            );
        }
        anyhow::Ok(placed)
    };
    let killing = async {
        let mut restarted = Vec::new();
        for (service, process) in storing {
            process.kill().await?;
            restarted.push((service, start(&footing, service, &scratch).await?));
        }
        anyhow::Ok(restarted)
    };
    let (placed, restarted) = tokio::try_join!(placing, killing)?;
    let start = Instant::now();
    assert_eq!(placed.len(), ORDERS);

    let orders = i64::try_from(ORDERS)?;
    until(
        "every order to have all its effects",
        Duration::from_secs(90),
        async || {
            let stats = footing.rest.get("/analytics/stats").await?.json();
            anyhow::ensure!(stats["ordersPaid"] == orders, "{stats}");
            anyhow::ensure!(footing.smtp.message_ids().len() == ORDERS * 2, "mails");
            anyhow::ensure!(stats["notificationsSent"] == orders * 2, "{stats}");
            anyhow::Ok(())
        },
    )
    .await?;
    println!("all effects {:?} after the last restart", start.elapsed());

    let stored = footing
        .count("history", "SELECT count(*) FROM orders")
        .await?;
    assert_eq!(stored, orders, "history");
    let charges = std::fs::read_to_string(&path)?;
    assert_eq!(
        charges.lines().count(),
        ORDERS,
        "one charge an order at the provider"
    );
    for (_, process) in restarted.into_iter().chain(stays) {
        let code = process.stop(Duration::from_secs(25)).await?;
        assert_eq!(code, 0, "{} stops in order", process.name());
    }
    Ok(())
}
