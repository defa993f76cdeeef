//! The gateway's settings.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use chassis::config::{List, Section};

use crate::{
    backend::Addresses,
    core::Timeouts,
    ops::{AdminAddresses, Admins, OperatorToken, SERVICES},
    pages::PageOptions,
    place::Placing,
    watch::HubOptions,
};

/// How long an unknown order is watched before it is told to be unknown. Orders
/// are stored within milliseconds; this outlasts a restart of history.
const PATIENCE: Duration = Duration::from_secs(30);

/// Settings of section `GATEWAY`.
#[derive(Debug, Clone)]
pub struct Options {
    pub(crate) grpc_address: SocketAddr,
    pub(crate) rest_address: SocketAddr,
    pub(crate) placing: Placing,
    pub(crate) timeouts: Timeouts,
    pub(crate) max_in_flight: usize,
    pub(crate) hub: HubOptions,
    pub(crate) pages: PageOptions,
    pub(crate) addresses: Addresses,
    pub(crate) operator_token: Option<OperatorToken>,
    pub(crate) admins: AdminAddresses,
}

impl Options {
    pub(crate) fn read(section: &mut Section<'_>) -> Self {
        Self {
            grpc_address: section.get(
                "GRPC_ADDRESS",
                "127.0.0.1:50051",
                "where gRPC calls are taken",
            ),
            rest_address: section.get(
                "REST_ADDRESS",
                "127.0.0.1:3000",
                "where REST requests are taken",
            ),
            placing: Placing {
                email: section.get(
                    "EMAIL_PATTERN",
                    "user{userId}@customers.example",
                    "the mail address of users who gave none",
                ),
                lookup: duration(
                    section,
                    "IDEMPOTENCY_LOOKUP_TIMEOUT",
                    "20ms",
                    Duration::from_millis(1)..=Duration::from_secs(1),
                    "how long history is asked whether it knows an idempotency key's order",
                ),
            },
            timeouts: Timeouts {
                place: duration(
                    section,
                    "PLACE_TIMEOUT",
                    "10s",
                    Duration::from_millis(50)..=Duration::from_secs(120),
                    "how long placing an order or recording an event may take; above 8s callers \
                     learn what became of it",
                ),
                read: duration(
                    section,
                    "READ_TIMEOUT",
                    "2s",
                    Duration::from_millis(10)..=Duration::from_secs(60),
                    "how long reading from the services may take",
                ),
            },
            max_in_flight: section.within(
                "MAX_IN_FLIGHT",
                "1024",
                1..=1_000_000,
                "requests worked on at once, at both doors together; more are refused",
            ),
            hub: HubOptions {
                patience: PATIENCE,
                most_watchers: section.within(
                    "MAX_WATCHERS",
                    "10000",
                    1..=1_000_000,
                    "watches and waits at once, at both doors together; more are refused",
                ),
            },
            pages: PageOptions {
                trace_url: section.optional(
                    "TRACE_URL",
                    "where the shop's page leads to an order's trace: an address with {traceId}",
                ),
            },
            addresses: Addresses {
                history: addresses(section, "HISTORY_ADDRESSES", "127.0.0.1:50054"),
                payments: addresses(section, "PAYMENTS_ADDRESSES", "127.0.0.1:50053"),
                notifier: addresses(section, "NOTIFIER_ADDRESSES", "127.0.0.1:50055"),
                analytics: addresses(section, "ANALYTICS_ADDRESSES", "127.0.0.1:50052"),
            },
            operator_token: section.optional(
                "OPERATOR_TOKEN",
                "what operators send as a bearer token; without it their part of the API is \
                 closed, but for the embedded broker",
            ),
            admins: admins(section),
        }
    }
}

fn duration(
    section: &mut Section<'_>,
    name: &str,
    default: &str,
    bounds: std::ops::RangeInclusive<Duration>,
    help: &'static str,
) -> Duration {
    section.within(name, default, bounds, help)
}

fn addresses(section: &mut Section<'_>, name: &str, default: &str) -> Vec<String> {
    let help = "where the service is: host:port or http://host:port, several separated by commas";
    let List(addresses) = section.get(name, default, help);
    if addresses.is_empty() {
        section.mistake(name, "must name at least one address");
    }
    addresses
}

/// Where this process reaches itself: an address that listens everywhere is no address
/// to go to.
pub(crate) fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

/// Where the admin servers of all services are, this gateway's own among them.
fn admins(section: &mut Section<'_>) -> AdminAddresses {
    let defaults = ["9100", "9103", "9104", "9105", "9102"];
    let mut admins = AdminAddresses::new();
    for (service, port) in SERVICES.into_iter().zip(defaults) {
        let name = format!("{}_ADMIN_ADDRESSES", service.to_ascii_uppercase());
        let help = "where its admin server is: host:port, several separated by commas; a name \
                    stands for all its instances";
        let List(texts) = section.get(&name, &format!("127.0.0.1:{port}"), help);
        let mut addresses = Vec::new();
        for text in texts {
            match Admins::address(&text) {
                Some(address) => addresses.push(address),
                None => section.mistake(
                    &name,
                    format!("{text:?} must be host:port, such as {service}:{port}"),
                ),
            }
        }
        if addresses.is_empty() {
            section.mistake(&name, "must name at least one address");
        }
        admins.insert(service, addresses);
    }
    admins
}

#[cfg(test)]
mod tests {
    use chassis::config::Config;

    use super::*;

    fn mistakes(environment: &[(&str, &str)]) -> String {
        let environment = environment
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        let mut config = Config::load(None, environment);
        Options::read(&mut config.section("GATEWAY"));
        config
            .finish()
            .map_or_else(|error| error.to_string(), |()| String::new())
    }

    #[test]
    fn the_defaults_are_valid() {
        assert_eq!(mistakes(&[]), "");
    }

    #[test]
    fn every_mistake_is_told() {
        let told = mistakes(&[
            ("GATEWAY__EMAIL_PATTERN", "nobody@customers.example"),
            ("GATEWAY__PLACE_TIMEOUT", "10"),
            ("GATEWAY__MAX_IN_FLIGHT", "0"),
            ("GATEWAY__HISTORY_ADDRESSES", " , "),
            ("GATEWAY__READ_TIMEOUTS", "1s"),
            ("GATEWAY__OPERATOR_TOKEN", "short"),
            (
                "GATEWAY__PAYMENTS_ADMIN_ADDRESSES",
                "payments:9103,payments",
            ),
        ]);
        for key in [
            "EMAIL_PATTERN",
            "PLACE_TIMEOUT",
            "MAX_IN_FLIGHT",
            "HISTORY_ADDRESSES",
            "READ_TIMEOUTS",
            "OPERATOR_TOKEN",
            "PAYMENTS_ADMIN_ADDRESSES",
        ] {
            assert!(told.contains(&format!("GATEWAY__{key}")), "{key}: {told}");
        }
        assert!(!told.contains("short"), "{told}");
    }
}
