//! Analytics' own store on SQLite, with events that are at hand: counted in full
//! transactions, one after the other.

use std::{sync::Arc, time::Instant};

use analytics::{
    batch::{Batch, Shard},
    fact::Fact,
    retention::Retention,
    store,
};
use chassis::db::{Database, PoolSize};
use proto::{
    event::{ORDERS, PaymentResult, PlacedOrder, SentNotification, SettledPayment},
    events::v1::NotificationKind,
    id::{NotificationId, PaymentId},
    time::UnixMicros,
};
use uuid::Uuid;

use crate::{lab::Lab, orders, series::float};

/// Events a second: so many orders, their payments and their mails.
pub(crate) async fn rate(lab: &Lab, orders: i64) -> anyhow::Result<f64> {
    let file = format!("count-{}.db", Uuid::now_v7());
    let url = format!("sqlite://{}", lab.scratch.path().join(file).display());
    let size = PoolSize(1);
    let database = Database::open(&url.parse()?, size, store::migrations()).await?;
    let store = store::on(database, size);
    let facts = facts(orders)?;
    let full = store.full_weight() / facts.first().map_or(1, |fact| fact.weight());
    let mut new = 0;
    let begin = Instant::now();
    for facts in facts.chunks(full) {
        let now = UnixMicros::now();
        let days = Retention::default().funnel_days(now);
        let batch = Batch::new(facts.to_vec(), Shard::of(ORDERS, 0), now, days);
        new += store.count(batch).await?.len();
    }
    let seconds = begin.elapsed().as_secs_f64();
    anyhow::ensure!(new == facts.len(), "{new} of {}", facts.len());
    Ok(float(i64::try_from(new)?) / seconds)
}

fn facts(orders: i64) -> anyhow::Result<Vec<Arc<Fact>>> {
    let mut facts = Vec::new();
    for number in 1..=orders {
        let order = orders::order(number)?;
        let (payment, mail) = (payment(&order), mail(&order));
        facts.extend([order.into(), payment.into(), mail.into()].map(Arc::new));
    }
    Ok(facts)
}

fn payment(order: &PlacedOrder) -> SettledPayment {
    SettledPayment {
        payment_id: PaymentId::of(order.order_id),
        order_id: order.order_id,
        user_id: order.user_id,
        amount: order.total,
        result: PaymentResult::Captured,
        settled_at: order.placed_at,
        order_placed_at: order.placed_at,
    }
}

fn mail(order: &PlacedOrder) -> SentNotification {
    let kind = NotificationKind::OrderConfirmation;
    SentNotification {
        notification_id: NotificationId::of(order.order_id, kind, Some(0)),
        order_id: order.order_id,
        user_id: order.user_id,
        kind,
        line: Some(0),
        sent: true,
        sent_at: order.placed_at,
    }
}
