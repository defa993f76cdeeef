//! A TCP link that can be cut, slowed, or made to swallow one direction.
//!
//! Invariant: what the link does applies to connections that are open as well
//! as to new ones, from the moment that the call that changes it returns.
//! Bytes are forwarded in order or not at all.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;

/// One way along the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// What clients send.
    ToServer,
    /// What the server answers.
    ToClient,
}

/// What the link does with what it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// Forwards everything.
    Open,
    /// Forwards each piece that it reads (up to 16 KiB) this much later, in
    /// both directions.
    Slow(Duration),
    /// Reads one direction and forwards nothing of it; the other stays open.
    /// What was swallowed is gone even after the link is open again, so cut it
    /// before that, as a lost packet would in the end.
    Swallow(Direction),
    /// Closes all connections, also if the link is mended a moment later, and
    /// each new one as soon as it is accepted.
    Cut,
}

/// A listening port of 127.0.0.1 that leads to one server. It closes, with all
/// its connections, when dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    state: watch::Sender<State>,
    swallowed: Arc<AtomicU64>,
    accepting: AbortHandle,
}

impl Proxy {
    /// Opens a port that leads to `target` (`host:port`). The target need not
    /// be up: connections to it are made as clients come, and theirs are
    /// closed where that fails.
    pub async fn start(target: impl Into<String>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (state, watcher) = watch::channel(State {
            link: Link::Open,
            cuts: 0,
        });
        let swallowed = Arc::new(AtomicU64::new(0));
        let route = Route {
            target: target.into().into(),
            state: watcher,
            swallowed: Arc::clone(&swallowed),
        };
        let accepting = tokio::spawn(accept(listener, route)).abort_handle();
        Ok(Self {
            address,
            state,
            swallowed,
            accepting,
        })
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes what the link does.
    pub fn set(&self, link: Link) {
        self.state.send_modify(|state| {
            state.link = link;
            state.cuts += u64::from(link == Link::Cut);
        });
    }

    /// How many bytes were swallowed so far: a test that waits for the first
    /// knows that the answer it wants to lose was on its way.
    pub fn swallowed(&self) -> u64 {
        self.swallowed.load(Ordering::Acquire)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

#[derive(Clone, Copy, Debug)]
struct State {
    link: Link,
    /// How often the link was cut: a connection that only looked at the link
    /// would miss a cut that was mended at once.
    cuts: u64,
}

/// What every connection needs to know.
#[derive(Clone, Debug)]
struct Route {
    target: Arc<str>,
    state: watch::Receiver<State>,
    swallowed: Arc<AtomicU64>,
}

async fn accept(listener: TcpListener, route: Route) {
    // Aborting this task drops the set and so every connection.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // An error here is the client's: it has gone already.
                if let Ok((client, _)) = accepted {
                    connections.spawn(connect(client, route.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connect(client: TcpStream, mut route: Route) {
    let State { link, cuts } = *route.state.borrow();
    if link == Link::Cut {
        return;
    }
    let Ok(server) = TcpStream::connect(&*route.target).await else {
        return;
    };
    // Requests and answers are small and each waits for the other.
    client.set_nodelay(true).ok();
    server.set_nodelay(true).ok();
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let there = forward(from_client, to_server, Direction::ToServer, route.clone());
    let back = forward(from_server, to_client, Direction::ToClient, route.clone());
    tokio::select! {
        // Either end's error ends both ways; an orderly end of one direction
        // lets the other finish.
        _ = async { tokio::try_join!(there, back) } => {}
        _ = route.state.wait_for(|state| state.cuts > cuts) => {}
    }
}

async fn forward(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    direction: Direction,
    route: Route,
) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            return to.shutdown().await;
        }
        let piece = &buffer[..length];
        let link = route.state.borrow().link;
        match link {
            Link::Swallow(swallowed) if swallowed == direction => {
                route.swallowed.fetch_add(length as u64, Ordering::Release);
            }
            Link::Open | Link::Swallow(_) => to.write_all(piece).await?,
            Link::Slow(delay) => {
                sleep(delay).await;
                to.write_all(piece).await?;
            }
            // The connection is about to be dropped.
            Link::Cut => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::wait::until;

    const SOON: Duration = Duration::from_secs(5);

    /// A server that answers every byte with the same byte.
    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    tokio::io::copy(&mut from, &mut to).await.ok();
                });
            }
        });
        address
    }

    async fn client() -> (Proxy, TcpStream) {
        let proxy = Proxy::start(echo().await.to_string()).await.unwrap();
        let stream = TcpStream::connect(proxy.address()).await.unwrap();
        (proxy, stream)
    }

    async fn ask(stream: &mut TcpStream, byte: u8) -> io::Result<u8> {
        stream.write_u8(byte).await?;
        stream.read_u8().await
    }

    #[tokio::test]
    async fn an_open_link_forwards_both_ways() {
        let (_proxy, mut stream) = client().await;
        assert_eq!(ask(&mut stream, 7).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn a_cut_closes_open_connections_and_new_ones_until_it_is_mended() {
        let (proxy, mut stream) = client().await;
        assert_eq!(ask(&mut stream, 1).await.unwrap(), 1);
        proxy.set(Link::Cut);
        assert!(ask(&mut stream, 2).await.is_err());
        let mut late = TcpStream::connect(proxy.address()).await.unwrap();
        assert!(ask(&mut late, 3).await.is_err());

        proxy.set(Link::Open);
        let mut mended = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(ask(&mut mended, 4).await.unwrap(), 4);
    }

    #[tokio::test]
    async fn a_swallowed_answer_was_asked_for_and_never_comes() {
        let (proxy, mut stream) = client().await;
        assert_eq!(ask(&mut stream, 1).await.unwrap(), 1);
        proxy.set(Link::Swallow(Direction::ToClient));
        stream.write_u8(2).await.unwrap();
        until("the answer to be swallowed", SOON, || async {
            proxy.swallowed() == 1
        })
        .await
        .unwrap();
        proxy.set(Link::Cut);
        proxy.set(Link::Open);
        assert!(stream.read_u8().await.is_err());
    }

    #[tokio::test]
    async fn a_slow_link_delays_each_way() {
        let (proxy, mut stream) = client().await;
        let delay = Duration::from_millis(40);
        proxy.set(Link::Slow(delay));
        let asked = Instant::now();
        assert_eq!(ask(&mut stream, 1).await.unwrap(), 1);
        assert!(asked.elapsed() >= delay * 2);
    }

    #[tokio::test]
    async fn dropping_the_proxy_closes_its_connections() {
        let (proxy, mut stream) = client().await;
        assert_eq!(ask(&mut stream, 1).await.unwrap(), 1);
        drop(proxy);
        assert!(ask(&mut stream, 2).await.is_err());
    }
}
