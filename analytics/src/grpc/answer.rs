//! What the store answers, on the wire.

use proto::{
    analytics::v1::{
        FunnelStage, MoneyStats, ProductPair, ProductSales, RateBucket, Stats, UserBehavior,
        UserEventCount,
    },
    id::UserId,
    money::Currency,
    time::UnixMicros,
};

use super::request::RateQuery;
use crate::{
    stage::Stage,
    store::{self, Bucket, MoneySums, PairSales, StageCount, UserStats},
};

pub(super) fn stats(stats: store::Stats) -> Stats {
    Stats {
        orders: stats.orders,
        units: stats.units,
        orders_paid: stats.orders_paid,
        orders_declined: stats.orders_declined,
        notifications_sent: stats.notifications_sent,
        notifications_failed: stats.notifications_failed,
        user_events: stats.user_events,
        money: stats.money.into_iter().map(money).collect(),
        updated_at: stats.updated_at.map(Into::into),
    }
}

fn money(sums: MoneySums) -> MoneyStats {
    MoneyStats {
        currency_code: sums.currency_code,
        ordered: sums.ordered,
        revenue: sums.revenue,
    }
}

/// Every bucket asked for, also those in which nothing happened.
pub(super) fn rate(query: RateQuery, counted: Vec<Bucket>) -> Vec<RateBucket> {
    let width = query.width.micros();
    let mut counted = counted.into_iter().peekable();
    let mut buckets = Vec::new();
    let mut start = query.from;
    while start < query.until {
        let bucket = counted.next_if(|bucket| bucket.start == start);
        let (orders, orders_paid) =
            bucket.map_or((0, 0), |bucket| (bucket.orders, bucket.orders_paid));
        buckets.push(RateBucket {
            start_time: Some(start.into()),
            orders,
            orders_paid,
        });
        start = UnixMicros::from_micros(start.as_micros().saturating_add(width));
    }
    buckets
}

pub(super) fn product(sales: store::ProductSales, currency: Currency) -> ProductSales {
    ProductSales {
        product_id: sales.product_id,
        name: sales.name,
        units: sales.units,
        orders: sales.orders,
        revenue: sales.revenue,
        currency_code: currency.code().to_owned(),
    }
}

pub(super) fn pair(pair: &PairSales) -> ProductPair {
    ProductPair {
        product_id: pair.product_id,
        other_product_id: pair.other_product_id,
        orders: pair.orders,
    }
}

pub(super) fn user(user_id: UserId, user: UserStats) -> UserBehavior {
    UserBehavior {
        user_id: user_id.get(),
        orders: user.orders,
        orders_paid: user.orders_paid,
        orders_declined: user.orders_declined,
        units: user.units,
        money: user.money.into_iter().map(money).collect(),
        events: user
            .events
            .into_iter()
            .map(|(r#type, count)| UserEventCount { r#type, count })
            .collect(),
        first_seen_at: Some(user.first_seen_at.into()),
        last_seen_at: Some(user.last_seen_at.into()),
    }
}

/// All stages in their order, also those that nobody reached.
pub(super) fn funnel(counts: &[StageCount]) -> Vec<FunnelStage> {
    let users = |stage| {
        let reached = counts.iter().filter(|count| count.stage == stage);
        reached.map(|count| count.users).sum()
    };
    Stage::ALL
        .into_iter()
        .map(|stage| FunnelStage {
            kind: stage.kind().into(),
            users: users(stage),
        })
        .collect()
}
