//! The `server.properties` of one node.
//!
//! Invariant: a test cluster differs from the production one in size and speed
//! of starting, never in what an acknowledgement means: three brokers keep
//! three replicas and need two, as in `deploy/`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::path::Path;

use crate::ports;

/// The addresses of one node, all on 127.0.0.1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listeners {
    /// For clients, and for the other brokers unless there is a proxy.
    pub(super) clients: u16,
    /// For the controllers' quorum.
    controller: u16,
    /// What clients are told to connect to when a proxy stands before the
    /// broker, and the port at which the other brokers pass it by.
    proxied: Option<(SocketAddr, u16)>,
}

impl Listeners {
    /// Free ports.
    pub(super) fn allocate() -> io::Result<Self> {
        Ok(Self {
            clients: ports::free()?,
            controller: ports::free()?,
            proxied: None,
        })
    }

    /// The same behind `proxy`, which leads to the port `clients`.
    pub(super) fn behind(proxy: SocketAddr, clients: u16) -> io::Result<Self> {
        Ok(Self {
            clients,
            controller: ports::free()?,
            proxied: Some((proxy, ports::free()?)),
        })
    }

    /// The address that clients use.
    pub(super) fn advertised(&self) -> String {
        self.proxied
            .map_or_else(|| local(self.clients), |(address, _)| address.to_string())
    }
}

/// One node's identity and settings.
#[derive(Clone, Debug)]
pub(super) struct NodeConfig {
    /// Broker id, from 1.
    pub(super) id: usize,
    /// Where this node listens.
    pub(super) listeners: Listeners,
    settings: BTreeMap<String, String>,
}

impl NodeConfig {
    /// Node `id` (from 1) of the cluster whose nodes listen at `nodes`.
    /// `extra` settings replace the testkit's own.
    pub(super) fn new(id: usize, nodes: &[Listeners], extra: &[(String, String)]) -> Self {
        let listeners = nodes[id - 1];
        let mut settings = BTreeMap::new();
        let mut set = |key: &str, value: String| settings.insert(key.to_owned(), value);

        set("process.roles", "broker,controller".to_owned());
        set("node.id", id.to_string());
        set("controller.listener.names", "CONTROLLER".to_owned());
        let voters = (1..).zip(nodes);
        let voters = voters.map(|(id, node)| format!("{id}@{}", local(node.controller)));
        set(
            "controller.quorum.voters",
            voters.collect::<Vec<_>>().join(","),
        );

        let mut bound = vec![("CLIENTS", local(listeners.clients))];
        let mut advertised = vec![("CLIENTS", listeners.advertised())];
        let mut between_brokers = "CLIENTS";
        if let Some((_, port)) = listeners.proxied {
            between_brokers = "BROKERS";
            bound.push((between_brokers, local(port)));
            advertised.push((between_brokers, local(port)));
        }
        bound.push(("CONTROLLER", local(listeners.controller)));
        set("listeners", endpoints(&bound));
        set("advertised.listeners", endpoints(&advertised));
        set("inter.broker.listener.name", between_brokers.to_owned());
        set(
            "listener.security.protocol.map",
            "CLIENTS:PLAINTEXT,BROKERS:PLAINTEXT,CONTROLLER:PLAINTEXT".to_owned(),
        );

        let (replicas, in_sync) = replication(nodes.len());
        for key in [
            "default.replication.factor",
            "offsets.topic.replication.factor",
            "transaction.state.log.replication.factor",
            "share.coordinator.state.topic.replication.factor",
        ] {
            set(key, replicas.to_string());
        }
        for key in [
            "min.insync.replicas",
            "transaction.state.log.min.isr",
            "share.coordinator.state.topic.min.isr",
        ] {
            set(key, in_sync.to_string());
        }
        for (key, value) in SMALL_AND_QUICK {
            set(key, value.to_owned());
        }
        settings.extend(extra.iter().cloned());
        Self {
            id,
            listeners,
            settings,
        }
    }

    /// The file's text, with the data in `data`.
    pub(super) fn render(&self, data: &Path) -> String {
        let mut text = format!("log.dirs={}\n", data.display());
        for (key, value) in &self.settings {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{key}={value}");
        }
        text
    }
}

/// Settings that make a node start quickly and stay small.
const SMALL_AND_QUICK: [(&str, &str); 9] = [
    // Topics are made by whoever owns them, with the partitions they need.
    ("auto.create.topics.enable", "false"),
    // A group's first member need not wait 3 s for others.
    ("group.initial.rebalance.delay.ms", "0"),
    // 50 each by default, created when the first group or transaction comes.
    ("offsets.topic.num.partitions", "4"),
    ("transaction.state.log.num.partitions", "4"),
    ("share.coordinator.state.topic.num.partitions", "4"),
    // 128 MB by default, all of it allocated at the start.
    ("log.cleaner.dedupe.buffer.size", "4194304"),
    // 3, 8 and 10 threads by default; a test machine has two cores.
    ("num.network.threads", "2"),
    ("num.io.threads", "4"),
    ("background.threads", "2"),
];

/// Replication factor and `min.insync.replicas` for a number of brokers.
fn replication(brokers: usize) -> (usize, usize) {
    let replicas = brokers.min(3);
    (replicas, replicas.div_ceil(2))
}

fn endpoints(listeners: &[(&str, String)]) -> String {
    let endpoints = listeners
        .iter()
        .map(|(name, address)| format!("{name}://{address}"));
    endpoints.collect::<Vec<_>>().join(",")
}

fn local(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listeners(clients: u16, proxied: Option<(SocketAddr, u16)>) -> Listeners {
        Listeners {
            clients,
            controller: clients + 1,
            proxied,
        }
    }

    #[test]
    fn three_brokers_keep_three_replicas_and_need_two() {
        assert_eq!(replication(3), (3, 2));
        assert_eq!(replication(1), (1, 1));
    }

    #[test]
    fn every_node_knows_all_voters() {
        let nodes = [
            listeners(10, None),
            listeners(20, None),
            listeners(30, None),
        ];
        let text = NodeConfig::new(2, &nodes, &[]).render(Path::new("/data"));
        for line in [
            "log.dirs=/data",
            "node.id=2",
            "controller.quorum.voters=1@127.0.0.1:11,2@127.0.0.1:21,3@127.0.0.1:31",
            "listeners=CLIENTS://127.0.0.1:20,CONTROLLER://127.0.0.1:21",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
    }

    #[test]
    fn clients_meet_the_proxy_and_brokers_pass_it_by() {
        let proxy = "127.0.0.1:99".parse().unwrap();
        let nodes = [listeners(10, Some((proxy, 12)))];
        let text = NodeConfig::new(1, &nodes, &[]).render(Path::new("/data"));
        for line in [
            "listeners=CLIENTS://127.0.0.1:10,BROKERS://127.0.0.1:12,CONTROLLER://127.0.0.1:11",
            "advertised.listeners=CLIENTS://127.0.0.1:99,BROKERS://127.0.0.1:12",
            "inter.broker.listener.name=BROKERS",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
    }

    #[test]
    fn a_test_may_replace_any_setting() {
        let extra = [("min.insync.replicas".to_owned(), "3".to_owned())];
        let text = NodeConfig::new(1, &[listeners(10, None)], &extra).render(Path::new("/data"));
        assert!(text.contains("\nmin.insync.replicas=3\n"));
        assert!(!text.contains("\nmin.insync.replicas=1\n"));
    }
}
