//! Events as the gateway and the other services would send them.

use std::time::Duration;

use analytics::fact::{Fact, Placed};
use proto::{
    event::{PaymentResult, PlacedLine, SentNotification, SettledPayment, TrackedEvent},
    events::v1::{DeclineCode, NotificationKind, UserEventType},
    id::{NotificationId, OrderId, PaymentId, ProductId, UserEventId, UserId},
    money::{Currency, Money},
    time::UnixMicros,
};
use rand::{Rng, rngs::StdRng, seq::IndexedRandom as _};
use uuid::Uuid;

use crate::world::{NOW, days_ago};

/// An order of these products: id, unit price, quantity.
pub(crate) fn order(user: i64, products: &[(i64, i64, i32)]) -> Placed {
    let lines: Vec<_> = products
        .iter()
        .map(|(id, unit_price, quantity)| PlacedLine {
            product_id: ProductId::try_from(*id).unwrap(),
            name: format!("Product {id}"),
            unit_price: *unit_price,
            quantity: *quantity,
        })
        .collect();
    let total = lines.iter().map(PlacedLine::amount).sum();
    Placed {
        order_id: OrderId::random(),
        user_id: UserId::try_from(user).unwrap(),
        lines,
        total: Money::new(total, Currency::USD),
        placed_at: NOW,
    }
}

pub(crate) fn payment(order: &Placed, captured: bool) -> Fact {
    Fact::Settled(SettledPayment {
        payment_id: PaymentId::of(order.order_id),
        order_id: order.order_id,
        user_id: order.user_id,
        amount: order.total,
        result: if captured {
            PaymentResult::Captured
        } else {
            PaymentResult::Declined(DeclineCode::InsufficientFunds)
        },
        settled_at: order.placed_at.saturating_add(Duration::from_secs(3)),
        order_placed_at: order.placed_at,
    })
}

pub(crate) fn tracked(user: i64, kind: UserEventType, occurred_at: UnixMicros) -> Fact {
    Fact::Tracked(TrackedEvent {
        event_id: UserEventId::random(),
        user_id: UserId::try_from(user).unwrap(),
        kind,
        product_id: ProductId::try_from(1).ok(),
        occurred_at,
    })
}

/// A few hundred events of everything that can happen, in no particular order,
/// each once. Some orders have no payment, some payments no order.
pub(crate) fn anything(random: &mut StdRng) -> Vec<Fact> {
    let mut facts = Vec::new();
    for _ in 0..random.random_range(100..200) {
        let order = any_order(random);
        if random.random_bool(0.9) {
            facts.push(payment(&order, random.random_bool(0.75)));
        }
        for line in 0..random.random_range(0..3_u16) {
            let kind = NotificationKind::OrderConfirmation;
            facts.push(Fact::Notified(SentNotification {
                notification_id: NotificationId::of(order.order_id, kind, Some(line)),
                order_id: order.order_id,
                user_id: order.user_id,
                kind,
                line: Some(line),
                sent: random.random_bool(0.9),
                sent_at: order.placed_at,
            }));
        }
        if random.random_bool(0.95) {
            facts.push(Fact::Placed(order));
        }
    }
    for _ in 0..random.random_range(100..200) {
        let kind = [
            UserEventType::ProductViewed,
            UserEventType::AddedToCart,
            UserEventType::RemovedFromCart,
            UserEventType::CheckoutStarted,
        ];
        let kind = *kind.choose(random).unwrap();
        facts.push(tracked(random.random_range(1..40), kind, any_time(random)));
    }
    facts
}

fn any_order(random: &mut StdRng) -> Placed {
    // Some orders have more products than are paired.
    let lines = if random.random_bool(0.05) {
        random.random_range(18..=60)
    } else {
        random.random_range(1..=4)
    };
    let products: Vec<_> = (0..lines)
        .map(|_| {
            let product = random.random_range(1..=40);
            // Some are free.
            let price = random.random_range(-200..2_000).max(0);
            (product, price, random.random_range(1..=5))
        })
        .collect();
    let mut order = order(random.random_range(1..30), &products);
    order.order_id = OrderId::from_uuid(Uuid::from_u128(random.random()));
    order.placed_at = any_time(random);
    let currency = ["USD", "EUR", "JPY"].choose(random).unwrap();
    order.total.currency = currency.parse().unwrap();
    for line in &mut order.lines {
        if random.random_bool(0.2) {
            line.name = format!("Renamed {}", random.random_range(0..9));
        }
    }
    order
}

/// Within three days, sometimes at the very same time as another, sometimes
/// longer ago than the funnel is kept.
fn any_time(random: &mut StdRng) -> UnixMicros {
    match random.random_range(0..20) {
        0 => days_ago(100),
        1 => NOW,
        _ => NOW.saturating_sub(Duration::from_micros(
            random.random_range(0..250_000_000_000),
        )),
    }
}
