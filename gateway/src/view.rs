//! An order with what each service knows of it.
//!
//! Invariant: a service that is away costs its own part only. History is the
//! exception: without the order there is nothing to show.

use chassis::{
    error::{Error, Reason},
    grpc::Deadline,
};
use proto::{
    history::v1::{Order, OrderStatus},
    id::OrderId,
    notifier::v1::{Notification, OrderNotifications},
    orders::v1::OrderView,
    payments::v1::{Payment, PaymentStatus},
    time::UnixMicros,
};

use crate::{backend::Backend, place::RETRY_AFTER};

/// Names of the parts in `unavailable`.
pub(crate) const PAYMENTS: &str = "payments";
pub(crate) const NOTIFICATIONS: &str = "notifications";

/// What the services know of one order; absent is what none of them told yet.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Parts {
    pub(crate) order: Option<Order>,
    pub(crate) payment: Part<Option<Payment>>,
    pub(crate) notifications: Part<OrderNotifications>,
}

/// What one service last said.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) enum Part<T> {
    /// It was not asked yet, or did not answer.
    #[default]
    Unread,
    /// Its answer.
    Read(T),
}

impl<T> Part<T> {
    fn read(&self) -> Option<&T> {
        match self {
            Self::Unread => None,
            Self::Read(part) => Some(part),
        }
    }
}

impl Parts {
    /// Whether the payment came to its end, so that asking again tells nothing.
    pub(crate) fn is_payment_settled(&self) -> bool {
        let payment = self.payment.read().and_then(Option::as_ref);
        payment.is_some_and(|payment| {
            matches!(
                payment.status(),
                PaymentStatus::Captured | PaymentStatus::Declined
            )
        })
    }

    /// Whether every mail came to its end, so that asking again tells nothing.
    pub(crate) fn are_notifications_complete(&self) -> bool {
        self.notifications.read().is_some_and(|part| part.complete)
    }

    /// Whether nothing more will happen to the order.
    pub(crate) fn is_final(&self) -> bool {
        let settled = self.order.as_ref().is_some_and(|order| {
            matches!(order.status(), OrderStatus::Paid | OrderStatus::Declined)
        });
        settled && self.are_notifications_complete()
    }

    /// When the last of what is known happened to the order.
    pub(crate) fn last_event(&self) -> Option<UnixMicros> {
        let order = self.order.as_ref()?;
        let mails = self.notifications.read().into_iter();
        let sent = mails.flat_map(|part| part.notifications.iter().map(|mail| mail.sent_at));
        [order.placed_at, order.stored_at, order.settled_at]
            .into_iter()
            .chain(sent)
            .filter_map(|time| UnixMicros::try_from(time?).ok())
            .max()
    }

    /// The order as callers see it, once history knows it.
    pub(crate) fn view(&self) -> Option<OrderView> {
        let order = self.order.clone()?;
        let mut unavailable = Vec::new();
        if self.payment.read().is_none() {
            unavailable.push(PAYMENTS.to_owned());
        }
        if self.notifications.read().is_none() {
            unavailable.push(NOTIFICATIONS.to_owned());
        }
        let payment = self.payment.read().cloned().flatten();
        let notifications = self
            .notifications
            .read()
            .map(|part| part.notifications.iter().map(shown).collect())
            .unwrap_or_default();
        let r#final = self.is_final();
        Some(OrderView {
            order: Some(order),
            payment,
            notifications,
            r#final,
            unavailable,
        })
    }
}

/// Stands for a value that must not be seen.
const MASK: &str = "[redacted]";

/// A mail as callers see it. Whoever knows an order's id can look at its mails;
/// that is no reason to tell them an address.
pub(crate) fn shown(notification: &Notification) -> Notification {
    Notification {
        recipient: MASK.to_owned(),
        text_body: String::new(),
        html_body: String::new(),
        ..notification.clone()
    }
}

/// The order as all services know it now.
pub(crate) async fn read(
    backend: &dyn Backend,
    id: OrderId,
    deadline: Deadline,
) -> Result<OrderView, Error> {
    let ids = [id];
    // The parts get less time than the whole, so that one that hangs leaves
    // enough for an answer without it.
    let parts_deadline = deadline.at_most(deadline.remaining() * 3 / 4);
    // Without the order, nobody waits for its parts.
    let (order, payment, notifications) = tokio::try_join!(
        async {
            let order = backend.orders(&ids, deadline).await?.pop();
            order.ok_or_else(|| unknown_order(id))
        },
        async {
            let payments = backend.payments(&ids, parts_deadline).await;
            Ok(part(PAYMENTS, payments.map(|mut payments| payments.pop())))
        },
        async {
            let orders = backend.notifications(&ids, parts_deadline).await;
            let answer = orders.map(|mut orders| orders.pop().unwrap_or_default());
            Ok(part(NOTIFICATIONS, answer))
        },
    )?;
    let parts = Parts {
        order: Some(order),
        payment,
        notifications,
    };
    parts.view().ok_or_else(|| unknown_order(id))
}

fn part<T>(name: &'static str, answer: Result<T, Error>) -> Part<T> {
    match answer {
        Ok(part) => Part::Read(part),
        Err(error) => {
            tracing::debug!(
                part = name,
                cause = error.cause(),
                "a part could not be read"
            );
            Part::Unread
        }
    }
}

/// No service knows the order; it may be on its way.
pub(crate) fn unknown_order(id: OrderId) -> Error {
    Error::new(
        Reason::NotFound,
        "no order of this id is stored, or not yet",
    )
    .with("order_id", id.to_string())
    .retry_after(RETRY_AFTER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::pretend::{mail, stored};

    fn parts(status: OrderStatus, complete: bool) -> Parts {
        let id = OrderId::random();
        let mut order = stored(id);
        order.set_status(status);
        let notifications = OrderNotifications {
            order_id: id.to_string(),
            notifications: vec![mail(id, 0)],
            complete,
        };
        Parts {
            order: Some(order),
            payment: Part::Unread,
            notifications: Part::Read(notifications),
        }
    }

    #[test]
    fn an_order_is_final_when_its_payment_is_settled_and_all_its_mails_are_at_their_end() {
        for (status, complete, is_final) in [
            (OrderStatus::Accepted, false, false),
            (OrderStatus::Accepted, true, false),
            (OrderStatus::Paid, false, false),
            (OrderStatus::Paid, true, true),
            (OrderStatus::Declined, true, true),
        ] {
            let view = parts(status, complete).view().unwrap();
            assert_eq!(view.r#final, is_final, "{status:?} {complete}");
        }
    }

    #[test]
    fn nobody_knows_whether_an_order_is_final_while_notifier_is_away() {
        let parts = Parts {
            notifications: Part::Unread,
            ..parts(OrderStatus::Paid, true)
        };
        let view = parts.view().unwrap();
        assert!(!view.r#final);
        assert_eq!(view.unavailable, [PAYMENTS, NOTIFICATIONS]);
    }
}
