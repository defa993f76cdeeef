//! One node of a cluster: broker and controller in one Java process.
//!
//! Invariant: a node keeps its id, its ports and its data over all its lives,
//! so that a start after a kill is the same broker coming back.

use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};

use super::config::NodeConfig;
use super::jvm::Jvm;
use super::metadata::live_brokers;
use crate::process::{Process, Scratch, Slot, quote};
use crate::proxy::Proxy;
use crate::wait::until;

/// A node is up in 2 s; three of them beside a compiler on two cores need more.
const READY: Duration = Duration::from_secs(90);

/// A stopping broker first hands over what it leads.
const STOP: Duration = Duration::from_secs(30);

/// Logged once the controllers have taken the broker in and it serves clients.
const STARTED: &str = "Kafka Server started";

/// The data folder and the configuration, beside each other in the scratch.
const DATA: &str = "data";
const PROPERTIES: &str = "server.properties";

/// The same for all nodes of a cluster and no other, so that a broker that
/// finds a stranger at a reused port does not join it.
#[derive(Clone, Debug)]
pub(super) struct ClusterId(String);

impl ClusterId {
    /// 22 characters of base 64, as Kafka's own; hexadecimal digits are some.
    pub(super) fn random() -> Self {
        Self(format!("{:022x}", RandomState::new().hash_one(0)))
    }
}

/// One broker of a [`Cluster`](super::Cluster).
#[derive(Debug)]
pub struct Broker {
    config: NodeConfig,
    slot: Slot,
    proxy: Option<Proxy>,
    _scratch: Scratch,
}

impl Broker {
    /// Makes the node's folder, with its configuration and empty data.
    pub(super) async fn format(
        jvm: &Jvm,
        cluster: &ClusterId,
        config: &NodeConfig,
    ) -> anyhow::Result<Scratch> {
        let scratch = Scratch::new(&format!("kafka-{}", config.id))?;
        let properties = scratch.path().join(PROPERTIES);
        fs::write(&properties, config.render(&scratch.path().join(DATA)))
            .with_context(|| format!("writing {}", properties.display()))?;
        let format = jvm
            .run("kafka-format", "kafka.tools.StorageTool", scratch.path())
            .args(["format", "-t", &cluster.0, "-c", PROPERTIES]);
        Process::spawn(format).await?.succeed().await?;
        Ok(scratch)
    }

    /// The node in a formatted folder, not started yet.
    pub(super) fn new(
        jvm: &Jvm,
        config: NodeConfig,
        scratch: Scratch,
        proxy: Option<Proxy>,
    ) -> Self {
        let name = format!("kafka-{}", config.id);
        let spec = jvm
            .run(&name, "kafka.Kafka", scratch.path())
            .arg(PROPERTIES);
        Self {
            config,
            slot: Slot::new(spec),
            proxy,
            _scratch: scratch,
        }
    }

    /// The broker's id in Kafka's metadata, from 1.
    pub fn id(&self) -> usize {
        self.config.id
    }

    /// `127.0.0.1:port`, where clients are told to reach it: the proxy's
    /// address if the cluster was launched behind proxies.
    pub fn address(&self) -> String {
        self.config.listeners.advertised()
    }

    /// The link between clients and this broker, if the cluster was launched
    /// with [`Builder::proxied`](super::Builder::proxied). The other brokers
    /// do not use it.
    pub fn proxy(&self) -> Option<&Proxy> {
        self.proxy.as_ref()
    }

    /// The file that holds what the broker logs, over all its lives.
    pub fn log(&self) -> &Path {
        self.slot.spec().log()
    }

    /// The process id of the broker's latest life.
    pub async fn process_id(&self) -> anyhow::Result<u32> {
        Ok(self.slot.process().await?.id())
    }

    /// Starts the broker and waits until it serves clients, which it does only
    /// where a majority of the cluster is up. Brokers that need each other are
    /// to be started at once, with `try_join!`.
    ///
    /// After a [`kill`](Self::kill) that takes `broker.session.timeout.ms`
    /// (9 s): the controllers take a broker's new life in only once they have
    /// given up its old one. Tests without a use for that wait set it lower.
    pub async fn start(&self) -> anyhow::Result<()> {
        let earlier_lives = fs::metadata(self.log()).map_or(0, |log| log.len());
        let process = self.slot.start().await?;
        let id = self.config.id;
        until(&format!("broker {id} to start"), READY, || async {
            self.started(&process, earlier_lives).await
        })
        .await
        .and_then(|ended| {
            if let Some(code) = ended {
                bail!("broker {id} exited with {code}");
            }
            Ok(())
        })
        .with_context(|| quote(self.log()))
    }

    /// Done: `None` when it serves, an exit code when it never will.
    async fn started(&self, process: &Process, from: u64) -> anyhow::Result<Option<i32>> {
        if let Some(code) = process.exit_code() {
            return Ok(Some(code));
        }
        if !read_from(self.log(), from)?.contains(STARTED) {
            bail!("no word of it in the log");
        }
        let live = self.live_brokers().await?;
        if !live.contains(&self.config.id) {
            bail!("it knows the brokers {live:?} only");
        }
        Ok(None)
    }

    /// The ids of the brokers that this one knows to be alive.
    pub async fn live_brokers(&self) -> anyhow::Result<Vec<usize>> {
        let ids = live_brokers(self.config.listeners.clients).await?;
        Ok(ids
            .into_iter()
            .filter_map(|id| usize::try_from(id).ok())
            .collect())
    }

    /// SIGTERM: the broker hands its partitions over and leaves. One that is
    /// still there after 30 s is killed, and that is an error.
    pub async fn stop(&self) -> anyhow::Result<()> {
        self.stop_within(STOP).await
    }

    pub(super) async fn stop_within(&self, grace: Duration) -> anyhow::Result<()> {
        self.slot.stop(grace).await
    }

    /// SIGKILL: the others notice after `broker.session.timeout.ms` (9 s).
    pub async fn kill(&self) -> anyhow::Result<()> {
        self.slot.kill().await
    }

    /// SIGSTOP: connections stay open and nothing answers.
    pub async fn pause(&self) -> anyhow::Result<()> {
        self.slot.pause().await
    }

    /// SIGCONT: undoes [`pause`](Self::pause).
    pub async fn resume(&self) -> anyhow::Result<()> {
        self.slot.resume().await
    }
}

fn read_from(log: &Path, position: u64) -> io::Result<String> {
    let mut file = File::open(log)?;
    file.seek(SeekFrom::Start(position))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
