//! What the figures must be: a recount of all facts for every question, as
//! naively as it can be put.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
};

use analytics::{
    calendar::{Day, Width},
    fact::{Fact, Placed},
    stage::Stage,
    store::{Bucket, MoneySums, PairSales, ProductSales, StageCount, Stats, UserStats},
};
use proto::{
    event::{PaymentResult, SettledPayment, TrackedEvent},
    events::v1::UserEventType,
    time::UnixMicros,
};

pub(crate) struct Model<'f>(pub(crate) &'f [Fact]);

impl Model<'_> {
    fn orders(&self) -> impl Iterator<Item = &Placed> {
        self.0.iter().filter_map(|fact| match fact {
            Fact::Placed(order) => Some(order),
            _ => None,
        })
    }

    fn payments(&self, captured: bool) -> impl Iterator<Item = &SettledPayment> {
        self.0.iter().filter_map(move |fact| match fact {
            Fact::Settled(payment) if (payment.result == PaymentResult::Captured) == captured => {
                Some(payment)
            }
            _ => None,
        })
    }

    fn tracked(&self) -> impl Iterator<Item = &TrackedEvent> {
        self.0.iter().filter_map(|fact| match fact {
            Fact::Tracked(event) => Some(event),
            _ => None,
        })
    }

    fn notified(&self, sent: bool) -> i64 {
        let is = |fact: &&Fact| matches!(fact, Fact::Notified(mail) if mail.sent == sent);
        size(self.0.iter().filter(is))
    }

    fn money(&self, of: impl Fn(i64) -> bool) -> Vec<MoneySums> {
        let mut money = BTreeMap::<&str, (i64, i64)>::new();
        for order in self.orders().filter(|order| of(order.user_id.get())) {
            money.entry(order.total.currency.code()).or_default().0 += order.total.minor;
        }
        for payment in self.payments(true).filter(|one| of(one.user_id.get())) {
            money.entry(payment.amount.currency.code()).or_default().1 += payment.amount.minor;
        }
        for payment in self.payments(false).filter(|one| of(one.user_id.get())) {
            money.entry(payment.amount.currency.code()).or_default();
        }
        let sums = |(code, (ordered, revenue)): (&str, _)| MoneySums {
            currency_code: code.to_owned(),
            ordered,
            revenue,
        };
        money.into_iter().map(sums).collect()
    }

    pub(crate) fn stats(&self, updated_at: UnixMicros) -> Stats {
        Stats {
            orders: size(self.orders()),
            units: self.orders().map(units).sum(),
            orders_paid: size(self.payments(true)),
            orders_declined: size(self.payments(false)),
            notifications_sent: self.notified(true),
            notifications_failed: self.notified(false),
            user_events: size(self.tracked()),
            money: self.money(|_| true),
            updated_at: Some(updated_at),
        }
    }

    pub(crate) fn order_rate(
        &self,
        width: Width,
        from: UnixMicros,
        until: UnixMicros,
    ) -> Vec<Bucket> {
        let mut buckets = BTreeMap::<UnixMicros, (i64, i64)>::new();
        for order in self.orders() {
            buckets.entry(width.floor(order.placed_at)).or_default().0 += 1;
        }
        for payment in self.payments(true) {
            buckets
                .entry(width.floor(payment.order_placed_at))
                .or_default()
                .1 += 1;
        }
        buckets
            .range(from..until)
            .map(|(start, (orders, orders_paid))| Bucket {
                start: *start,
                orders: *orders,
                orders_paid: *orders_paid,
            })
            .collect()
    }

    fn products(&self, currency: &str) -> Vec<ProductSales> {
        let ids: BTreeSet<i64> = self
            .orders()
            .flat_map(|order| order.lines.iter().map(|line| line.product_id.get()))
            .collect();
        ids.into_iter()
            .map(|product| self.product(product, currency))
            .collect()
    }

    fn product(&self, product_id: i64, currency: &str) -> ProductSales {
        let lines = || {
            self.orders().flat_map(move |order| {
                let lines = order.lines.iter();
                lines
                    .filter(move |line| line.product_id.get() == product_id)
                    .map(move |line| (order, line))
            })
        };
        let paid: BTreeSet<_> = self
            .payments(true)
            .map(|payment| payment.order_id)
            .collect();
        let latest = lines().max_by_key(|(order, line)| (order.placed_at, &line.name));
        let orders: BTreeSet<_> = lines().map(|(order, _)| order.order_id).collect();
        ProductSales {
            product_id,
            name: latest.map(|(_, line)| line.name.clone()).unwrap(),
            units: lines().map(|(_, line)| i64::from(line.quantity)).sum(),
            orders: size(orders.iter()),
            revenue: lines()
                .filter(|(order, _)| order.total.currency.code() == currency)
                .filter(|(order, _)| paid.contains(&order.order_id))
                .map(|(_, line)| line.amount())
                .sum(),
        }
    }

    pub(crate) fn top_by_units(&self, currency: &str) -> Vec<ProductSales> {
        let mut products = self.products(currency);
        products.sort_by_key(|product| (-product.units, product.product_id));
        products
    }

    pub(crate) fn top_by_revenue(&self, currency: &str) -> Vec<ProductSales> {
        let mut products = self.products(currency);
        products.retain(|product| product.revenue > 0);
        products.sort_by_key(|product| (-product.revenue, product.product_id));
        products
    }

    pub(crate) fn pairs(&self, product: Option<i64>) -> Vec<PairSales> {
        let mut pairs = BTreeMap::<(i64, i64), i64>::new();
        for order in self.orders() {
            let mut first = Vec::new();
            for line in &order.lines {
                let id = line.product_id.get();
                if first.len() < 20 && !first.contains(&id) {
                    first.push(id);
                }
            }
            for one in &first {
                for other in first.iter().filter(|other| one < *other) {
                    *pairs.entry((*one, *other)).or_default() += 1;
                }
            }
        }
        let mut pairs: Vec<_> = pairs
            .into_iter()
            .filter(|((one, other), _)| product.is_none_or(|id| id == *one || id == *other))
            .map(|((product_id, other_product_id), orders)| PairSales {
                product_id,
                other_product_id,
                orders,
            })
            .collect();
        pairs.sort_by_key(|pair| (-pair.orders, pair.product_id, pair.other_product_id));
        pairs
    }

    pub(crate) fn user(&self, user: i64) -> Option<UserStats> {
        let orders = || self.orders().filter(|order| order.user_id.get() == user);
        let payments = |captured| {
            let payments = self.payments(captured);
            payments.filter(|payment| payment.user_id.get() == user)
        };
        let tracked = || self.tracked().filter(|event| event.user_id.get() == user);
        let seen: Vec<UnixMicros> = orders()
            .map(|order| order.placed_at)
            .chain(payments(true).map(|payment| payment.order_placed_at))
            .chain(payments(false).map(|payment| payment.order_placed_at))
            .chain(tracked().map(|event| event.occurred_at))
            .collect();
        let mut events = BTreeMap::<i32, i64>::new();
        for event in tracked() {
            *events.entry(event.kind.into()).or_default() += 1;
        }
        Some(UserStats {
            orders: size(orders()),
            orders_paid: size(payments(true)),
            orders_declined: size(payments(false)),
            units: orders().map(units).sum(),
            money: self.money(|id| id == user),
            events: events.into_iter().collect(),
            first_seen_at: *seen.iter().min()?,
            last_seen_at: *seen.iter().max()?,
        })
    }

    /// Users of each stage; only days that the funnel is kept for.
    pub(crate) fn funnel(
        &self,
        days: &RangeInclusive<Day>,
        kept: &RangeInclusive<Day>,
    ) -> Vec<StageCount> {
        let reached: BTreeSet<(Stage, Day, i64)> = self
            .0
            .iter()
            .filter_map(reached)
            .filter(|(_, day, _)| days.contains(day) && kept.contains(day))
            .collect();
        Stage::ALL
            .into_iter()
            .map(|stage| StageCount {
                stage,
                users: size(reached.iter().filter(|(of, ..)| *of == stage)),
            })
            .filter(|count| count.users > 0)
            .collect()
    }
}

fn reached(fact: &Fact) -> Option<(Stage, Day, i64)> {
    let (stage, time, user) = match fact {
        Fact::Placed(order) => (Stage::Ordered, order.placed_at, order.user_id),
        Fact::Settled(payment) if payment.result == PaymentResult::Captured => {
            (Stage::Paid, payment.order_placed_at, payment.user_id)
        }
        Fact::Tracked(event) => {
            let stage = match event.kind {
                UserEventType::ProductViewed => Stage::Viewed,
                UserEventType::AddedToCart => Stage::AddedToCart,
                UserEventType::CheckoutStarted => Stage::CheckoutStarted,
                _ => return None,
            };
            (stage, event.occurred_at, event.user_id)
        }
        _ => return None,
    };
    Some((stage, Day::of(time), user.get()))
}

fn units(order: &Placed) -> i64 {
    order
        .lines
        .iter()
        .map(|line| i64::from(line.quantity))
        .sum()
}

fn size<T>(items: impl Iterator<Item = T>) -> i64 {
    i64::try_from(items.count()).unwrap()
}
