//! What all orders together say.

use axum::{
    extract::{Path, State},
    http::Uri,
};
use chassis::grpc::Deadline;
use proto::{
    analytics::v1::{
        self, GetFunnelRequest, GetOrderRateRequest, GetUserBehaviorRequest,
        ListProductPairsRequest, ListTopProductsRequest,
    },
    id::{ProductId, UserId},
};

use super::{
    Answer,
    query::Params,
    responses::{Refused, Unknown},
    shown,
    types::{
        BucketWidth, Funnel, OrderRate, ProductPairPage, ProductRanking, Stats, TopProductPage,
        UserBehavior,
    },
};
use crate::core::Core;

/// Get the totals
///
/// Over all time.
#[utoipa::path(
    get,
    path = "/analytics/stats",
    operation_id = "getStats",
    tag = "analytics",
    responses((status = 200, description = "The totals", body = Stats), Refused),
)]
pub(crate) async fn stats(State(core): State<Core>, uri: Uri) -> Answer<Stats> {
    Params::of(&uri).finish(Some(()))?;
    shown(
        core.backend
            .stats(Deadline::after(core.timeouts.read))
            .await,
    )
}

/// Get the order rate
///
/// Orders per minute, hour or day.
#[utoipa::path(
    get,
    path = "/analytics/rate",
    operation_id = "getOrderRate",
    tag = "analytics",
    params(
        ("width" = Option<BucketWidth>, Query, description = "How wide a bucket is; default: a minute"),
        ("startTime" = Option<String>, Query, format = DateTime, description = "From when, inclusive; \
            default: 60 buckets before the end"),
        ("endTime" = Option<String>, Query, format = DateTime, description = "Until when, exclusive; \
            default: now"),
    ),
    responses((status = 200, description = "The rate", body = OrderRate), Refused),
)]
pub(crate) async fn rate(State(core): State<Core>, uri: Uri) -> Answer<OrderRate> {
    let mut params = Params::of(&uri);
    let width = params.one_of("width", BucketWidth::NAMES, v1::BucketWidth::from_str_name);
    let start_time = params.time("startTime");
    let end_time = params.time("endTime");
    params.finish(Some(()))?;
    let width = width.unwrap_or_default().into();
    let request = GetOrderRateRequest {
        width,
        start_time,
        end_time,
    };
    shown(
        core.backend
            .order_rate(request, Deadline::after(core.timeouts.read))
            .await,
    )
}

/// List the best sold products
///
/// Best first.
#[utoipa::path(
    get,
    path = "/analytics/top-products",
    operation_id = "listTopProducts",
    tag = "analytics",
    params(
        ("ranking" = Option<ProductRanking>, Query, description = "By what; default: by units"),
        ("currencyCode" = Option<String>, Query, description = "Of the revenue; default USD"),
        ("pageSize" = Option<u64>, Query, description = "0 means 10; above 1000 means 1000"),
        ("pageToken" = Option<String>, Query, description = "`nextPageToken` of the page before"),
    ),
    responses((status = 200, description = "A page of products", body = TopProductPage), Refused),
)]
pub(crate) async fn top_products(State(core): State<Core>, uri: Uri) -> Answer<TopProductPage> {
    let mut params = Params::of(&uri);
    let ranking = params.one_of(
        "ranking",
        ProductRanking::NAMES,
        v1::ProductRanking::from_str_name,
    );
    let currency_code = params.text("currencyCode").unwrap_or_default();
    let page = params.page();
    let page = params.finish(Some(page))?;
    let request = ListTopProductsRequest {
        ranking: ranking.unwrap_or_default().into(),
        currency_code,
        page_size: page.size,
        page_token: page.token,
    };
    shown(
        core.backend
            .top_products(request, Deadline::after(core.timeouts.read))
            .await,
    )
}

/// List products bought together
///
/// Most often first.
#[utoipa::path(
    get,
    path = "/analytics/product-pairs",
    operation_id = "listProductPairs",
    tag = "analytics",
    params(
        ("productId" = Option<i64>, Query, description = "Only pairs with this product"),
        ("pageSize" = Option<u64>, Query, description = "0 means 10; above 1000 means 1000"),
        ("pageToken" = Option<String>, Query, description = "`nextPageToken` of the page before"),
    ),
    responses((status = 200, description = "A page of pairs", body = ProductPairPage), Refused),
)]
pub(crate) async fn product_pairs(State(core): State<Core>, uri: Uri) -> Answer<ProductPairPage> {
    let mut params = Params::of(&uri);
    let product_id: Option<ProductId> = params.id("productId");
    let page = params.page();
    let page = params.finish(Some(page))?;
    let request = ListProductPairsRequest {
        product_id: product_id.map(ProductId::get),
        page_size: page.size,
        page_token: page.token,
    };
    shown(
        core.backend
            .product_pairs(request, Deadline::after(core.timeouts.read))
            .await,
    )
}

/// Get what one user did
#[utoipa::path(
    get,
    path = "/analytics/users/{userId}",
    operation_id = "getUserBehavior",
    tag = "analytics",
    params(("userId" = i64, Path, description = "1 to 2^53-1")),
    responses((status = 200, description = "The user", body = UserBehavior), Refused, Unknown),
)]
pub(crate) async fn user(
    State(core): State<Core>,
    Path(user_id): Path<String>,
    uri: Uri,
) -> Answer<UserBehavior> {
    let mut params = Params::of(&uri);
    let user_id: Option<UserId> = params.number_id("userId", &user_id);
    let user_id = params.finish(user_id)?.get();
    let request = GetUserBehaviorRequest { user_id };
    shown(
        core.backend
            .user_behavior(request, Deadline::after(core.timeouts.read))
            .await,
    )
}

/// Get the funnel
///
/// How many users got how far, from viewed to paid, summed over days.
#[utoipa::path(
    get,
    path = "/analytics/funnel",
    operation_id = "getFunnel",
    tag = "analytics",
    params(
        ("startTime" = Option<String>, Query, format = DateTime, description = "First day (UTC) \
            counted; default: 29 days before the last"),
        ("endTime" = Option<String>, Query, format = DateTime, description = "The day (UTC) of this \
            time is the last one counted; default: today"),
    ),
    responses((status = 200, description = "The funnel", body = Funnel), Refused),
)]
pub(crate) async fn funnel(State(core): State<Core>, uri: Uri) -> Answer<Funnel> {
    let mut params = Params::of(&uri);
    let start_time = params.time("startTime");
    let end_time = params.time("endTime");
    params.finish(Some(()))?;
    let request = GetFunnelRequest {
        start_time,
        end_time,
    };
    shown(
        core.backend
            .funnel(request, Deadline::after(core.timeouts.read))
            .await,
    )
}
