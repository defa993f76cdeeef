//! Orders to store, and a store to put them into.

use std::sync::Arc;

use chassis::db::{Database, DatabaseUrl, PoolSize};
use history::{
    fact::{Fact, NewOrder, NewOutcome, Outcome},
    store::{self, Store, StoredOrder, Verdict},
};
use proto::{
    event::{ContentHash, PlacedLine},
    events::v1::DeclineCode,
    id::{OrderId, ProductId, UserId},
    money::{Currency, Money},
    time::UnixMicros,
};

/// When the tests' facts are stored, unless it matters.
pub(crate) const STORED_AT: UnixMicros = UnixMicros::from_micros(1_700_000_000_000_000);

pub(crate) async fn open(url: &str) -> anyhow::Result<Arc<dyn Store>> {
    let url: DatabaseUrl = url.parse()?;
    let database = Database::open(&url, PoolSize::default(), store::migrations()).await?;
    Ok(store::on(database))
}

pub(crate) fn user(number: i64) -> UserId {
    UserId::try_from(number).expect("a user's number")
}

/// An order of user 42 with a line of 9.99 USD.
pub(crate) fn order() -> NewOrder {
    NewOrder {
        order_id: OrderId::random(),
        user_id: user(42),
        lines: vec![PlacedLine {
            product_id: ProductId::try_from(1).expect("a product's number"),
            name: "Keyboard".to_owned(),
            unit_price: 999,
            quantity: 1,
        }],
        total: Money::new(999, Currency::USD),
        placed_at: UnixMicros::from_micros(1_600_000_000_000_001),
        content_hash: ContentHash([7; 32]),
        trace_id: "0af7651916cd43dd8448eb211c80319c".parse().ok(),
    }
}

/// Another order under the same id.
pub(crate) fn rival(order: &NewOrder) -> NewOrder {
    NewOrder {
        user_id: user(43),
        total: Money::new(1, Currency::USD),
        lines: Vec::new(),
        content_hash: ContentHash([8; 32]),
        ..order.clone()
    }
}

pub(crate) fn placed(order: &NewOrder) -> Fact {
    Fact::Placed(order.clone())
}

pub(crate) const PAID: Outcome = Outcome {
    decline_code: None,
    settled_at: UnixMicros::from_micros(1_600_000_000_500_000),
};

pub(crate) const DECLINED: Outcome = Outcome {
    decline_code: Some(DeclineCode::ExpiredCard as i32),
    settled_at: UnixMicros::from_micros(1_600_000_000_600_000),
};

pub(crate) fn settled(order: &NewOrder, outcome: Outcome) -> Fact {
    Fact::Settled(NewOutcome {
        order_id: order.order_id,
        outcome,
    })
}

/// What readers must see once an order and, perhaps, its outcome are stored.
pub(crate) fn expected(order: &NewOrder, outcome: Option<Outcome>) -> StoredOrder {
    StoredOrder {
        order_id: order.order_id,
        user_id: order.user_id.get(),
        lines: order.lines.iter().map(Into::into).collect(),
        currency_code: order.total.currency.code().to_owned(),
        total: order.total.minor,
        placed_at: order.placed_at,
        stored_at: STORED_AT,
        content_hash: order.content_hash,
        trace_id: order.trace_id,
        outcome,
    }
}

/// Applies facts of which none may conflict.
pub(crate) async fn store(store: &Arc<dyn Store>, facts: Vec<Fact>) -> anyhow::Result<()> {
    let verdicts = store.apply(facts, STORED_AT).await?;
    anyhow::ensure!(
        verdicts.iter().all(|verdict| *verdict == Verdict::Stands),
        "{verdicts:?}"
    );
    Ok(())
}

/// The one order of an id, if it is stored.
pub(crate) async fn read(
    store: &Arc<dyn Store>,
    order: &NewOrder,
) -> anyhow::Result<Option<StoredOrder>> {
    let mut found = store.orders(&[order.order_id]).await?;
    anyhow::ensure!(found.len() <= 1, "{} orders of one id", found.len());
    Ok(found.pop())
}
