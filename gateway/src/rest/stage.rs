//! The stages of an order, as server-sent events.
//!
//! Invariant: an event's id names every stage sent so far. Whoever comes back
//! with the last id it saw (`Last-Event-ID`) is sent the stages that it does
//! not name and no others, by any gateway: nothing has to be remembered here.

use std::collections::BTreeSet;

use proto::{
    events::v1::NotificationKind,
    history::v1::OrderStatus,
    notifier::v1::{Notification as Mail, NotificationStatus},
    orders::v1::OrderView as View,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::types::{Notification, Order, OrderView, Payment, Time};

/// Longest `Last-Event-ID` that is looked at: an order of 100 lines gives less
/// than 2 KiB.
const MAX_ID_BYTES: usize = 4 * 1024;

/// The last stage.
const FINAL: &str = "final";

/// The stages that a caller has seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Seen(BTreeSet<String>);

impl Seen {
    /// What a `Last-Event-ID` names. What cannot be a stage's name is dropped.
    pub(crate) fn of_last_event_id(id: &str) -> Self {
        if id.len() > MAX_ID_BYTES {
            return Self::default();
        }
        let is_name = |name: &&str| {
            !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        Self(id.split(',').filter(is_name).map(str::to_owned).collect())
    }

    /// Whether the order's last stage was seen.
    pub(crate) fn is_final(&self) -> bool {
        self.0.contains(FINAL)
    }

    /// As an event's id.
    fn id(&self) -> String {
        self.0
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(",")
    }

    /// The stages of an order that were not seen yet, each with the id to send
    /// it under; from then on they count as seen.
    pub(crate) fn news(&mut self, view: &View) -> Result<Vec<Event>, chassis::error::Error> {
        let mut events = Vec::new();
        for stage in stages(view) {
            let name = stage.name();
            if !self.0.contains(&name) {
                let data = stage.data(view)?;
                self.0.insert(name);
                events.push(Event {
                    id: self.id(),
                    kind: stage.kind(),
                    data,
                });
            }
        }
        Ok(events)
    }
}

/// One event to be sent.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) kind: &'static str,
    pub(crate) data: StageReached,
}

/// A stage that an order has reached. The event's type (`event:`) is the stage,
/// its id (`id:`) names every stage sent so far.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StageReached {
    /// `accepted`, `stored`, `paid`, `declined`, `mail` or `final`.
    #[schema(example = "paid")]
    stage: &'static str,
    /// The order.
    order_id: String,
    /// When the order reached it; absent with `final`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    at: Option<Time>,
    /// The order as it was stored; with `stored`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    order: Option<Order>,
    /// The payment; with `paid` and `declined`, unless payments is away.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    payment: Option<Payment>,
    /// The mail, which was sent or failed for good; with `mail`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    notification: Option<Notification>,
    /// The whole order; with `final`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    view: Option<OrderView>,
}

#[derive(Debug, Clone, Copy)]
enum Stage<'v> {
    Accepted,
    Stored,
    Paid,
    Declined,
    Mail(&'v Mail),
    Final,
}

/// Every stage that an order has reached, in the order in which they come.
fn stages(view: &View) -> impl Iterator<Item = Stage<'_>> {
    let order = view.order.as_ref();
    let settled = order.and_then(|order| match order.status() {
        OrderStatus::Paid => Some(Stage::Paid),
        OrderStatus::Declined => Some(Stage::Declined),
        OrderStatus::Accepted | OrderStatus::Unspecified => None,
    });
    let ended = |mail: &&Mail| {
        matches!(
            mail.status(),
            NotificationStatus::Sent | NotificationStatus::Failed
        )
    };
    order
        .into_iter()
        .flat_map(|_| [Stage::Accepted, Stage::Stored])
        .chain(settled)
        .chain(view.notifications.iter().filter(ended).map(Stage::Mail))
        .chain(view.r#final.then_some(Stage::Final))
}

