//! What a batch of facts adds to every table.
//!
//! Invariant: adding is commutative and associative. Counts and sums add up,
//! times and names are a minimum or maximum, users of a stage are a set, halves
//! of an order find each other whichever is first. So the figures after any
//! number of batches depend only on which facts were counted, not on their order
//! or on how they were batched; counting each fact once is the inbox's part.
//!
//! Pure: facts go in, and rows come out in key order, which is the order in which
//! every transaction must write them.

mod halves;
mod rows;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    ops::RangeInclusive,
};

use proto::{
    event::{PaymentResult, SentNotification, SettledPayment, TrackedEvent},
    id::UserId,
    time::UnixMicros,
};

pub use halves::{Halves, Lines};
pub use rows::{Name, Product, Rate, Totals, UserAction, UserOrders};
use rows::{add_money, widen};

use crate::{
    calendar::{Day, Width},
    fact::{Fact, PAIRED_PRODUCTS, Placed},
    stage::Stage,
};

/// Under which totals of events without money are kept.
pub const NO_CURRENCY: &str = "";

/// What a batch adds, by table and key.
#[derive(Debug)]
pub struct Tally {
    funnel_days: RangeInclusive<Day>,
    /// Orders that still lack their other half.
    pub halves: Halves,
    /// Users by day and stage; only days that the funnel is kept for.
    pub stages: BTreeSet<(Day, Stage, i64)>,
    /// Totals by currency.
    pub totals: BTreeMap<&'static str, Totals>,
    /// The order rate by width and start.
    pub rates: BTreeMap<(Width, UnixMicros), Rate>,
    /// Products by id.
    pub products: BTreeMap<i64, Product>,
    /// Paid for products, by currency and id.
    pub revenue: BTreeMap<(String, i64), i64>,
    /// Orders with both products, the smaller id first.
    pub pairs: BTreeMap<(i64, i64), i64>,
    /// Users' orders by id and currency.
    pub users: BTreeMap<(i64, &'static str), UserOrders>,
    /// What users did, by id and [`UserEventType`](proto::events::v1::UserEventType).
    pub actions: BTreeMap<(i64, i16), UserAction>,
}

impl Tally {
    /// What some facts add. Users count in the funnel on these days only.
    pub fn of<'f>(
        facts: impl IntoIterator<Item = &'f Fact>,
        funnel_days: &RangeInclusive<Day>,
    ) -> Self {
        let mut tally = Self {
            funnel_days: funnel_days.clone(),
            halves: Halves::default(),
            stages: BTreeSet::new(),
            totals: BTreeMap::new(),
            rates: BTreeMap::new(),
            products: BTreeMap::new(),
            revenue: BTreeMap::new(),
            pairs: BTreeMap::new(),
            users: BTreeMap::new(),
            actions: BTreeMap::new(),
        };
        for fact in facts {
            match fact {
                Fact::Placed(order) => tally.place(order),
                Fact::Settled(payment) => tally.settle(payment),
                Fact::Notified(mail) => tally.notify(mail),
                Fact::Tracked(event) => tally.track(event),
            }
        }
        tally
    }

    /// Both halves of an order are known: counts what was paid for its products.
    pub fn complete(&mut self, lines: &Lines, captured: bool) {
        if !captured {
            return;
        }
        // What was free earned nothing and needs no row.
        for (product_id, amount) in lines.amounts.iter().filter(|(_, amount)| *amount > 0) {
            let key = (lines.currency_code.clone().into_owned(), *product_id);
            add_money(self.revenue.entry(key).or_default(), *amount);
        }
    }

    fn place(&mut self, order: &Placed) {
        let currency = order.total.currency.code();
        let units: i64 = order
            .lines
            .iter()
            .map(|line| i64::from(line.quantity))
            .sum();

        let totals = self.totals.entry(currency).or_default();
        totals.orders += 1;
        totals.units += units;
        add_money(&mut totals.ordered, order.total.minor);

        let user = self.user(order.user_id, currency, order.placed_at);
        user.orders += 1;
        user.units += units;
        add_money(&mut user.ordered, order.total.minor);

        for width in Width::ALL {
            self.rate(width, order.placed_at).orders += 1;
        }
        self.reach(order.placed_at, Stage::Ordered, order.user_id);
        self.place_products(order);
    }

