//! Micro-benchmarks of what every order passes: time, and allocations.
//!
//! `make bench-parts`. Times differ from machine to machine; allocations do not.

// Figures are what this is for; criterion's macros have no docs.
#![allow(clippy::print_stdout, missing_docs)]

use std::{hint::black_box, time::Duration};

use analytics::{calendar::Day, fact::Fact, tally::Tally};
use chassis::kafka::consumer::Ledger;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use gateway::hot;
use proto::{
    event::{ContentHash, PlacedLine, PlacedOrder},
    id::{OrderId, ProductId, UserId},
    money::{Currency, Money},
    time::UnixMicros,
};

/// Records of one batch, as services take them at most by default.
const BATCH: i64 = 500;

const BODY: &[u8] = br#"{
    "userId": 42,
    "products": [
        { "id": 1, "name": "Keyboard", "price": 999 },
        { "id": 2, "name": "Mouse", "price": 499, "quantity": 2 }
    ]
}"#;

fn count(what: &str, of: i64, work: impl FnOnce()) {
    let all = allocation_counter::measure(work);
    println!(
        "{what}: {} allocations, {} bytes, at most {} at once; {of} at a time",
        all.count_total, all.bytes_total, all.bytes_max
    );
}

fn placing(criterion: &mut Criterion) {
    let read = || hot::read(black_box(BODY)).expect("a valid order");
    count("read and validate", 1, || drop(black_box(read())));
    criterion.bench_function("gateway: read and validate", |bench| bench.iter(read));

    let records = hot::Records::new("user{userId}@shop.example").expect("a pattern");
    let order = read();
    count("encode", 1, || drop(black_box(records.record(read()))));
    criterion.bench_function("gateway: hash, id and record", |bench| {
        bench.iter_batched(
            || order.clone(),
            |order| records.record(order),
            BatchSize::SmallInput,
        );
    });
}

/// Delivered in order, finished in runs, as a worker does.
fn settle(ledger: &mut Ledger, from: i64) {
    for offset in from..from + BATCH {
        ledger.deliver(offset, 300);
    }
    black_box(ledger.finish(from, from + BATCH - 1));
}

fn ledger(criterion: &mut Criterion) {
    let mut ledger = Ledger::default();
    let mut next = 0;
    let mut batch = || {
        settle(&mut ledger, next);
        next += BATCH;
    };
    batch();
    count("ledger", BATCH, &mut batch);
    criterion.bench_function("consumer: ledger, 500 records", |bench| {
        bench.iter(&mut batch);
    });
}

fn placed(number: i64) -> Option<Fact> {
    let line = |product: i64| {
        Some(PlacedLine {
            product_id: ProductId::try_from(product).ok()?,
            name: format!("Product {product}"),
            unit_price: 999,
            quantity: 1,
        })
    };
    Some(Fact::from(PlacedOrder {
        order_id: OrderId::random(),
        user_id: UserId::try_from(number % 100 + 1).ok()?,
        lines: vec![line(number % 50 + 1)?, line(number % 7 + 60)?],
        total: Money::new(1998, Currency::USD),
        email: "buyer@customers.example".parse().ok()?,
        payment_token: None,
        placed_at: UnixMicros::now(),
        content_hash: ContentHash([7; 32]),
    }))
}

fn aggregation(criterion: &mut Criterion) {
    let facts: Vec<Fact> = (0..BATCH).filter_map(placed).collect();
    let today = Day::of(UnixMicros::now());
    let days = today.plus(-1)..=today;
    let tally = || Tally::of(&facts, &days);
    count("tally", BATCH, || drop(black_box(tally())));
    criterion.bench_function("analytics: tally, 500 orders", |bench| bench.iter(tally));
}

criterion_group! {
    name = hot;
    config = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3));
    targets = placing, ledger, aggregation
}
criterion_main!(hot);
