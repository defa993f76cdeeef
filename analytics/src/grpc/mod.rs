//! `ordermesh.analytics.v1.AnalyticsService`.

mod answer;
mod request;
#[cfg(test)]
mod tests;

use std::{pin::Pin, sync::Arc};

use chassis::error::{Error, Reason};
use futures::{Stream, StreamExt as _};
use proto::{
    analytics::v1::{
        GetFunnelRequest, GetFunnelResponse, GetOrderRateRequest, GetOrderRateResponse,
        GetStatsRequest, GetStatsResponse, GetUserBehaviorRequest, GetUserBehaviorResponse,
        ListProductPairsRequest, ListProductPairsResponse, ListTopProductsRequest,
        ListTopProductsResponse, WatchStatsRequest, WatchStatsResponse,
        analytics_service_server::{AnalyticsService, AnalyticsServiceServer},
    },
    time::UnixMicros,
};
use tonic::{Request, Response, Status};

use crate::{
    store::{PairPosition, ProductPosition, Store},
    watch::StatsWatch,
};
use request::{PairsQuery, ProductsQuery, Ranking};

/// Requests are a few numbers and a page token.
const MAX_REQUEST_BYTES: usize = 16 * 1024;

/// Answers from a store.
pub struct Api {
    store: Arc<dyn Store>,
    watch: StatsWatch,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api")
            .field("watch", &self.watch)
            .finish_non_exhaustive()
    }
}

impl Api {
    /// Answers from this store, and lets watchers watch.
    pub fn new(store: Arc<dyn Store>, watch: StatsWatch) -> Self {
        Self { store, watch }
    }

    /// As a gRPC service.
    pub fn server(self) -> AnalyticsServiceServer<Self> {
        AnalyticsServiceServer::new(self).max_decoding_message_size(MAX_REQUEST_BYTES)
    }

    async fn top_products(
        &self,
        request: &ListTopProductsRequest,
    ) -> Result<ListTopProductsResponse, Error> {
        let ProductsQuery {
            ranking,
            currency,
            page,
        } = request::top_products(request)?;
        let after = page.after.unwrap_or(ProductPosition::START);
        let limit = page.rows_to_read();
        let (store, figure): (_, fn(&crate::store::ProductSales) -> i64) = match ranking {
            Ranking::Units => (
                self.store.top_products_by_units(currency, after, limit),
                |sales| sales.units,
            ),
            Ranking::Revenue => (
                self.store.top_products_by_revenue(currency, after, limit),
                |sales| sales.revenue,
            ),
        };
        let page = page.page(store.await?, |sales| ProductPosition {
            figure: figure(sales),
            product_id: sales.product_id,
        });
        let products = page.rows.into_iter();
        Ok(ListTopProductsResponse {
            products: products
                .map(|sales| answer::product(sales, currency))
                .collect(),
            next_page_token: page.next_page_token,
        })
    }

    async fn product_pairs(
        &self,
        request: &ListProductPairsRequest,
    ) -> Result<ListProductPairsResponse, Error> {
        let PairsQuery { product_id, page } = request::product_pairs(request)?;
        let after = page.after.unwrap_or(PairPosition::START);
        let pairs = self
            .store
            .product_pairs(product_id, after, page.rows_to_read())
            .await?;
        let page = page.page(pairs, |pair| PairPosition {
            orders: pair.orders,
            product_id: pair.product_id,
            other_product_id: pair.other_product_id,
        });
        Ok(ListProductPairsResponse {
            pairs: page.rows.iter().map(answer::pair).collect(),
            next_page_token: page.next_page_token,
        })
    }

    async fn user(&self, user_id: i64) -> Result<GetUserBehaviorResponse, Error> {
        let user_id = request::user(user_id)?;
        match self.store.user(user_id).await? {
            Some(user) => Ok(GetUserBehaviorResponse {
                user: Some(answer::user(user_id, user)),
            }),
            None => Err(Error::new(
                Reason::NotFound,
                "nothing is known of this user, or not yet",
            )),
        }
    }
}

#[tonic::async_trait]
impl AnalyticsService for Api {
    async fn get_stats(
        &self,
        _: Request<GetStatsRequest>,
    ) -> Result<Response<GetStatsResponse>, Status> {
        let stats = self.store.stats().await.map_err(Error::from)?;
        Ok(Response::new(GetStatsResponse {
            stats: Some(answer::stats(stats)),
        }))
    }

    async fn get_order_rate(
        &self,
        request: Request<GetOrderRateRequest>,
    ) -> Result<Response<GetOrderRateResponse>, Status> {
        let query = request::order_rate(request.into_inner(), UnixMicros::now())?;
        let counted = self
            .store
            .order_rate(query.width, query.from, query.until)
            .await
            .map_err(Error::from)?;
        Ok(Response::new(GetOrderRateResponse {
            buckets: answer::rate(query, counted),
        }))
    }

    async fn list_top_products(
        &self,
        request: Request<ListTopProductsRequest>,
    ) -> Result<Response<ListTopProductsResponse>, Status> {
        let answer = self.top_products(request.get_ref()).await?;
        Ok(Response::new(answer))
    }

    async fn list_product_pairs(
        &self,
        request: Request<ListProductPairsRequest>,
    ) -> Result<Response<ListProductPairsResponse>, Status> {
        let answer = self.product_pairs(request.get_ref()).await?;
        Ok(Response::new(answer))
    }

    async fn get_user_behavior(
        &self,
        request: Request<GetUserBehaviorRequest>,
    ) -> Result<Response<GetUserBehaviorResponse>, Status> {
        let answer = self.user(request.get_ref().user_id).await?;
        Ok(Response::new(answer))
    }

    async fn get_funnel(
        &self,
        request: Request<GetFunnelRequest>,
    ) -> Result<Response<GetFunnelResponse>, Status> {
        let days = request::funnel(request.into_inner(), UnixMicros::now())?;
        let counts = self.store.funnel(days).await.map_err(Error::from)?;
        Ok(Response::new(GetFunnelResponse {
            stages: answer::funnel(&counts),
        }))
    }

    type WatchStatsStream =
        Pin<Box<dyn Stream<Item = Result<WatchStatsResponse, Status>> + Send + 'static>>;

    async fn watch_stats(
        &self,
        _: Request<WatchStatsRequest>,
    ) -> Result<Response<Self::WatchStatsStream>, Status> {
        let changes = self.watch.watch().await?;
        let answers = changes.map(|stats| {
            Ok(WatchStatsResponse {
                stats: Some(answer::stats(stats)),
            })
        });
        Ok(Response::new(Box::pin(answers)))
    }
}
