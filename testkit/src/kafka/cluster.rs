//! Brokers that form one cluster.

use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::sync::OnceCell;
use tokio::task::JoinSet;

use super::broker::{Broker, ClusterId};
use super::config::{Listeners, NodeConfig};
use super::dist::{fetch, install};
use super::jvm::{Jit, Jvm};
use crate::ports;
use crate::proxy::Proxy;
use crate::wait::until;

/// Metadata reaches all brokers within a heartbeat or two after their start.
const METADATA: Duration = Duration::from_secs(30);

/// The shared clusters, by number of brokers. Process-wide because starting one
/// costs seconds and its processes end with this one anyway.
static SHARED: [(usize, OnceCell<Cluster>); 2] =
    [(1, OnceCell::const_new()), (3, OnceCell::const_new())];

/// A running cluster of Apache Kafka in `KRaft` mode.
///
/// Its brokers end when it is dropped, and in any case with the test process.
#[derive(Debug)]
pub struct Cluster {
    brokers: Vec<Broker>,
}

impl Cluster {
    /// The cluster of 1 or 3 brokers that all tests of this process share,
    /// started by the first that asks. Tests that hurt brokers launch their
    /// own.
    pub async fn shared(brokers: usize) -> anyhow::Result<&'static Self> {
        let (_, cluster) = SHARED
            .iter()
            .find(|(size, _)| *size == brokers)
            .context("shared clusters have 1 or 3 brokers")?;
        cluster.get_or_try_init(|| Self::launch(brokers)).await
    }

    /// Starts a cluster of 1 or 3 brokers for the caller alone and waits until
    /// every broker serves and knows all others.
    pub async fn launch(brokers: usize) -> anyhow::Result<Self> {
        Self::builder(brokers).launch().await
    }

    /// A cluster with settings of the caller's own.
    pub fn builder(brokers: usize) -> Builder {
        Builder {
            brokers,
            settings: Vec::new(),
            jit: Jit::default(),
            proxied: false,
        }
    }

    /// What a client's `bootstrap.servers` takes: all brokers.
    pub fn bootstrap_servers(&self) -> String {
        let addresses: Vec<_> = self.brokers.iter().map(Broker::address).collect();
        addresses.join(",")
    }

    /// The broker with this id, from 1.
    ///
    /// # Panics
    ///
    /// When there is none: a mistake in the test.
    pub fn broker(&self, id: usize) -> &Broker {
        self.brokers
            .iter()
            .find(|broker| broker.id() == id)
            .unwrap_or_else(|| panic!("no broker {id} among {}", self.brokers.len()))
    }

    /// All brokers, in the order of their ids.
    pub fn brokers(&self) -> &[Broker] {
        &self.brokers
    }

    async fn know_each_other(&self) -> anyhow::Result<()> {
        let all: Vec<_> = self.brokers.iter().map(Broker::id).collect();
        for broker in &self.brokers {
            let what = format!("broker {} to know all {}", broker.id(), all.len());
            until(&what, METADATA, || async {
                let live = broker.live_brokers().await?;
                ensure!(live == all, "it knows {live:?}");
                Ok(())
            })
            .await?;
        }
        Ok(())
    }
}

/// Settings of a [`Cluster`] to be launched.
#[derive(Clone, Debug)]
pub struct Builder {
    brokers: usize,
    settings: Vec<(String, String)>,
    jit: Jit,
    proxied: bool,
}

impl Builder {
    /// Sets a property of every broker, such as `broker.session.timeout.ms`,
    /// in place of the testkit's or Kafka's own value.
    pub fn setting(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((key.into(), value.into()));
        self
    }

    /// Chooses the compilers; see [`Jit`].
    pub fn jit(mut self, jit: Jit) -> Self {
        self.jit = jit;
        self
    }

    /// Puts a [`Proxy`] between clients and each broker, so that a test can
    /// cut or swallow what passes. The brokers talk to each other directly.
    pub fn proxied(mut self) -> Self {
        self.proxied = true;
        self
    }

    /// Starts the cluster; see [`Cluster::launch`].
    pub async fn launch(self) -> anyhow::Result<Cluster> {
        ensure!(
            matches!(self.brokers, 1 | 3),
            "a cluster has 1 or 3 brokers, not {}",
            self.brokers
        );
        install().await?;
        let jvm = Jvm {
            distribution: fetch().await?,
            jit: self.jit,
            options: Vec::new(),
        };

        let mut nodes = Vec::new();
        let mut proxies = Vec::new();
        for _ in 0..self.brokers {
            let (listeners, proxy) = self.listeners().await?;
            nodes.push(listeners);
            proxies.push(proxy);
        }

        // All at once: each waits for a majority of the others.
        let id = ClusterId::random();
        let mut starting = JoinSet::new();
        for (node, proxy) in (1..).zip(proxies) {
            let config = NodeConfig::new(node, &nodes, &self.settings);
            let (jvm, id) = (jvm.clone(), id.clone());
            starting.spawn(async move {
                let scratch = Broker::format(&jvm, &id, &config).await?;
                let broker = Broker::new(&jvm, config, scratch, proxy);
                broker.start().await?;
                anyhow::Ok(broker)
            });
        }
        let mut brokers = Vec::new();
        while let Some(broker) = starting.join_next().await {
            brokers.push(broker.context("a task that starts a broker ended early")??);
        }
        brokers.sort_by_key(Broker::id);

        let cluster = Cluster { brokers };
        cluster.know_each_other().await?;
        Ok(cluster)
    }

    async fn listeners(&self) -> anyhow::Result<(Listeners, Option<Proxy>)> {
        if !self.proxied {
            return Ok((Listeners::allocate()?, None));
        }
        let clients = ports::free()?;
        let proxy = Proxy::start(format!("127.0.0.1:{clients}")).await?;
        let listeners = Listeners::behind(proxy.address(), clients)?;
        Ok((listeners, Some(proxy)))
    }
}