    fn place_products(&mut self, order: &Placed) {
        let mut amounts = BTreeMap::<i64, i64>::new();
        let mut paired = Vec::with_capacity(PAIRED_PRODUCTS);
        for line in &order.lines {
            let product_id = line.product_id.get();
            let name = Name {
                named_at: order.placed_at,
                name: line.name.clone(),
            };
            let product = self.products.entry(product_id).or_default();
            if name > product.name {
                product.name = name;
            }
            product.units += i64::from(line.quantity);
            match amounts.entry(product_id) {
                Entry::Occupied(mut amount) => *amount.get_mut() += line.amount(),
                Entry::Vacant(amount) => {
                    amount.insert(line.amount());
                    product.orders += 1;
                    if paired.len() < PAIRED_PRODUCTS {
                        paired.push(product_id);
                    }
                }
            }
        }
        for (index, one) in paired.iter().enumerate() {
            for other in &paired[index + 1..] {
                let pair = (*one.min(other), *one.max(other));
                *self.pairs.entry(pair).or_default() += 1;
            }
        }
        let lines = Lines {
            currency_code: order.total.currency.code().into(),
            amounts: amounts.into_iter().collect(),
        };
        if let Some((lines, captured)) = self.halves.place(order.order_id, lines) {
            self.complete(&lines, captured);
        }
    }

    fn settle(&mut self, payment: &SettledPayment) {
        let currency = payment.amount.currency.code();
        let placed_at = payment.order_placed_at;
        let captured = payment.result == PaymentResult::Captured;

        let totals = self.totals.entry(currency).or_default();
        if captured {
            totals.orders_paid += 1;
            add_money(&mut totals.revenue, payment.amount.minor);
        } else {
            totals.orders_declined += 1;
        }

        // What the user did was to place the order; when the provider answered is
        // not the user's doing.
        let user = self.user(payment.user_id, currency, placed_at);
        if captured {
            user.orders_paid += 1;
            add_money(&mut user.revenue, payment.amount.minor);
        } else {
            user.orders_declined += 1;
        }

        if captured {
            for width in Width::ALL {
                self.rate(width, placed_at).orders_paid += 1;
            }
            self.reach(placed_at, Stage::Paid, payment.user_id);
        }
        if let Some((lines, captured)) = self.halves.settle(payment.order_id, captured) {
            self.complete(&lines, captured);
        }
    }

    fn notify(&mut self, mail: &SentNotification) {
        let totals = self.totals.entry(NO_CURRENCY).or_default();
        if mail.sent {
            totals.notifications_sent += 1;
        } else {
            totals.notifications_failed += 1;
        }
    }

    fn track(&mut self, event: &TrackedEvent) {
        self.totals.entry(NO_CURRENCY).or_default().user_events += 1;
        // Enum numbers are small; one that is not would be a new schema.
        let kind = i16::try_from(i32::from(event.kind)).unwrap_or(i16::MAX);
        let action = self
            .actions
            .entry((event.user_id.get(), kind))
            .or_insert_with(|| UserAction {
                count: 0,
                seen: event.occurred_at..=event.occurred_at,
            });
        action.count += 1;
        widen(&mut action.seen, event.occurred_at);
        if let Some(stage) = Stage::reached_by(event.kind) {
            self.reach(event.occurred_at, stage, event.user_id);
        }
    }

    fn user(&mut self, user: UserId, currency: &'static str, seen: UnixMicros) -> &mut UserOrders {
        let orders = self
            .users
            .entry((user.get(), currency))
            .or_insert_with(|| UserOrders::seen_at(seen));
        widen(&mut orders.seen, seen);
        orders
    }

    fn rate(&mut self, width: Width, time: UnixMicros) -> &mut Rate {
        self.rates.entry((width, width.floor(time))).or_default()
    }

    fn reach(&mut self, time: UnixMicros, stage: Stage, user: UserId) {
        let day = Day::of(time);
        if self.funnel_days.contains(&day) {
            self.stages.insert((day, stage, user.get()));
        }
    }
}
