//! Sums of money that no longer fit.

use analytics::{
    batch::Shard,
    fact::Fact,
    store::{MoneySums, ProductPosition},
};
use proto::{event, id::UserId, money::Currency};

use crate::{
    events::{order, payment},
    world::{NOW, World},
};

/// Sums stay at the largest number, in one row and over all shards; batches go on
/// being counted, and everything else in them is exact.
pub(crate) async fn overflow(url: String) -> anyhow::Result<()> {
    let world = World::open(&url).await?;
    let count = async |partition| {
        let order = order(1, &[(1, 10, 2)]);
        let paid = payment(&order, true);
        let of_orders = Shard::of(event::ORDERS, partition);
        world
            .count_in(&[Fact::Placed(order), paid], of_orders, NOW)
            .await
    };
    count(0).await?;
    for sql in [
        "UPDATE totals SET ordered = 9223372036854775807 - 10",
        "UPDATE totals SET revenue = ordered",
        "UPDATE user_orders SET ordered = 9223372036854775807 - 10",
        "UPDATE user_orders SET revenue = ordered",
        "UPDATE product_revenue SET revenue = 9223372036854775807 - 10",
    ] {
        world.execute(sql).await?;
    }
    for round in 2..=4 {
        count(round % 2).await?;
        let most = vec![MoneySums {
            currency_code: "USD".into(),
            ordered: i64::MAX,
            revenue: i64::MAX,
        }];
        let stats = world.store.stats().await?;
        assert_eq!((stats.orders, &stats.money), (i64::from(round), &most));
        let user = world.store.user(UserId::try_from(1)?).await?.unwrap();
        assert_eq!((user.orders_paid, &user.money), (i64::from(round), &most));
        let start = ProductPosition::START;
        let sold = world
            .store
            .top_products_by_units(Currency::USD, start, 9)
            .await?;
        assert_eq!(sold[0].revenue, i64::MAX);
    }
    Ok(())
}
