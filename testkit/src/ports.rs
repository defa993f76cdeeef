//! TCP ports that nobody else gets.
//!
//! Invariant: a port given out here is given to no other user of the testkit on
//! this machine while this process lives, and never by the kernel to an
//! outgoing connection. The second half matters when a server is down: a client
//! that retries a loopback port from the kernel's own range sooner or later
//! connects to itself, and then the server cannot come back.

use std::fs::{self, File};
use std::io::{Error, ErrorKind, Result};
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::path::Path;
use std::sync::Mutex;

use rustix::process::geteuid;

use crate::sync::lock;

/// Below the ports that kernels choose for outgoing connections (Linux from
/// 32768, macOS and IANA from 49152), above those that well-known servers use.
const RANGE: Range<u16> = 20_000..32_000;

/// A port on 127.0.0.1 that is free now and stays reserved, for users of the
/// testkit, until this process ends.
pub fn free() -> Result<u16> {
    let folder = std::env::temp_dir().join(format!("ordermesh-ports-{}", geteuid().as_raw()));
    fs::create_dir_all(&folder)?;

    let mut reservations = lock(&RESERVATIONS);
    let size = RANGE.end - RANGE.start;
    // Processes start at different places, so that they seldom meet.
    let start = u16::try_from(std::process::id() % u32::from(size)).unwrap_or_default();
    for step in 0..size {
        let port = RANGE.start + (start + reservations.next + step) % size;
        if let Some(reservation) = reserve(&folder, port)? {
            reservations.held.push(reservation);
            reservations.next = (reservations.next + step + 1) % size;
            return Ok(port);
        }
    }
    Err(Error::new(
        ErrorKind::AddrInUse,
        format!("no port of {RANGE:?} is free"),
    ))
}

/// What this process holds; process-wide because ports are.
static RESERVATIONS: Mutex<Reservations> = Mutex::new(Reservations {
    held: Vec::new(),
    next: 0,
});

struct Reservations {
    /// Locked files; the kernel unlocks them when the process ends.
    held: Vec<File>,
    /// How far the search has come, so that it does not start over.
    next: u16,
}

/// The locked file that stands for `port`, or `None` if somebody has the port.
fn reserve(folder: &Path, port: u16) -> Result<Option<File>> {
    let file = File::create(folder.join(port.to_string()))?;
    if file.try_lock().is_err() {
        return Ok(None);
    }
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .is_ok()
        .then_some(file))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_port_is_given_out_twice() {
        let ports: HashSet<_> = (0..50).map(|_| free().unwrap()).collect();
        assert_eq!(ports.len(), 50);
        assert!(ports.iter().all(|port| RANGE.contains(port)));
    }

    #[test]
    fn a_port_in_use_is_not_given_out() {
        let folder = tempfile::tempdir().unwrap();
        let in_use = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = in_use.local_addr().unwrap().port();
        assert!(reserve(folder.path(), port).unwrap().is_none());
    }

    #[test]
    fn a_port_reserved_by_another_is_not_given_out() {
        let folder = tempfile::tempdir().unwrap();
        let port = free().unwrap();
        let reservation = reserve(folder.path(), port).unwrap();
        assert!(reservation.is_some());
        assert!(reserve(folder.path(), port).unwrap().is_none());
    }
}
