//! `OrderService.PlaceOrder` over one HTTP/2 connection.

use std::net::SocketAddr;

use proto::orders::v1::order_service_client::OrderServiceClient;
use tonic::transport::{Channel, Endpoint};

use super::super::{answer::Answer, orders::Order, target::CONNECT};

/// A connection; its clones share it. tonic opens it anew when it broke, and the
/// address stands in numbers, so no name is resolved again.
#[derive(Debug, Clone)]
pub(crate) struct Connection(OrderServiceClient<Channel>);

impl Connection {
    pub(super) async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let endpoint = Endpoint::from_shared(format!("http://{address}"))?;
        let channel = endpoint
            .connect_timeout(CONNECT)
            .tcp_nodelay(true)
            .connect()
            .await?;
        Ok(Self(OrderServiceClient::new(channel)))
    }

    pub(super) async fn place(&mut self, order: Order) -> Answer {
        let Self(client) = self;
        Answer::over_grpc(client.place_order(tonic::Request::new(order.into())).await)
    }
}
