//! gRPC clients of every service.

use anyhow::Context as _;
use proto::{
    analytics::v1::analytics_service_client::AnalyticsServiceClient,
    history::v1::history_service_client::HistoryServiceClient,
    notifier::v1::notifier_service_client::NotifierServiceClient,
    orders::v1::order_service_client::OrderServiceClient,
    payments::v1::payment_service_client::PaymentServiceClient,
};
use tonic::transport::{Channel, Endpoint};

use crate::footing::Addresses;

/// A connection to each service.
#[derive(Clone, Debug)]
pub struct Clients {
    /// The gateway.
    pub orders: OrderServiceClient<Channel>,
    /// History.
    pub history: HistoryServiceClient<Channel>,
    /// Payments.
    pub payments: PaymentServiceClient<Channel>,
    /// Notifier.
    pub notifier: NotifierServiceClient<Channel>,
    /// Analytics.
    pub analytics: AnalyticsServiceClient<Channel>,
}

impl Clients {
    /// Connects when first used.
    pub fn new(addresses: &Addresses) -> anyhow::Result<Self> {
        Ok(Self {
            orders: OrderServiceClient::new(channel(&addresses.grpc("gateway"))?),
            history: HistoryServiceClient::new(channel(&addresses.grpc("history"))?),
            payments: PaymentServiceClient::new(channel(&addresses.grpc("payments"))?),
            notifier: NotifierServiceClient::new(channel(&addresses.grpc("notifier"))?),
            analytics: AnalyticsServiceClient::new(channel(&addresses.grpc("analytics"))?),
        })
    }
}

/// A lazy connection to `host:port`.
pub fn channel(address: &str) -> anyhow::Result<Channel> {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).context("address")?;
    Ok(endpoint.connect_lazy())
}