impl Stage<'_> {
    /// The event's type.
    const fn kind(&self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Stored => "stored",
            Self::Paid => "paid",
            Self::Declined => "declined",
            Self::Mail(_) => "mail",
            Self::Final => FINAL,
        }
    }

    /// What names the stage among all of one order's.
    fn name(&self) -> String {
        let Self::Mail(mail) = self else {
            return self.kind().to_owned();
        };
        let kind = match mail.kind() {
            NotificationKind::OrderConfirmation => "confirmation",
            NotificationKind::PaymentDeclined => "notice",
            NotificationKind::Unspecified => "mail",
        };
        match mail.line {
            Some(line) => format!("{kind}-{line}"),
            None => kind.to_owned(),
        }
    }

    fn data(&self, view: &View) -> Result<StageReached, chassis::error::Error> {
        let order = view.order.as_ref();
        let mut data = StageReached {
            stage: self.kind(),
            order_id: order
                .map(|order| order.order_id.clone())
                .unwrap_or_default(),
            at: None,
            order: None,
            payment: None,
            notification: None,
            view: None,
        };
        match self {
            Self::Accepted => data.at = order.and_then(|order| Time::maybe(order.placed_at)),
            Self::Stored => {
                data.at = order.and_then(|order| Time::maybe(order.stored_at));
                data.order = order.cloned().map(TryInto::try_into).transpose()?;
            }
            Self::Paid | Self::Declined => {
                data.at = order.and_then(|order| Time::maybe(order.settled_at));
                data.payment = view.payment.clone().map(TryInto::try_into).transpose()?;
            }
            Self::Mail(mail) => {
                data.at = Time::maybe(mail.sent_at);
                data.notification = Some((*mail).clone().try_into()?);
            }
            Self::Final => data.view = Some(view.clone().try_into()?),
        }
        Ok(data)
    }
}

#[cfg(test)]
mod tests {
    use proto::id::OrderId;

    use super::*;
    use crate::{
        backend::pretend::{mail, payment, stored},
        view::{Part, Parts},
    };

    fn view(status: OrderStatus, lines: &[u16], complete: bool) -> View {
        let id = OrderId::from_uuid(uuid::Uuid::nil());
        let mut order = stored(id);
        order.set_status(status);
        let notifications = proto::notifier::v1::OrderNotifications {
            order_id: id.to_string(),
            notifications: lines.iter().map(|line| mail(id, *line)).collect(),
            complete,
        };
        let parts = Parts {
            order: Some(order),
            payment: Part::Read(Some(payment(id, status))),
            notifications: Part::Read(notifications),
        };
        parts.view().unwrap()
    }

    fn kinds(events: &[Event]) -> Vec<&str> {
        events.iter().map(|event| event.kind).collect()
    }

    #[test]
    fn each_stage_is_told_once_as_it_comes() {
        let mut seen = Seen::default();
        let first = seen.news(&view(OrderStatus::Accepted, &[], false)).unwrap();
        assert_eq!(kinds(&first), ["accepted", "stored"]);
        let paid = seen.news(&view(OrderStatus::Paid, &[1], false)).unwrap();
        assert_eq!(kinds(&paid), ["paid", "mail"]);
        let last = seen.news(&view(OrderStatus::Paid, &[1, 0], true)).unwrap();
        assert_eq!(kinds(&last), ["mail", "final"]);
        assert!(seen.is_final());
    }

    #[test]
    fn whoever_comes_back_is_told_exactly_what_is_missing() {
        let whole = view(OrderStatus::Paid, &[0, 1], true);
        let all = Seen::default().news(&whole).unwrap();
        for (index, event) in all.iter().enumerate() {
            let mut back = Seen::of_last_event_id(&event.id);
            let missing = back.news(&whole).unwrap();
            assert_eq!(
                kinds(&missing),
                kinds(&all[index + 1..]),
                "after {}",
                event.id
            );
        }
    }

    #[test]
    fn a_mail_that_came_before_another_is_not_told_again() {
        let mut seen = Seen::default();
        let events = seen.news(&view(OrderStatus::Paid, &[1], false)).unwrap();
        let last = &events.last().unwrap().id;
        let mut back = Seen::of_last_event_id(last);
        let missing = back.news(&view(OrderStatus::Paid, &[0, 1], false)).unwrap();
        let lines: Vec<_> = missing.iter().map(|event| &event.id).collect();
        assert_eq!(lines.len(), 1);
        assert!(lines[0].contains("confirmation-0") && lines[0].contains("confirmation-1"));
    }

    #[test]
    fn an_id_that_is_none_of_ours_is_as_good_as_none() {
        for id in ["", ",,,", "a b", "é", &"x,".repeat(10_000)] {
            assert_eq!(Seen::of_last_event_id(id), Seen::default(), "{id}");
        }
    }

    #[test]
    fn the_largest_order_fits_into_an_id_that_is_looked_at() {
        let lines: Vec<u16> = (0..100).collect();
        let mut seen = Seen::default();
        let events = seen.news(&view(OrderStatus::Paid, &lines, true)).unwrap();
        let last = &events.last().unwrap().id;
        assert!(last.len() < 2 * 1024, "{}", last.len());
        assert_eq!(Seen::of_last_event_id(last), seen);
    }
}
