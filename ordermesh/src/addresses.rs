//! Where the parts of `ordermesh up` listen, and how to reach them.

use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use chassis::config::Config;
use serde_json::{Value, json};

use crate::layout;

/// By setting, such as `GATEWAY__REST_ADDRESS`; reachable from this machine.
#[derive(Debug)]
pub(crate) struct Addresses(BTreeMap<String, SocketAddr>);

impl Addresses {
    /// Those that the services read from a configuration.
    pub(crate) fn of(config: &Config) -> Self {
        let gateway = ["GATEWAY__REST_ADDRESS".to_owned()];
        let all = ["gateway"].iter().chain(&layout::CONSUMERS);
        let both = all.flat_map(|service| {
            let section = service.to_ascii_uppercase();
            ["GRPC", "ADMIN"].map(|kind| format!("{section}__{kind}_ADDRESS"))
        });
        let addresses = gateway.into_iter().chain(both).filter_map(|key| {
            let address = configured(config, &key)?;
            Some((key, address))
        });
        Self(addresses.collect())
    }

    pub(crate) fn json(&self) -> Value {
        let text = |(key, address): (&String, &SocketAddr)| (key.clone(), json!(address));
        Value::Object(self.0.iter().map(text).collect())
    }

    fn get(&self, service: &str, kind: &str) -> String {
        let key = format!("{}__{kind}_ADDRESS", service.to_ascii_uppercase());
        self.0
            .get(&key)
            .map(SocketAddr::to_string)
            .unwrap_or_default()
    }

    /// Several services in a line: `analytics :50052`.
    fn ports(&self, services: &[&str], kind: &str) -> String {
        let port = |service: &&str| {
            let address = self.get(service, kind);
            let port = address.rsplit(':').next().unwrap_or_default();
            format!("{service} :{port}")
        };
        services.iter().map(port).collect::<Vec<_>>().join("  ")
    }
}

impl fmt::Display for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rest = self.get("gateway", "REST");
        let grpc = self.get("gateway", "GRPC");
        let order = "-H 'content-type: application/json' -d @order.json";
        let mut all = vec!["gateway"];
        all.extend(layout::CONSUMERS);
        writeln!(f, "  Shop        http://{rest}/")?;
        writeln!(f, "  Console     http://{rest}/console")?;
        writeln!(f, "  REST        curl -X POST http://{rest}/order {order}")?;
        writeln!(f, "  API docs    http://{rest}/docs")?;
        writeln!(f, "  gRPC        grpcurl -plaintext {grpc} list")?;
        writeln!(
            f,
            "  queries     {}",
            self.ports(&layout::CONSUMERS, "GRPC")
        )?;
        writeln!(f, "  admin       {}", self.ports(&all, "ADMIN"))
    }
}

/// The address that a service read under a key, as it is reached.
pub(crate) fn configured(config: &Config, key: &str) -> Option<SocketAddr> {
    config.shown(key)?.parse().ok().map(reachable)
}

/// An address that listens everywhere is reached on this machine's loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    let host = match address.ip() {
        IpAddr::V4(host) if host.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(host) if host.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        host => host,
    };
    SocketAddr::new(host, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_listens_everywhere_is_reached_on_loopback() {
        for (bound, reached) in [
            ("0.0.0.0:50054", "127.0.0.1:50054"),
            ("[::]:50054", "[::1]:50054"),
            ("10.0.0.7:50054", "10.0.0.7:50054"),
        ] {
            assert_eq!(reachable(bound.parse().unwrap()).to_string(), reached);
        }
    }
}
