//! Where an order's records are.
//!
//! Kafka finds records by time only. When the order was placed, paid and written about is
//! known from the services; without them an id of version 7 still tells when it was
//! placed.

use chassis::kafka::lookup::Wanted;
use proto::{
    event::{NOTIFICATIONS, ORDERS, PAYMENTS},
    id::OrderId,
    orders::v1::OrderView,
    time::UnixMicros,
};

use crate::view;

/// How much earlier than its event a record may be stamped: records carry their event's
/// time, and a time is looked for by the millisecond.
const BEFORE: i64 = 1_000;
/// How long after an event its record may come once more, as after a crash.
const AFTER: i64 = 2_000;
/// How long after an order was placed the rest of its records are looked for when no
/// service tells of them.
const BLIND: i64 = 60_000;

/// What to look for, of an order as the services know it.
pub(crate) fn of_view(id: OrderId, view: &OrderView) -> Vec<Wanted> {
    let millis = |time: Option<prost_types::Timestamp>| {
        let time = UnixMicros::try_from(time?).ok()?;
        Some(time.as_micros() / 1_000)
    };
    let wanted = |topic, first: i64, last: i64, expected| Wanted {
        topic,
        key: id.to_string(),
        since_ms: first - BEFORE,
        until_ms: last + AFTER,
        expected,
    };
    let order = view.order.as_ref();
    let placed = order.and_then(|order| millis(order.placed_at));
    let of_payment = view.payment.as_ref().and_then(|it| millis(it.settled_at));
    // History hears of it later than payments; the event has the same time.
    let settled = of_payment.or_else(|| order.and_then(|order| millis(order.settled_at)));
    let sent: Vec<i64> = view
        .notifications
        .iter()
        .filter_map(|mail| millis(mail.sent_at))
        .collect();
    let is_away = view
        .unavailable
        .iter()
        .any(|part| part == view::NOTIFICATIONS);
    let mails = match (sent.iter().min(), sent.iter().max()) {
        (Some(first), Some(last)) => Some((*first, *last, sent.len())),
        // That there is one is likely, and all that can be said.
        _ if is_away => settled.map(|settled| (settled, settled + BLIND, 1)),
        _ => None,
    };
    let placed = placed.map(|at| wanted(ORDERS, at, at, 1));
    let settled = settled.map(|at| wanted(PAYMENTS, at, at, 1));
    let mails = mails.map(|(first, last, count)| wanted(NOTIFICATIONS, first, last, count));
    placed.into_iter().chain(settled).chain(mails).collect()
}

/// What to look for, of an order that history does not tell of; nothing where its id
/// does not tell when it was placed.
pub(crate) fn of_id(id: OrderId) -> Vec<Wanted> {
    let Some(placed) = id.as_uuid().get_timestamp() else {
        return Vec::new();
    };
    let (seconds, nanos) = placed.to_unix();
    let millis = i64::try_from(seconds).unwrap_or_default() * 1_000 + i64::from(nanos / 1_000_000);
    let wanted = |topic, until_ms, expected| Wanted {
        topic,
        key: id.to_string(),
        since_ms: millis - BEFORE,
        until_ms,
        expected,
    };
    vec![
        wanted(ORDERS, millis + AFTER, 1),
        wanted(PAYMENTS, millis + BLIND, 0),
        wanted(NOTIFICATIONS, millis + BLIND, 0),
    ]
}

#[cfg(test)]
mod tests {
    use proto::history::v1::OrderStatus;

    use super::*;
    use crate::backend::pretend::{at, mail, payment, stored};

    fn view(id: OrderId) -> OrderView {
        OrderView {
            order: Some(stored(id)),
            ..OrderView::default()
        }
    }

    fn told(wanted: &[Wanted]) -> Vec<(&str, i64, usize)> {
        let seconds = |it: &Wanted| (it.since_ms - 1_769_860_800_000) / 1_000;
        wanted
            .iter()
            .map(|it| (it.topic, seconds(it), it.expected))
            .collect()
    }

    #[test]
    fn an_order_is_looked_for_as_far_as_it_came() {
        let id = OrderId::random();
        let mut view = view(id);
        assert_eq!(told(&of_view(id, &view)), [("orders.v1", 0, 1)]);
        view.payment = Some(payment(id, OrderStatus::Paid));
        view.notifications = vec![mail(id, 0), mail(id, 1)];
        view.notifications[1].sent_at = Some(at(7));
        let wanted = of_view(id, &view);
        assert_eq!(
            told(&wanted),
            [
                ("orders.v1", 0, 1),
                ("payments.v1", 2, 1),
                ("notifications.v1", 3, 2)
            ]
        );
        assert_eq!(wanted[2].until_ms, 1_769_860_800_000 + 9_000);
        assert!(wanted.iter().all(|wanted| wanted.key == id.to_string()));
    }

    #[test]
    fn while_notifier_is_away_one_mail_is_expected() {
        let id = OrderId::random();
        let mut view = view(id);
        view.payment = Some(payment(id, OrderStatus::Paid));
        view.unavailable = vec![view::NOTIFICATIONS.to_owned()];
        assert_eq!(told(&of_view(id, &view))[2], ("notifications.v1", 2, 1));
    }

    #[test]
    fn an_id_tells_when_its_order_was_placed_unless_it_is_of_a_key() {
        let id = OrderId::random();
        let now = UnixMicros::now().as_micros() / 1_000;
        let wanted = of_id(id);
        assert_eq!(wanted.len(), 3);
        assert!((now - 60_000..=now).contains(&wanted[0].since_ms));
        assert!(of_id(OrderId::from_idempotency_key("42", "k")).is_empty());
    }
}
