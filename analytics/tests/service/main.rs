//! The whole service on a broker: records in, answers out.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod feeder;
mod fixture;

use proto::{
    analytics::v1::{
        BucketWidth, GetFunnelRequest, GetOrderRateRequest, GetUserBehaviorRequest,
        ListProductPairsRequest, ListTopProductsRequest, ProductRanking, WatchStatsRequest,
    },
    event::{PAYMENTS, SentNotification, TrackedEvent},
    events::v1::{NotificationKind, UserEventType},
    id::{NotificationId, ProductId, UserEventId, UserId},
    time::UnixMicros,
};
use tokio::time::timeout;
use tonic::Code;
use tonic_types::StatusExt as _;

use feeder::Feeder;
use fixture::{Fixture, PATIENCE, order, payment};

#[test]
fn what_happened_is_answered_by_every_call() {
    let fixture = Fixture::start();
    fixture.runtime.block_on(async {
        feed_everything(&fixture.feeder).await;
        // Topics are consumed side by side: no count says anything of another.
        let stats = fixture
            .stats_when(|stats| {
                (stats.orders, stats.orders_paid) == (2, 1)
                    && (stats.user_events, stats.notifications_sent) == (1, 1)
            })
            .await;
        assert_eq!(stats.units, 6);
        assert_eq!(stats.money.len(), 1);
        assert_eq!(
            (stats.money[0].ordered, stats.money[0].revenue),
            (4_994, 2_497)
        );
        assert!(stats.updated_at.is_some());

        let mut client = fixture.client.clone();
        let rate = GetOrderRateRequest {
            width: BucketWidth::Day.into(),
            ..Default::default()
        };
        let buckets = client
            .get_order_rate(rate)
            .await
            .unwrap()
            .into_inner()
            .buckets;
        assert_eq!(buckets.len(), 60);
        // The day may have changed since.
        let orders: i64 = buckets.iter().map(|bucket| bucket.orders).sum();
        assert_eq!(orders, 2);

        let mut list = ListTopProductsRequest {
            ranking: ProductRanking::Revenue.into(),
            page_size: 1,
            ..Default::default()
        };
        let first = client
            .list_top_products(list.clone())
            .await
            .unwrap()
            .into_inner();
        assert_eq!(first.products[0].name, "Keyboard");
        assert_eq!(first.products[0].revenue, 1_998);
        list.page_token = first.next_page_token;
        let second = client.list_top_products(list).await.unwrap().into_inner();
        assert_eq!(second.products[0].name, "Mouse");
        assert_eq!(second.next_page_token, "");

        let pairs = ListProductPairsRequest {
            product_id: Some(2),
            ..Default::default()
        };
        let pairs = client
            .list_product_pairs(pairs)
            .await
            .unwrap()
            .into_inner()
            .pairs;
        assert_eq!((pairs.len(), pairs[0].orders), (1, 2));

        let who = GetUserBehaviorRequest { user_id: 42 };
        let user = client
            .get_user_behavior(who)
            .await
            .unwrap()
            .into_inner()
            .user
            .unwrap();
        assert_eq!(
            (user.orders, user.orders_paid, user.events[0].count),
            (1, 1, 1)
        );

        let funnel = client
            .get_funnel(GetFunnelRequest::default())
            .await
            .unwrap();
        let users: Vec<_> = funnel
            .into_inner()
            .stages
            .iter()
            .map(|stage| stage.users)
            .collect();
        assert_eq!(users, [1, 0, 0, 2, 1]);
    });
}

/// Two orders, one of which is paid and told of; and one look at a product.
async fn feed_everything(feeder: &Feeder) {
    let first = order(42);
    feeder.settle(&payment(&first)).await;
    feeder.place(&first).await;
    feeder.place(&order(43)).await;
    let kind = NotificationKind::OrderConfirmation;
    let mail = SentNotification {
        notification_id: NotificationId::of(first.order_id, kind, Some(0)),
        order_id: first.order_id,
        user_id: first.user_id,
        kind,
        line: Some(0),
        sent: true,
        sent_at: UnixMicros::now(),
    };
    feeder.notify(&mail).await;
    let viewed = TrackedEvent {
        event_id: UserEventId::random(),
        user_id: UserId::try_from(42).unwrap(),
        kind: UserEventType::ProductViewed,
        product_id: ProductId::try_from(1).ok(),
        occurred_at: UnixMicros::now(),
    };
    feeder.track(&viewed).await;
}

