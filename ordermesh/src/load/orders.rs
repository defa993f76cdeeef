//! The orders of a run.
//!
//! Invariant: order `n` follows from the seed and `n` alone. So the same seed
//! gives the same orders, whoever places them and in whichever order, and an
//! earlier order can be repeated without having been kept.

use proto::orders::v1::{PlaceOrderRequest, Product};
use rand::{Rng as _, SeedableRng as _, rngs::SmallRng};
use serde::Serialize;

use super::{options::Mix, zipf::Zipf};

/// Of a hundred orders, from which one on they have a line more: half have one
/// line, a quarter two, 12 % three, 8 % four, 5 % five.
const ONE_LINE_MORE: [u32; 4] = [50, 75, 87, 95];
/// Percent of lines with one piece; the others have up to [`MOST_PIECES`].
const SINGLE_PIECES: u32 = 85;
const MOST_PIECES: i32 = 4;
/// A repetition is of one of so many orders before: a customer who tries again
/// does so soon.
const RECENT: u64 = 1_000;
/// The payment token that the provider declines.
const DECLINED: &str = "tok_declined";
/// Odd, so that no two orders of a run share a state; and not the constant that
/// the generator's own seeding counts with (SplitMix64), or the states of
/// neighbours would overlap.
const STRIDE: u64 = 0xd134_2543_de82_ef95;

/// An order; serialized, it is the body of `POST /order`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Order {
    user_id: i64,
    products: Vec<Line>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_token: Option<&'static str>,
    /// Goes into a header.
    #[serde(skip)]
    pub(super) key: Option<String>,
    /// Whether it repeats an earlier one.
    #[serde(skip)]
    pub(super) is_repeated: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Line {
    id: i64,
    name: String,
    price: i64,
    quantity: i32,
}

/// Gives the orders of a run by their numbers.
#[derive(Debug)]
pub(super) struct Orders {
    mix: Mix,
    products: Zipf,
    seed: u64,
    /// Part of every idempotency key. Not of the seed: keys are remembered for 30
    /// days, so a second run with the same seed would only repeat the first.
    run: u64,
}

impl Orders {
    pub(super) fn new(mix: &Mix, seed: u64) -> Self {
        Self {
            products: Zipf::new(mix.products, mix.skew),
            mix: mix.clone(),
            seed,
            run: rand::random(),
        }
    }

    /// The order of this number.
    pub(super) fn nth(&self, number: u64) -> Order {
        let original = self.original(number);
        let mut random = self.random(original);
        // This one decides whether an order is a repetition, and must not decide
        // anything else, too.
        let _: f64 = random.random();
        let user = random.random_range(0..self.mix.users);
        Order {
            user_id: self.mix.first_user + i64::from(user),
            products: self.lines(&mut random),
            payment_token: random.random_bool(self.mix.declined).then_some(DECLINED),
            key: (self.mix.repeat > 0.0).then(|| format!("load-{:016x}-{original}", self.run)),
            is_repeated: original != number,
        }
    }

    /// The number of the order that this one repeats, or its own.
    fn original(&self, number: u64) -> u64 {
        let Some(mut back) = self.repeats(number) else {
            return number;
        };
        // Of a repetition, what it may repeat is looked for further back.
        while self.repeats(back).is_some() {
            back -= 1;
        }
        back
    }

    /// A number before this one, when it is to be repeated. The first never is.
    fn repeats(&self, number: u64) -> Option<u64> {
        if self.mix.repeat <= 0.0 || number == 0 {
            return None;
        }
        let mut random = self.random(number);
        let is_repeat = random.random::<f64>() < self.mix.repeat;
        is_repeat.then(|| number - random.random_range(1..=number.min(RECENT)))
    }

    fn lines(&self, random: &mut SmallRng) -> Vec<Line> {
        let mut lines: Vec<Line> = Vec::new();
        let of_hundred = random.random_range(0..100);
        let more = ONE_LINE_MORE.iter().filter(|from| of_hundred >= **from);
        for _ in 0..=more.count() {
            let id = self.products.rank(random.random());
            let quantity = if random.random_range(0..100) < SINGLE_PIECES {
                1
            } else {
                random.random_range(2..=MOST_PIECES)
            };
            let id = i64::try_from(id).unwrap_or(i64::MAX);
            // A product drawn twice is one line, as in a cart.
            match lines.iter_mut().find(|line| line.id == id) {
                Some(line) => line.quantity += quantity,
                None => lines.push(Line {
                    id,
                    name: format!("Product {id}"),
                    price: price(id),
                    quantity,
                }),
            }
        }
        lines
    }

    fn random(&self, number: u64) -> SmallRng {
        SmallRng::seed_from_u64(self.seed ^ number.wrapping_mul(STRIDE))
    }
}

/// A product always costs the same: 1.00 to 99.99.
fn price(id: i64) -> i64 {
    // A prime, so that neighbours differ and all prices occur.
    100 + id % 9_900 * 7_919 % 9_900
}

