//! `ordermesh.history.v1.HistoryService`.

mod answer;
mod request;

use std::{sync::Arc, time::Duration};

use chassis::error::{Error, Reason};
use proto::{
    history::v1::{
        BatchGetOrdersRequest, BatchGetOrdersResponse, GetOrderRequest, GetOrderResponse,
        ListOrdersRequest, ListOrdersResponse,
        history_service_server::{HistoryService, HistoryServiceServer},
    },
    id::OrderId,
};
use tonic::{Request, Response, Status};

use crate::store::Store;

/// Largest request: [`request::MAX_IDS`] ids are 38 KiB; somewhat more than that
/// still gets an answer that says what the bound is.
const MAX_REQUEST: usize = 256 * 1024;

/// When to ask again for an order that is not stored. History stores an order
/// well within a second of its acceptance, unless it is behind.
const NOT_YET: Duration = Duration::from_secs(1);

/// Answers from the store.
#[derive(Clone)]
pub struct Api(Arc<dyn Store>);

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Api")
    }
}

impl Api {
    /// Answers from this store.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self(store)
    }

    /// As a service with its limits.
    pub fn server(self) -> HistoryServiceServer<Self> {
        HistoryServiceServer::new(self).max_decoding_message_size(MAX_REQUEST)
    }
}

#[tonic::async_trait]
impl HistoryService for Api {
    async fn get_order(
        &self,
        request: Request<GetOrderRequest>,
    ) -> Result<Response<GetOrderResponse>, Status> {
        let order_id = request::order_id(request.get_ref())?;
        let found = self.0.orders(&[order_id]).await.map_err(Error::from)?;
        let order = found
            .into_iter()
            .next()
            .ok_or_else(|| not_stored(order_id))?;
        Ok(Response::new(answer::order(order)))
    }

    async fn batch_get_orders(
        &self,
        request: Request<BatchGetOrdersRequest>,
    ) -> Result<Response<BatchGetOrdersResponse>, Status> {
        let order_ids = request::order_ids(request.get_ref())?;
        let found = self.0.orders(&order_ids).await.map_err(Error::from)?;
        Ok(Response::new(answer::batch(found)?))
    }

    async fn list_orders(
        &self,
        request: Request<ListOrdersRequest>,
    ) -> Result<Response<ListOrdersResponse>, Status> {
        let listing = request::listing(request.get_ref())?;
        let found = self
            .0
            .list(
                listing.user_id,
                listing.after(),
                listing.page.rows_to_read(),
            )
            .await
            .map_err(Error::from)?;
        Ok(Response::new(answer::page(listing.page, found)))
    }
}

/// An order whose payment alone is stored is not stored for readers either.
fn not_stored(order_id: OrderId) -> Error {
    Error::new(
        Reason::NotFound,
        "there is no such order, or it is not stored yet",
    )
    .retry_after(NOT_YET)
    .with("order_id", order_id.to_string())
}
