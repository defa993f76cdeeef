//! `ordermesh dlq` on a real cluster, as an operator uses it.

use std::{process::Command, time::Duration};

use anyhow::Context as _;
use e2e::footing::{Footing, Kind};
use prost::{Message as _, Name as _};
use proto::events::v1::OrderPlaced;
use rdkafka::{
    ClientConfig,
    message::{Header, OwnedHeaders},
    producer::{FutureProducer, FutureRecord},
};
use serde_json::Value;
use testkit::{harness::Test, services::binary, wait::until};

use crate::on_cluster;

const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn tests() -> Vec<Test> {
    vec![on_cluster(
        "dead letters are found, shown, put back once, and purged",
        by_hand,
    )]
}

/// What a command printed, and whether it succeeded.
struct Said {
    ok: bool,
    out: String,
    err: String,
}

impl Said {
    fn json(&self) -> anyhow::Result<Value> {
        anyhow::ensure!(self.ok, "{}", self.err);
        Ok(serde_json::from_str(&self.out)?)
    }
}

async fn ordermesh(footing: &Footing, arguments: &[&str]) -> anyhow::Result<Said> {
    let mut command = Command::new(binary("ordermesh")?);
    command
        .args(arguments)
        .envs(footing.environment.iter().cloned());
    let output = tokio::task::spawn_blocking(move || command.output()).await??;
    Ok(Said {
        ok: output.status.success(),
        out: String::from_utf8(output.stdout)?,
        err: String::from_utf8(output.stderr)?,
    })
}

async fn list(footing: &Footing, filters: &[&str]) -> anyhow::Result<Vec<Value>> {
    let arguments = [&["--json", "dlq", "list"], filters].concat();
    let said = ordermesh(footing, &arguments).await?.json()?;
    Ok(said.as_array().context("a list")?.clone())
}

async fn until_listed(footing: &Footing, service: &str, count: usize) -> anyhow::Result<()> {
    until("the dead letters", PATIENCE, async || {
        let letters = list(footing, &["--service", service]).await?;
        anyhow::ensure!(letters.len() == count, "{}", letters.len());
        anyhow::Ok(())
    })
    .await
}

/// One that is no protobuf, and one whose key is not its order's id.
async fn plant(footing: &Footing) -> anyhow::Result<()> {
    let order = OrderPlaced {
        order_id: uuid::Uuid::now_v7().to_string(),
        email: "jane@example.com".to_owned(),
        ..OrderPlaced::default()
    };
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", footing.brokers())
        .create()?;
    let topic = footing.topic("orders.v1");
    for (key, value) in [
        ("garbage", b"\xff no protobuf".to_vec()),
        ("another", order.encode_to_vec()),
    ] {
        let headers = OwnedHeaders::new().insert(Header {
            key: "ce_type",
            value: Some(&OrderPlaced::full_name()),
        });
        let record = FutureRecord::to(&topic)
            .key(key)
            .payload(&value)
            .headers(headers);
        let sent = producer.send(record, PATIENCE).await;
        sent.map_err(|(error, _)| error)?;
    }
    Ok(())
}

async fn by_hand() -> anyhow::Result<()> {
    let mut footing = Footing::start(Kind::Cluster, &[]).await?;
    plant(&footing).await?;
    until_listed(&footing, "history", 2).await?;
    until_listed(&footing, "payments", 2).await?;

    let of_key = list(&footing, &["--service", "history", "--key", "another"]).await?;
    assert_eq!(of_key.len(), 1);
    assert_eq!(of_key[0]["class"], "invalid");
    assert_eq!(of_key[0]["origin"]["topic"], "orders.v1");
    assert!(list(&footing, &["--until", "1h"]).await?.is_empty());
    assert_eq!(
        list(
            &footing,
            &[
                "--since",
                "1h",
                "--class",
                "undecodable",
                "--service",
                "history"
            ]
        )
        .await?
        .len(),
        1
    );

    let id = of_key[0]["id"].as_str().context("an id")?;
    let shown = ordermesh(&footing, &["--json", "dlq", "show", id])
        .await?
        .json()?;
    assert_eq!(shown["value"]["email"], "[redacted]", "{shown}");
    assert_eq!(shown["replayed"], false);
    let page = ordermesh(&footing, &["dlq", "show", id]).await?;
    assert!(
        page.out.contains("ce_type") && !page.out.contains("jane"),
        "{}",
        page.out
    );

    let unsaid = ordermesh(&footing, &["dlq", "replay"]).await?;
    assert!(!unsaid.ok && unsaid.err.contains("--all"), "{}", unsaid.err);
    let wrong = ordermesh(&footing, &["dlq", "show", "gateway:0:0"]).await?;
    assert!(!wrong.ok && wrong.err.contains("payments"), "{}", wrong.err);

    let replay = ["--json", "dlq", "replay", "--service", "history"];
    let dry = [&replay[..], &["--dry-run"]].concat();
    let dry = ordermesh(&footing, &dry).await?.json()?;
    assert_eq!(
        (&dry["replayed"], &dry["dryRun"]),
        (&2.into(), &true.into())
    );
    until_listed(&footing, "history", 2).await?;

    let first: Vec<String> = list(&footing, &["--service", "history"])
        .await?
        .iter()
        .filter_map(|letter| letter["id"].as_str().map(str::to_owned))
        .collect();
    let paced = [&replay[..], &["--rate", "100"]].concat();
    let done = ordermesh(&footing, &paced).await?.json()?;
    assert_eq!(done["replayed"], 2);
    // They fail again, as the same records; payments hears nothing of it.
    until_listed(&footing, "history", 4).await?;
    until_listed(&footing, "payments", 2).await?;
    let again = [
        &["--json", "dlq", "replay"],
        &[first[0].as_str(), first[1].as_str()][..],
    ]
    .concat();
    let again = ordermesh(&footing, &again).await?.json()?;
    assert_eq!(
        (&again["replayed"], &again["replayedBefore"]),
        (&0.into(), &2.into())
    );
    let letters = list(&footing, &["--service", "history"]).await?;
    let fresh: Vec<_> = letters
        .iter()
        .filter(|letter| letter["replays"] == 1)
        .collect();
    assert_eq!(fresh.len(), 2);
    assert!(
        fresh
            .iter()
            .all(|letter| letter["origin"]["topic"] == "orders.v1")
    );

    let purge = ["--json", "dlq", "purge", "--service", "history"];
    let asked = ordermesh(&footing, &purge).await?.json()?;
    assert_eq!(
        (&asked["letters"], &asked["purged"]),
        (&4.into(), &false.into())
    );
    until_listed(&footing, "history", 4).await?;
    let purge = [&purge[..], &["--yes"]].concat();
    ordermesh(&footing, &purge).await?.json()?;
    until_listed(&footing, "history", 0).await?;
    footing.down().await
}