#[test]
fn watchers_see_the_totals_at_once_and_after_each_change_until_the_end() {
    let mut fixture = Fixture::start();
    let mut changes = fixture.runtime.block_on(async {
        let mut client = fixture.client.clone();
        let watch = client.watch_stats(WatchStatsRequest {}).await.unwrap();
        let mut changes = watch.into_inner();
        let first = timeout(PATIENCE, changes.message()).await.unwrap().unwrap();
        assert_eq!(first.unwrap().stats.unwrap().orders, 0);

        for orders in 1..=3 {
            fixture.feeder.place(&order(orders)).await;
            let change = timeout(PATIENCE, changes.message()).await.unwrap().unwrap();
            assert_eq!(change.unwrap().stats.unwrap().orders, orders);
        }

        // As many as may watch do; one more is told to come back.
        let second = client.watch_stats(WatchStatsRequest {}).await.unwrap();
        let third = client.watch_stats(WatchStatsRequest {}).await.unwrap_err();
        assert_eq!(third.code(), Code::ResourceExhausted);
        assert!(third.get_details_retry_info().is_some());
        drop(second);
        changes
    });
    // A watcher does not hold up the service's end, which is no error to it.
    fixture.stop_analytics();
    fixture.runtime.block_on(async {
        let end = timeout(PATIENCE, changes.message()).await.unwrap();
        assert_eq!(end.unwrap(), None);
    });
}

#[test]
fn poison_is_put_aside_and_the_rest_is_counted() {
    let fixture = Fixture::start();
    fixture.runtime.block_on(async {
        // An order's event where only payments belong.
        fixture
            .feeder
            .publish(Feeder::placed(PAYMENTS, &order(1)))
            .await;
        let good = order(2);
        fixture.feeder.place(&good).await;
        fixture.feeder.settle(&payment(&good)).await;
        fixture.await_dead_letters(1).await;
        let stats = fixture
            .stats_when(|stats| (stats.orders, stats.orders_paid) == (1, 1))
            .await;
        assert_eq!(stats.units, 3);
    });
}

#[test]
fn what_was_counted_stays_counted_once_over_a_restart() {
    let mut fixture = Fixture::start();
    let first = order(1);
    fixture.runtime.block_on(async {
        fixture.feeder.place(&first).await;
        fixture.stats_when(|stats| stats.orders == 1).await;
    });
    fixture.stop_analytics();
    fixture.runtime.block_on(async {
        // Redelivered, as after a crash, with what came meanwhile.
        fixture.feeder.place(&first).await;
        fixture.feeder.settle(&payment(&first)).await;
        fixture.feeder.place(&order(2)).await;
    });
    fixture.start_analytics();
    fixture.runtime.block_on(async {
        let stats = fixture
            .stats_when(|stats| stats.orders >= 2 && stats.orders_paid == 1)
            .await;
        assert_eq!(stats.orders, 2);
        fixture.await_dead_letters(0).await;
    });
}

#[test]
fn refusals_say_everything_that_is_wrong() {
    let fixture = Fixture::start();
    fixture.runtime.block_on(async {
        let mut client = fixture.client.clone();
        let wrong = ListTopProductsRequest {
            ranking: 9,
            currency_code: "dollars".into(),
            page_size: -1,
            ..Default::default()
        };
        let status = client.list_top_products(wrong).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        let broken = status.get_details_bad_request().unwrap().field_violations;
        assert_eq!(broken.len(), 3);

        let nobody = GetUserBehaviorRequest { user_id: 7 };
        let status = client.get_user_behavior(nobody).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound);
    });
}