impl From<Order> for PlaceOrderRequest {
    fn from(order: Order) -> Self {
        let products = order.products.into_iter().map(|line| Product {
            id: line.id,
            name: line.name,
            price: Some(line.price),
            quantity: Some(line.quantity),
        });
        Self {
            user_id: order.user_id,
            products: products.collect(),
            payment_token: order.payment_token.map(str::to_owned),
            idempotency_key: order.key,
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const MANY: u64 = 20_000;

    fn orders(mix: &Mix, seed: u64) -> Vec<Order> {
        let orders = Orders::new(mix, seed);
        (0..MANY).map(|number| orders.nth(number)).collect()
    }

    /// Those for which it holds, in percent.
    fn percent(orders: &[Order], of: impl Fn(&Order) -> bool) -> usize {
        let count = orders.iter().filter(|order| of(order)).count();
        (count * 100 + orders.len() / 2) / orders.len()
    }

    #[test]
    fn the_same_seed_gives_the_same_orders_and_another_gives_others() {
        let mix = Mix::default();
        assert_eq!(orders(&mix, 1), orders(&mix, 1));
        let others = orders(&mix, 2);
        let same = orders(&mix, 1)
            .iter()
            .zip(&others)
            .filter(|(one, other)| one == other)
            .count();
        assert!(same < 10, "{same}");
    }

    #[test]
    fn orders_look_like_those_of_a_shop() {
        let orders = orders(&Mix::default(), 7);
        for order in &orders {
            assert!((1..=5).contains(&order.products.len()));
            assert!((1..=100_000).contains(&order.user_id));
            for line in &order.products {
                assert!((1..=1_000).contains(&line.id));
                assert!((100..10_000).contains(&line.price));
                assert!(line.quantity >= 1);
            }
        }
        let users: BTreeSet<i64> = orders.iter().map(|order| order.user_id).collect();
        assert!(users.len() > 17_000, "{}", users.len());
        let of_one_line = percent(&orders, |order| order.products.len() == 1);
        assert!((49..=53).contains(&of_one_line), "{of_one_line}");
        // 1 / H(1000) is 13 %; the first line is drawn as any other.
        let of_first = percent(&orders, |order| order.products[0].id == 1);
        assert!((12..=14).contains(&of_first), "{of_first}");
        let single = percent(&orders, |order| order.products[0].quantity == 1);
        assert!((80..=86).contains(&single), "{single}");
    }

    #[test]
    fn without_repetitions_no_order_has_a_key_and_none_is_declined() {
        let orders = orders(&Mix::default(), 7);
        let plain = |order: &Order| {
            order.key.is_none() && !order.is_repeated && order.payment_token.is_none()
        };
        assert!(orders.iter().all(plain));
    }

    #[test]
    fn a_repetition_is_an_earlier_order_with_its_key() {
        let mix = Mix {
            repeat: 0.2,
            declined: 0.1,
            ..Mix::default()
        };
        let orders = orders(&mix, 7);
        let repeated = percent(&orders, |order| order.is_repeated);
        assert!((19..=21).contains(&repeated), "{repeated}");
        let declined = percent(&orders, |order| order.payment_token.is_some());
        assert!((9..=11).contains(&declined), "{declined}");
        let mut seen = BTreeSet::new();
        for (number, order) in orders.iter().enumerate() {
            let key = order.key.as_deref().unwrap();
            let (_, original) = key.rsplit_once('-').unwrap();
            let original: usize = original.parse().unwrap();
            assert_eq!(order.is_repeated, original < number);
            assert_eq!(order.is_repeated, !seen.insert(key));
            assert_eq!(order.products, orders[original].products);
            assert_eq!(order.user_id, orders[original].user_id);
            assert_eq!(order.payment_token, orders[original].payment_token);
        }
    }

    #[test]
    fn two_runs_share_no_key() {
        let mix = Mix {
            repeat: 0.5,
            ..Mix::default()
        };
        let key = |_| Orders::new(&mix, 7).nth(0).key;
        let [one, other] = [0, 1].map(key);
        assert_ne!(one, other);
    }

    #[test]
    fn both_doors_are_sent_the_same() {
        let order = Order {
            user_id: 42,
            products: vec![Line {
                id: 1,
                name: "Product 1".to_owned(),
                price: 8_019,
                quantity: 2,
            }],
            payment_token: Some(DECLINED),
            key: Some("k".to_owned()),
            is_repeated: false,
        };
        let body = serde_json::to_string(&order).unwrap();
        assert_eq!(
            body,
            r#"{"userId":42,"products":[{"id":1,"name":"Product 1","price":8019,"quantity":2}],"paymentToken":"tok_declined"}"#
        );
        let read: PlaceOrderRequest = proto::json::from_json(&body).unwrap();
        let sent = PlaceOrderRequest::from(order);
        assert_eq!(sent.idempotency_key.as_deref(), Some("k"));
        assert_eq!(
            read,
            PlaceOrderRequest {
                idempotency_key: None,
                ..sent
            }
        );
    }
}
