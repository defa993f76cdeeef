//! The peers in Node.js: started, awaited, ended.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use testkit::{
    ports,
    process::{Process, Spec},
    wait::until,
};

use crate::lab::Lab;

/// Node and Kafka need a moment to meet.
const READY: Duration = Duration::from_secs(30);

/// A server that is measured, ours or another's.
pub(crate) struct Peer {
    pub(crate) address: String,
    /// Ends when this is dropped.
    process: Process,
}

impl Peer {
    /// Starts a program that listens at the port it is told in `PORT`, and waits
    /// until it prints `ready`.
    pub(crate) async fn start(name: &str, spec: Spec, port: u16) -> anyhow::Result<Self> {
        let spec = spec.env("PORT", port.to_string());
        let process = Process::spawn(spec).await?;
        until(&format!("{name} to be ready"), READY, async || {
            let log = std::fs::read_to_string(process.log()).unwrap_or_default();
            anyhow::ensure!(process.is_running(), "it has ended: {log}");
            anyhow::ensure!(log.lines().any(|line| line == "ready"), "{log}");
            anyhow::Ok(())
        })
        .await?;
        Ok(Self {
            address: format!("127.0.0.1:{port}"),
            process,
        })
    }

    /// Stops it in its tracks until it is [woken](Self::wake): four idle processes
    /// of Node.js with their heartbeats take a seventh of a core from others' turns.
    pub(crate) fn rest(&self) -> anyhow::Result<()> {
        self.process.pause()
    }

    /// Lets it go on.
    pub(crate) fn wake(&self) -> anyhow::Result<()> {
        self.process.resume()
    }
}

/// Where the peers' sources are.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers")
}

async fn node(lab: &Lab, script: &str) -> anyhow::Result<Spec> {
    let folder = folder();
    testkit::node::modules(&folder).await?;
    let name = script.replace('/', "-");
    let log = lab
        .scratch
        .path()
        .join(format!("{name}-{}.log", uuid::Uuid::now_v7()));
    Ok(Spec::new(script, "node", log)
        .arg(folder.join(script))
        .env("NODE_ENV", "production"))
}

/// Express and KafkaJS, so many processes.
pub(crate) async fn express(lab: &Lab, topic: &str, processes: usize) -> anyhow::Result<Peer> {
    let spec = node(lab, "express/server.mjs")
        .await?
        .env("BROKERS", lab.kafka.bootstrap_servers())
        .env("TOPIC", topic)
        .env("PROCESSES", processes.to_string());
    Peer::start("express", spec, ports::free()?).await
}

/// The checkout that does one thing after the other.
pub(crate) async fn sequential(lab: &Lab, payment: Duration) -> anyhow::Result<Peer> {
    let spec = node(lab, "sequential/server.mjs")
        .await?
        .env(
            "DATABASE_URL",
            lab.postgres.fresh_database("sequential").await?,
        )
        .env("SMTP_URL", lab.smtp.url())
        .env("PAYMENT_MS", payment.as_millis().to_string());
    Peer::start("sequential", spec, ports::free()?).await
}
