//! The two doors, each with its connections.

mod grpc;
mod rest;

use std::net::SocketAddr;

use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::{answer::Answer, options::Door, orders::Order};

/// Connections that are opened at once, so that a server's queue does not
/// overflow before the first order.
const AT_ONCE: usize = 64;

/// A connection through which orders are placed.
#[derive(Debug)]
pub(super) enum Caller {
    /// One order at a time.
    Rest(rest::Connection),
    /// As many as the server allows.
    Grpc(grpc::Connection),
}

impl Caller {
    /// Places an order and reads the whole answer. What was dropped before is not
    /// waited for any more.
    pub(super) async fn place(&mut self, order: Order) -> Answer {
        match self {
            Self::Rest(connection) => connection.place(order).await,
            Self::Grpc(connection) => connection.place(order).await,
        }
    }

    /// Another caller on the same connection, or where that cannot be shared, none.
    pub(super) fn shared(&self) -> Option<Self> {
        match self {
            Self::Rest(_) => None,
            Self::Grpc(connection) => Some(Self::Grpc(connection.clone())),
        }
    }
}

/// Opens so many connections.
pub(super) async fn connect(
    door: Door,
    address: SocketAddr,
    connections: u32,
) -> anyhow::Result<Vec<Caller>> {
    stream::iter(0..connections)
        .map(async |_| {
            anyhow::Ok(match door {
                Door::Rest => Caller::Rest(rest::Connection::open(address).await?),
                Door::Grpc => Caller::Grpc(grpc::Connection::open(address).await?),
            })
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}
