//! What the store's and the outbox's tests share.

use std::sync::Arc;

use chassis::db::{Database, DatabaseUrl, PoolSize};
use notifier::{
    compose::{Composer, MailPer},
    fact::{Fact, Half, Outcome, Settled},
    store::{self, Store},
};
use proto::{
    event::{ContentHash, PlacedLine, PlacedOrder},
    id::{OrderId, ProductId, UserId},
    money::{Currency, Money},
    time::UnixMicros,
};

/// The store of a fresh database.
pub(crate) async fn open(url: &str) -> anyhow::Result<Arc<dyn Store>> {
    let url: DatabaseUrl = url.parse()?;
    let database = Database::open(&url, PoolSize(8), store::migrations()).await?;
    let composer = Composer::new(MailPer::Line, "mail.example".to_owned())?;
    Ok(store::store_of(database, Arc::new(composer)))
}

/// An order of as many lines, by a user.
pub(crate) fn order(user: i64, lines: usize) -> anyhow::Result<PlacedOrder> {
    let line = PlacedLine {
        product_id: ProductId::try_from(1)?,
        name: "Keyboard".to_owned(),
        unit_price: 999,
        quantity: 1,
    };
    Ok(PlacedOrder {
        order_id: OrderId::random(),
        user_id: UserId::try_from(user)?,
        total: Money::new(999 * i64::try_from(lines)?, Currency::USD),
        lines: vec![line; lines],
        email: "jane@example.com".parse()?,
        payment_token: None,
        placed_at: UnixMicros::now(),
        content_hash: ContentHash([7; 32]),
    })
}

/// The order's half.
pub(crate) fn placed(order: &PlacedOrder) -> Fact {
    Fact {
        half: Half::Placed(Box::new(order.clone())),
        traceparent: Some("placed".to_owned()),
    }
}

/// The payment's half; 0 is captured.
pub(crate) fn settled(order: &PlacedOrder, outcome: i32) -> Fact {
    let settled = Settled {
        order_id: order.order_id,
        user_id: order.user_id,
        outcome: Outcome::from_number(outcome),
    };
    Fact {
        half: Half::Settled(settled),
        traceparent: Some("settled".to_owned()),
    }
}
