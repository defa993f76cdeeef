//! Where the load goes.
//!
//! Invariant: without the owner's word, every address that a target's name has is
//! on loopback, and only addresses that were looked at are connected to: a name is
//! resolved once, and never again.

use std::{io, net::SocketAddr, time::Duration};

use anyhow::Context as _;
use tokio::net::{TcpStream, lookup_host};

use super::options::Misuse;

/// How long a server may take to be reached.
pub(super) const CONNECT: Duration = Duration::from_secs(5);

/// The first address of the target that takes a connection.
pub(super) async fn reach(target: &str, owned: bool) -> anyhow::Result<SocketAddr> {
    let name = host_and_port(target)?;
    let addresses: Vec<SocketAddr> = lookup_host(name)
        .await
        .map_err(|error| Misuse(format!("{target} is no address: {error}; write host:port")))?
        .collect();
    check(target, &addresses, owned)?;
    let mut failure = None;
    for address in addresses {
        match open(address).await {
            Ok(_) => return Ok(address),
            Err(error) => failure = Some(error),
        }
    }
    let failure = failure.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into());
    Err(failure).with_context(|| format!("nothing answers at {target}; is the system up?"))
}

/// A connection, within bounds.
pub(super) async fn open(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = tokio::time::timeout(CONNECT, TcpStream::connect(address)).await??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// `host:port`, also where it is written as a URL.
pub(crate) fn host_and_port(target: &str) -> Result<&str, Misuse> {
    let name = target.strip_prefix("http://").unwrap_or(target);
    let name = name.strip_suffix('/').unwrap_or(name);
    let port = name.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
    if name.contains('/') || !matches!(port, Some(Ok(1..))) {
        return Err(Misuse(format!(
            "{target} is no address; write host:port, such as 127.0.0.1:3000"
        )));
    }
    Ok(name)
}

fn check(target: &str, addresses: &[SocketAddr], owned: bool) -> Result<(), Misuse> {
    let outside = addresses
        .iter()
        .find(|address| !address.ip().to_canonical().is_loopback());
    match outside {
        Some(outside) if !owned => Err(Misuse(format!(
            "{target} leads to {}, which is not this machine's loopback. Load on a system of \
             others is an attack on it, so nothing was sent; if it is yours, say so with \
             --i-own-this-target",
            outside.ip()
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(list: &[&str]) -> Vec<SocketAddr> {
        list.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn every_address_must_be_on_loopback() {
        for loopback in [
            &["127.0.0.1:3000"][..],
            &["127.255.255.254:3000"],
            &["[::1]:3000", "127.0.0.1:3000"],
            &["[::ffff:127.0.0.1]:3000"],
        ] {
            assert!(check("x", &addresses(loopback), false).is_ok());
        }
        for outside in [
            &["192.0.2.1:3000"][..],
            &["127.0.0.1:3000", "192.0.2.1:3000"],
            &["[::1]:3000", "[2001:db8::1]:3000"],
            &["[::ffff:192.0.2.1]:3000"],
            &["0.0.0.0:3000"],
            &["[::]:3000"],
            &["10.0.0.1:3000"],
        ] {
            let Misuse(told) = check("shop:3000", &addresses(outside), false).unwrap_err();
            assert!(told.contains("shop:3000"), "{told}");
            assert!(told.contains("--i-own-this-target"), "{told}");
        }
    }

    #[test]
    fn the_owner_may() {
        assert!(check("x", &addresses(&["192.0.2.1:3000"]), true).is_ok());
    }

    #[test]
    fn targets_are_host_and_port_or_a_url_of_them() {
        for (target, name) in [
            ("127.0.0.1:3000", "127.0.0.1:3000"),
            ("localhost:3000", "localhost:3000"),
            ("http://[::1]:3000/", "[::1]:3000"),
        ] {
            assert_eq!(host_and_port(target).unwrap(), name);
        }
        for wrong in [
            "",
            "localhost",
            "localhost:",
            "localhost:0",
            "localhost:70000",
            "https://localhost:3000",
            "localhost:3000/order",
        ] {
            assert!(host_and_port(wrong).is_err(), "{wrong}");
        }
    }

    #[tokio::test]
    async fn localhost_is_resolved_and_found_to_be_here() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let address = reach(&format!("localhost:{port}"), false).await.unwrap();
        assert!(address.ip().is_loopback());
    }
}
