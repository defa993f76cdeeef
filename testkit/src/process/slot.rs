//! The place of a server that is stopped and started again.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::sync::Mutex;

use super::child::Process;
use super::spec::Spec;

/// One server over its lives: the same program, arguments and log each time.
///
/// Invariant: at most one life is running, so two callers cannot start two
/// servers on one data folder.
#[derive(Debug)]
pub struct Slot {
    spec: Spec,
    process: Mutex<Option<Arc<Process>>>,
}

impl Slot {
    /// A slot whose server is not running yet.
    pub fn new(spec: Spec) -> Self {
        Self {
            spec,
            process: Mutex::new(None),
        }
    }

    /// What is started.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// Starts the server; an error if it is running already.
    pub async fn start(&self) -> anyhow::Result<Arc<Process>> {
        let mut slot = self.process.lock().await;
        if slot.as_ref().is_some_and(|process| process.is_running()) {
            bail!("{} is already running", self.spec.name());
        }
        let process = Arc::new(Process::spawn(self.spec.clone()).await?);
        *slot = Some(Arc::clone(&process));
        Ok(process)
    }

    /// The server's latest life, running or ended.
    pub async fn process(&self) -> anyhow::Result<Arc<Process>> {
        let slot = self.process.lock().await;
        slot.clone()
            .with_context(|| format!("{} was never started", self.spec.name()))
    }

    /// See [`Process::stop`].
    pub async fn stop(&self, grace: Duration) -> anyhow::Result<()> {
        self.process().await?.stop(grace).await.map(drop)
    }

    /// See [`Process::kill`].
    pub async fn kill(&self) -> anyhow::Result<()> {
        self.process().await?.kill().await
    }

    /// See [`Process::pause`].
    pub async fn pause(&self) -> anyhow::Result<()> {
        self.process().await?.pause()
    }

    /// See [`Process::resume`].
    pub async fn resume(&self) -> anyhow::Result<()> {
        self.process().await?.resume()
    }
}
