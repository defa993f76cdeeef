//! What all orders together say.

use chassis::error::Error;
use proto::analytics::v1;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Time, all, filled,
    names::{FunnelStageKind, UserEventType},
};

/// Totals over all time.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Stats {
    /// Orders placed.
    orders: i64,
    /// Pieces ordered.
    units: i64,
    /// Orders paid.
    orders_paid: i64,
    /// Orders whose payment was declined.
    orders_declined: i64,
    /// Mails sent.
    notifications_sent: i64,
    /// Mails that failed for good.
    notifications_failed: i64,
    /// User events (viewed, added to cart, …).
    user_events: i64,
    /// Money by currency.
    money: Vec<MoneyStats>,
    /// When an event was last counted; null before the first.
    #[schema(required = true)]
    updated_at: Option<Time>,
}

/// Money in one currency.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MoneyStats {
    /// ISO 4217 code.
    #[schema(example = "USD")]
    currency_code: String,
    /// Sum of the totals of all orders placed, in minor units.
    ordered: i64,
    /// Sum of what was paid, in minor units.
    revenue: i64,
}

impl TryFrom<v1::GetStatsResponse> for Stats {
    type Error = Error;

    fn try_from(response: v1::GetStatsResponse) -> Result<Self, Error> {
        let stats = filled(response.stats, "statistics")?;
        Ok(Self {
            orders: stats.orders,
            units: stats.units,
            orders_paid: stats.orders_paid,
            orders_declined: stats.orders_declined,
            notifications_sent: stats.notifications_sent,
            notifications_failed: stats.notifications_failed,
            user_events: stats.user_events,
            money: stats.money.into_iter().map(Into::into).collect(),
            updated_at: Time::maybe(stats.updated_at),
        })
    }
}

impl From<v1::MoneyStats> for MoneyStats {
    fn from(money: v1::MoneyStats) -> Self {
        Self {
            currency_code: money.currency_code,
            ordered: money.ordered,
            revenue: money.revenue,
        }
    }
}

/// Orders in one stretch of time after the other, oldest first, without gaps.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OrderRate {
    /// At most 1,500 buckets.
    buckets: Vec<RateBucket>,
}

/// Orders in one stretch of time, by the time they were placed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RateBucket {
    /// Start of the bucket, inclusive.
    start_time: Time,
    /// Orders placed in it.
    orders: i64,
    /// Of these, paid so far.
    orders_paid: i64,
}

impl TryFrom<v1::GetOrderRateResponse> for OrderRate {
    type Error = Error;

    fn try_from(response: v1::GetOrderRateResponse) -> Result<Self, Error> {
        Ok(Self {
            buckets: all(response.buckets)?,
        })
    }
}

impl TryFrom<v1::RateBucket> for RateBucket {
    type Error = Error;

    fn try_from(bucket: v1::RateBucket) -> Result<Self, Error> {
        Ok(Self {
            start_time: Time::of(bucket.start_time)?,
            orders: bucket.orders,
            orders_paid: bucket.orders_paid,
        })
    }
}

/// The best sold products, best first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TopProductPage {
    /// At most `pageSize` products.
    products: Vec<ProductSales>,
    /// For the next page; empty at the end.
    next_page_token: String,
}

/// How one product sells.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProductSales {
    /// The shop's product id.
    product_id: i64,
    /// Its name in the latest order seen.
    name: String,
    /// Pieces ordered, in any currency.
    units: i64,
    /// Orders it was part of.
    orders: i64,
    /// Paid for it in the asked currency, in minor units.
    revenue: i64,
    /// ISO 4217 code of the revenue.
    #[schema(example = "USD")]
    currency_code: String,
}

impl TryFrom<v1::ListTopProductsResponse> for TopProductPage {
    type Error = Error;

    fn try_from(page: v1::ListTopProductsResponse) -> Result<Self, Error> {
        let sales = |product: v1::ProductSales| ProductSales {
            product_id: product.product_id,
            name: product.name,
            units: product.units,
            orders: product.orders,
            revenue: product.revenue,
            currency_code: product.currency_code,
        };
        Ok(Self {
            products: page.products.into_iter().map(sales).collect(),
            next_page_token: page.next_page_token,
        })
    }
}

/// Products bought together, most often first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProductPairPage {
    /// At most `pageSize` pairs.
    pairs: Vec<ProductPair>,
    /// For the next page; empty at the end.
    next_page_token: String,
}

/// Two products in one order. An order's first 20 distinct products count.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProductPair {
    /// The smaller product id.
    product_id: i64,
    /// The larger product id.
    other_product_id: i64,
    /// Orders with both.
    orders: i64,
}

impl TryFrom<v1::ListProductPairsResponse> for ProductPairPage {
    type Error = Error;

    fn try_from(page: v1::ListProductPairsResponse) -> Result<Self, Error> {
        let pair = |pair: v1::ProductPair| ProductPair {
            product_id: pair.product_id,
            other_product_id: pair.other_product_id,
            orders: pair.orders,
        };
        Ok(Self {
            pairs: page.pairs.into_iter().map(pair).collect(),
            next_page_token: page.next_page_token,
        })
    }
}

/// What one user did.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserBehavior {
    /// Who.
    user_id: i64,
    /// Orders placed.
    orders: i64,
    /// Orders paid.
    orders_paid: i64,
    /// Orders declined.
    orders_declined: i64,
    /// Pieces ordered.
    units: i64,
    /// Money by currency.
    money: Vec<MoneyStats>,
    /// What the user did, by type.
    events: Vec<UserEventCount>,
    /// When anything was first seen of the user.
    #[schema(required = true)]
    first_seen_at: Option<Time>,
    /// When anything was last seen of the user.
    #[schema(required = true)]
    last_seen_at: Option<Time>,
}

/// How often a user did something.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserEventCount {
    /// What.
    r#type: UserEventType,
    /// How often.
    count: i64,
}

impl TryFrom<v1::GetUserBehaviorResponse> for UserBehavior {
    type Error = Error;

    fn try_from(response: v1::GetUserBehaviorResponse) -> Result<Self, Error> {
        let user = filled(response.user, "user")?;
        let count = |event: v1::UserEventCount| UserEventCount {
            r#type: event.r#type().into(),
            count: event.count,
        };
        Ok(Self {
            user_id: user.user_id,
            orders: user.orders,
            orders_paid: user.orders_paid,
            orders_declined: user.orders_declined,
            units: user.units,
            money: user.money.into_iter().map(Into::into).collect(),
            events: user.events.into_iter().map(count).collect(),
            first_seen_at: Time::maybe(user.first_seen_at),
            last_seen_at: Time::maybe(user.last_seen_at),
        })
    }
}

/// How many users got how far, widest stage first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Funnel {
    /// All stages, in their order.
    stages: Vec<FunnelStage>,
}

/// One stage of the funnel.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FunnelStage {
    /// Which.
    kind: FunnelStageKind,
    /// Users who got here, counted once a day and summed over the days.
    users: i64,
}

impl TryFrom<v1::GetFunnelResponse> for Funnel {
    type Error = Error;

    fn try_from(response: v1::GetFunnelResponse) -> Result<Self, Error> {
        let stage = |stage: v1::FunnelStage| FunnelStage {
            kind: stage.kind().into(),
            users: stage.users,
        };
        Ok(Self {
            stages: response.stages.into_iter().map(stage).collect(),
        })
    }
}
