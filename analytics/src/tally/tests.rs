use proto::{
    event::{PlacedLine, SettledPayment},
    events::v1::{DeclineCode, UserEventType},
    id::{OrderId, PaymentId, ProductId, UserEventId},
    money::{Currency, Money},
};

use super::*;

const NOON: UnixMicros = UnixMicros::from_micros(1_800_000_000_000_000);

fn days() -> RangeInclusive<Day> {
    Day::of(NOON)..=Day::of(NOON)
}

/// An order of these products: id, unit price, quantity.
fn order(products: &[(i64, i64, i32)]) -> Placed {
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
        user_id: UserId::try_from(42).unwrap(),
        lines,
        total: Money::new(total, Currency::USD),
        placed_at: NOON,
    }
}

fn payment(order: &Placed, result: PaymentResult) -> Fact {
    Fact::Settled(SettledPayment {
        payment_id: PaymentId::of(order.order_id),
        order_id: order.order_id,
        user_id: order.user_id,
        amount: order.total,
        result,
        settled_at: NOON,
        order_placed_at: order.placed_at,
    })
}

fn tally(facts: &[Fact]) -> Tally {
    Tally::of(facts, &days())
}

fn usd(product: i64) -> (String, i64) {
    ("USD".to_owned(), product)
}

#[test]
fn a_product_on_two_lines_is_one_order_and_all_its_pieces() {
    let tally = tally(&[Fact::Placed(order(&[(1, 10, 2), (2, 5, 1), (1, 20, 3)]))]);
    let product = &tally.products[&1];
    assert_eq!((product.orders, product.units), (1, 5));
    assert_eq!(tally.pairs, BTreeMap::from([((1, 2), 1)]));
    let lines = tally.halves.placed.values().next().unwrap();
    assert_eq!(lines.amounts, [(1, 80), (2, 5)]);
}

#[test]
fn pairs_are_of_the_first_twenty_products_and_the_smaller_id_is_first() {
    let products: Vec<_> = (1..=30).rev().map(|id| (id, 1, 1)).collect();
    let tally = tally(&[Fact::Placed(order(&products))]);
    assert_eq!(tally.pairs.len(), 190);
    assert!(
        tally
            .pairs
            .keys()
            .all(|(one, other)| one < other && *one > 10)
    );
}

#[test]
fn revenue_needs_both_halves_in_whichever_order() {
    let order = order(&[(1, 10, 2)]);
    let paid = payment(&order, PaymentResult::Captured);
    let placed = Fact::Placed(order);
    for facts in [
        [placed.clone(), paid.clone()],
        [paid.clone(), placed.clone()],
    ] {
        let tally = tally(&facts);
        assert_eq!(tally.revenue, BTreeMap::from([(usd(1), 20)]));
        assert!(tally.halves.placed.is_empty() && tally.halves.settled.is_empty());
    }
    assert!(tally(&[placed]).revenue.is_empty());
    assert!(tally(&[paid]).revenue.is_empty());
}

#[test]
fn a_declined_payment_leaves_no_half_behind_and_no_revenue() {
    let order = order(&[(1, 10, 2)]);
    let declined = payment(&order, PaymentResult::Declined(DeclineCode::ExpiredCard));
    let tally = tally(&[Fact::Placed(order), declined]);
    assert!(tally.revenue.is_empty() && tally.halves.placed.is_empty());
    let totals = &tally.totals["USD"];
    assert_eq!((totals.orders_paid, totals.orders_declined), (0, 1));
    let reached: Vec<_> = tally.stages.iter().map(|(_, stage, _)| *stage).collect();
    assert_eq!(reached, [Stage::Ordered]);
}

#[test]
fn an_order_counts_in_its_minute_its_hour_and_its_day() {
    let order = order(&[(1, 10, 1)]);
    let paid = payment(&order, PaymentResult::Captured);
    let tally = tally(&[Fact::Placed(order), paid]);
    let one = Rate {
        orders: 1,
        orders_paid: 1,
    };
    let expected = Width::ALL.map(|width| ((width, width.floor(NOON)), one.clone()));
    assert_eq!(tally.rates, BTreeMap::from(expected));
}

#[test]
fn the_latest_name_stays_whichever_comes_last() {
    let early = order(&[(1, 10, 1)]);
    let mut late = early.clone();
    late.order_id = OrderId::random();
    late.placed_at = UnixMicros::from_micros(NOON.as_micros() + 1);
    late.lines[0].name = "Another name".into();
    let (early, late) = (Fact::Placed(early), Fact::Placed(late));
    for facts in [[early.clone(), late.clone()], [late, early]] {
        assert_eq!(tally(&facts).products[&1].name.name, "Another name");
    }
}

#[test]
fn the_funnel_counts_a_user_once_a_day_and_only_on_days_that_are_kept() {
    let viewed = |occurred_at| {
        Fact::Tracked(TrackedEvent {
            event_id: UserEventId::random(),
            user_id: UserId::try_from(42).unwrap(),
            kind: UserEventType::ProductViewed,
            product_id: ProductId::try_from(1).ok(),
            occurred_at,
        })
    };
    let long_ago = UnixMicros::from_micros(0);
    let tally = tally(&[viewed(NOON), viewed(NOON), viewed(long_ago)]);
    assert_eq!(
        tally.stages,
        BTreeSet::from([(Day::of(NOON), Stage::Viewed, 42)])
    );
    let action = &tally.actions[&(42, 1)];
    assert_eq!((action.count, &action.seen), (3, &(long_ago..=NOON)));
}
