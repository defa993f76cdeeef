//! What is known of the watched orders, and who watches them.
//!
//! Invariant: an order stands on the board exactly while somebody watches it,
//! and each watcher has been shown the newest view or is gone. No I/O happens
//! here: the hub asks for a [`Look`], reads, and hands the [`Answers`] back.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use chassis::error::Error;
use proto::{
    history::v1::Order, id::OrderId, notifier::v1::OrderNotifications, orders::v1::OrderView,
    payments::v1::Payment, time::UnixMicros,
};

use super::{
    pace::Pace,
    watcher::{Ending, Watcher},
};
use crate::view::{Part, Parts};

/// The watched orders.
#[derive(Debug)]
pub(super) struct Board {
    pace: Pace,
    orders: HashMap<OrderId, Watched>,
    patience: Duration,
    is_closed: bool,
}

#[derive(Debug, Default)]
struct Watched {
    parts: Parts,
    view: Option<Arc<OrderView>>,
    /// Counts the views; 0 while there is none.
    version: u64,
    watchers: Vec<Watcher>,
}

/// What to ask the services. Payments that are settled and mails that are all
/// at their end stay as they are and are not asked for again.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Look {
    pub(super) orders: Vec<OrderId>,
    pub(super) payments: Vec<OrderId>,
    pub(super) notifications: Vec<OrderId>,
}

/// What the services answered to a [`Look`].
#[derive(Debug)]
pub(super) struct Answers {
    pub(super) orders: Result<Vec<Order>, Error>,
    pub(super) payments: Result<Vec<Payment>, Error>,
    pub(super) notifications: Result<Vec<OrderNotifications>, Error>,
}

impl Board {
    /// Nobody watches. Unknown orders are watched for as long as `patience`.
    pub(super) fn new(patience: Duration) -> Self {
        Self {
            pace: Pace::default(),
            orders: HashMap::new(),
            patience,
            is_closed: false,
        }
    }

    /// Adds a watcher.
    pub(super) fn add(&mut self, id: OrderId, watcher: Watcher, now: Instant) {
        if self.is_closed {
            return watcher.end(Ending::Closing);
        }
        self.orders.entry(id).or_default().watchers.push(watcher);
        self.pace.quicken(id, now);
    }

    /// When the next order is due for a look.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.pace.next_due()
    }

    /// At most so many of the orders that are due, or `None` when none is.
    pub(super) fn look(&mut self, now: Instant, most: usize) -> Option<Look> {
        loop {
            let due = self.pace.take_due(now, most);
            if due.is_empty() {
                return None;
            }
            let mut look = Look::default();
            for id in due {
                self.look_at(id, &mut look);
            }
            if !look.orders.is_empty() {
                return Some(look);
            }
        }
    }

    fn look_at(&mut self, id: OrderId, look: &mut Look) {
        let Some(watched) = self.orders.get_mut(&id) else {
            return;
        };
        watched.watchers.retain(Watcher::is_there);
        if watched.watchers.is_empty() {
            self.forget(id);
            return;
        }
        look.orders.push(id);
        if !watched.parts.is_payment_settled() {
            look.payments.push(id);
        }
        if !watched.parts.are_notifications_complete() {
            look.notifications.push(id);
        }
    }

    /// Takes in what a look brought, and shows it to whom it concerns. `now` and
    /// `clock` are the same moment.
    pub(super) fn learn(&mut self, look: &Look, answers: Answers, now: Instant, clock: UnixMicros) {
        let is_history_away = answers.orders.is_err();
        let orders = by_id(answers.orders, |order| &order.order_id);
        for (id, order) in found(&look.orders, orders) {
            // What history does not tell this time stays what it was: an order
            // does not vanish.
            if let (Some(watched), Some(order)) = (self.orders.get_mut(&id), order) {
                watched.parts.order = Some(order);
            }
        }
        let payments = by_id(answers.payments, |payment| &payment.order_id);
        for (id, payment) in found(&look.payments, payments) {
            if let Some(watched) = self.orders.get_mut(&id) {
                watched.parts.payment = Part::Read(payment);
            }
        }
        let notifications = by_id(answers.notifications, |order| &order.order_id);
        for (id, part) in found(&look.notifications, notifications) {
            if let Some(watched) = self.orders.get_mut(&id) {
                watched.parts.notifications = Part::Read(part.unwrap_or_default());
            }
        }
        let unknown = if is_history_away {
            Ending::Away
        } else {
            Ending::Unknown
        };
        for id in &look.orders {
            self.show(*id, unknown, now, clock);
        }
    }

    /// Shows an order's newest view, and ends the watches that are over.
    fn show(&mut self, id: OrderId, unknown: Ending, now: Instant, clock: UnixMicros) {
        let Some(watched) = self.orders.get_mut(&id) else {
            return;
        };
        let shown = watched.version;
        watched.renew_view();
        if watched.version != shown {
            // What is seen for the first time may have been so for long.
            let ago = match watched.parts.last_event() {
                Some(event) if shown == 0 => clock.duration_since(event),
                _ => Duration::ZERO,
            };
            self.pace.changed(id, ago, now);
        }
        let version = watched.version;
        if let Some(view) = &watched.view {
            watched
                .watchers
                .retain_mut(|watcher| watcher.seen == version || watcher.show(version, view));
            if view.r#final {
                for watcher in watched.watchers.drain(..) {
                    watcher.end(Ending::Final);
                }
            }
        } else {
            let patience = self.patience;
            let given_up = watched.watchers.extract_if(.., |watcher| {
                now.saturating_duration_since(watcher.since) >= patience
            });
            for watcher in given_up {
                watcher.end(unknown);
            }
        }
        if watched.watchers.is_empty() {
            self.forget(id);
        }
    }

    /// Ends every watch, and any that would begin later.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
        for (id, watched) in self.orders.drain() {
            self.pace.forget(id);
            for watcher in watched.watchers {
                watcher.end(Ending::Closing);
            }
        }
    }

    fn forget(&mut self, id: OrderId) {
        self.orders.remove(&id);
        self.pace.forget(id);
    }
}

impl Watched {
    fn renew_view(&mut self) {
        let view = self.parts.view();
        if view.is_some() && view.as_ref() != self.view.as_deref() {
            self.view = view.map(Arc::new);
            self.version += 1;
        }
    }
}

/// An answer by order id; `None` when there was none.
fn by_id<T>(answer: Result<Vec<T>, Error>, id: impl Fn(&T) -> &str) -> Option<HashMap<OrderId, T>> {
    // A service that is away was told of where its call failed.
    let rows = answer.ok()?;
    Some(
        rows.into_iter()
            .filter_map(|row| Some((id(&row).parse().ok()?, row)))
            .collect(),
    )
}

/// What an answer says of each id that was asked for; nothing when there was no
/// answer.
fn found<T>(
    asked: &[OrderId],
    answer: Option<HashMap<OrderId, T>>,
) -> impl Iterator<Item = (OrderId, Option<T>)> {
    answer
        .into_iter()
        .flat_map(|mut rows| asked.iter().map(move |id| (*id, rows.remove(id))))
}

#[cfg(test)]
mod tests;
