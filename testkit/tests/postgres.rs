//! PostgreSQL: isolation of tests, and every way to hurt a server.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::ensure;
use testkit::harness::{Needs, Suite};
use testkit::postgres::Server;
use tokio::time::timeout;

fn main() -> ExitCode {
    let needs = [Needs::Postgres];
    Suite::new()
        .test("databases_are_isolated", needs, databases_are_isolated)
        .test(
            "a_committed_row_survives_a_kill",
            needs,
            a_committed_row_survives_a_kill,
        )
        .test("a_stop_is_orderly", needs, a_stop_is_orderly)
        .test(
            "a_paused_server_answers_later",
            needs,
            a_paused_server_answers_later,
        )
        .test(
            "settings_reach_the_server",
            needs,
            settings_reach_the_server,
        )
        .on_both_databases("urls_differ", async |url| {
            ensure!(
                url.contains("urls_differ") || url.starts_with("sqlite:"),
                "{url}"
            );
            Ok(())
        })
        .run()
}

async fn databases_are_isolated() -> anyhow::Result<()> {
    let server = Server::shared().await?;
    let (one, other) =
        tokio::try_join!(server.fresh_database("same"), server.fresh_database("same"))?;
    ensure!(one != other);
    for url in [one, other] {
        let client = server.connect(&url).await?;
        client
            .batch_execute("CREATE TABLE orders (id BIGINT)")
            .await?;
    }
    Ok(())
}

async fn a_committed_row_survives_a_kill() -> anyhow::Result<()> {
    let server = Server::launch().await?;
    let url = server.fresh_database("crash").await?;
    let client = server.connect(&url).await?;
    client
        .batch_execute("CREATE TABLE orders (id BIGINT); INSERT INTO orders VALUES (42)")
        .await?;

    server.kill().await?;
    ensure!(client.simple_query("SELECT 1").await.is_err());
    ensure!(server.connect(&url).await.is_err());

    server.start().await?;
    let row = server
        .connect(&url)
        .await?
        .query_one("SELECT id FROM orders", &[])
        .await?;
    ensure!(row.get::<_, i64>(0) == 42);
    Ok(())
}

async fn a_stop_is_orderly() -> anyhow::Result<()> {
    let server = Server::launch().await?;
    let client = server.connect("postgres").await?;
    server.stop().await?;
    ensure!(client.simple_query("SELECT 1").await.is_err());
    let log = std::fs::read_to_string(server.log())?;
    ensure!(log.contains("database system is shut down"), "{log}");
    ensure!(server.stop().await.is_err(), "it was stopped twice");
    server.start().await?;
    ensure!(server.start().await.is_err(), "it was started twice");
    server.connect("postgres").await?;
    Ok(())
}

async fn a_paused_server_answers_later() -> anyhow::Result<()> {
    let server = Server::launch().await?;
    let client = server.connect("postgres").await?;
    client.simple_query("SELECT 1").await?;

    server.pause().await?;
    let mut question = Box::pin(client.simple_query("SELECT 1"));
    let silence = timeout(Duration::from_millis(300), &mut question).await;
    ensure!(silence.is_err(), "a paused server answered");

    server.resume().await?;
    question.await?;

    server.pause().await?;
    server.stop().await
}

async fn settings_reach_the_server() -> anyhow::Result<()> {
    let durable = Server::builder()
        .durable()
        .setting("max_connections", "17")
        .launch()
        .await?;
    for (server, fsync) in [(&durable, "on"), (Server::shared().await?, "off")] {
        let client = server.connect("postgres").await?;
        let row = client.query_one("SHOW fsync", &[]).await?;
        ensure!(row.get::<_, &str>(0) == fsync);
    }
    let client = durable.connect("postgres").await?;
    let row = client.query_one("SHOW max_connections", &[]).await?;
    ensure!(row.get::<_, &str>(0) == "17");
    Ok(())
}
