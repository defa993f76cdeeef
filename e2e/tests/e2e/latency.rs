//! From accepted to all effects visible.

use std::time::{Duration, Instant};

use e2e::{
    footing::Footing,
    orders::{example_request, new_user},
};
use proto::orders::v1::WatchOrderRequest;
use testkit::harness::Test;

use crate::on_both;

const ORDERS: usize = 50;

pub(crate) fn tests() -> Vec<Test> {
    on_both(
        "accept to all effects visible is measured",
        accept_to_effects,
    )
    .into()
}

/// Prints the figure; a busy machine must not fail the test.
async fn accept_to_effects(footing: &'static Footing) -> anyhow::Result<()> {
    let mut orders = footing.clients.orders.clone();
    let (mut accepted, mut visible) = (Vec::new(), Vec::new());
    for _ in 0..ORDERS {
        let start = Instant::now();
        let placed = orders
            .place_order(example_request(new_user()))
            .await?
            .into_inner();
        accepted.push(start.elapsed());
        let request = WatchOrderRequest {
            order_id: placed.order_id,
        };
        let mut changes = orders.watch_order(request).await?.into_inner();
        while let Some(change) = changes.message().await? {
            if change.order.is_some_and(|view| view.r#final) {
                visible.push(start.elapsed());
            }
        }
    }
    assert_eq!(visible.len(), ORDERS);
    println!("accepted:            {}", percentiles(&mut accepted));
    println!("all effects visible: {}", percentiles(&mut visible));
    Ok(())
}

fn percentiles(times: &mut [Duration]) -> String {
    times.sort();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    format!(
        "p50 {:?}, p90 {:?}, max {:?}, n {}",
        at(50),
        at(90),
        at(100),
        times.len()
    )
}
