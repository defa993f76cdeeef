//! Prints what the testkit's servers cost on this machine, with a warm cache:
//! `cargo run -p testkit --example measure`.
#![allow(clippy::print_stdout, reason = "printing is what it is for")]

use std::fs;
use std::time::{Duration, Instant};

use anyhow::Context;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use testkit::kafka::{self, Cluster};
use testkit::postgres::{self, Server};
use testkit::process::shutdown_all;
use testkit::smtp::Sink;
use tokio::task::JoinSet;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    kafka::install().await?;
    postgres::install().await?;
    for brokers in [1, 3] {
        for _ in 0..3 {
            measure_kafka(brokers).await?;
        }
    }
    for _ in 0..3 {
        measure_postgres().await?;
    }
    measure_smtp().await?;
    shutdown_all().await;
    Ok(())
}

async fn measure_kafka(brokers: usize) -> anyhow::Result<()> {
    let started = Instant::now();
    let cluster = Cluster::launch(brokers).await?;
    let ready = started.elapsed();
    let mut memory = Vec::new();
    for broker in cluster.brokers() {
        memory.push(resident_mib(broker.process_id().await?)?);
    }
    let killed = Instant::now();
    cluster.broker(1).kill().await?;
    cluster.broker(1).start().await?;
    let back = killed.elapsed();
    println!(
        "Kafka with {brokers}: ready in {ready:.2?}, {memory:?} MiB resident, \
         a killed broker back in {back:.2?}"
    );
    drop(cluster);
    end().await
}

async fn measure_postgres() -> anyhow::Result<()> {
    let started = Instant::now();
    let server = Server::launch().await?;
    let ready = started.elapsed();
    let asked = Instant::now();
    server.fresh_database("measure").await?;
    let database = asked.elapsed();
    let memory = resident_mib(server.process_id().await?)?;
    let killed = Instant::now();
    server.kill().await?;
    server.start().await?;
    let back = killed.elapsed();
    println!(
        "PostgreSQL: ready in {ready:.2?}, a fresh database in {database:.2?}, \
         postmaster {memory} MiB resident, back after a kill in {back:.2?}"
    );
    drop(server);
    end().await
}

/// Waits for the end of what was dropped, so that it is not in the way of the
/// next measurement.
async fn end() -> anyhow::Result<()> {
    let started = Instant::now();
    shutdown_all().await;
    println!("  gone in {:.2?}", started.elapsed());
    Ok(())
}

async fn measure_smtp() -> anyhow::Result<()> {
    const CLIENTS: usize = 8;
    const EACH: usize = 1_000;
    let sink = Sink::start().await?;
    let transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous("127.0.0.1")
        .port(sink.address().port())
        .build();
    let message = Message::builder()
        .from("shop@ordermesh.example".parse()?)
        .to("ann@example.com".parse()?)
        .subject("Order confirmed")
        .body("Thank you.".to_owned())?;
    let started = Instant::now();
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (transport, message) = (transport.clone(), message.clone());
        clients.spawn(async move {
            for _ in 0..EACH {
                transport.send(message.clone()).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(client) = clients.join_next().await {
        client??;
    }
    sink.wait_for(CLIENTS * EACH, Duration::from_secs(1))
        .await?;
    println!("SMTP: {} mails in {:.2?}", sink.count(), started.elapsed());
    Ok(())
}

/// Linux only.
fn resident_mib(process: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let kib: u64 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"))
        .context("no VmRSS")?
        .parse()?;
    Ok(kib / 1024)
}
