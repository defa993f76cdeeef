use proto::history::v1::OrderStatus;

use super::*;
use crate::backend::pretend::Pretend;

struct Scene {
    backend: Arc<Pretend>,
    hub: Hub,
    doors: CancellationToken,
}

fn scene(options: HubOptions) -> Scene {
    let backend = Arc::new(Pretend::default());
    let hub = Hub::new(backend.clone(), options);
    let doors = CancellationToken::new();
    tokio::spawn(hub.clone().run(doors.clone(), CancellationToken::new()));
    Scene {
        backend,
        hub,
        doors,
    }
}

fn options() -> HubOptions {
    HubOptions {
        patience: Duration::from_secs(30),
        most_watchers: 1_500,
    }
}

#[tokio::test]
async fn an_order_is_seen_as_it_happens() {
    let scene = scene(options());
    let id = OrderId::random();
    let mut watch = scene.hub.watch(id).unwrap();
    scene.backend.store(id);
    let view = watch.next().await.unwrap().unwrap();
    assert_eq!(view.order.as_ref().unwrap().status(), OrderStatus::Accepted);
    scene.backend.settle(id, OrderStatus::Paid);
    scene.backend.mail(id, 0);
    scene.backend.mail(id, 1);
    let mut last = view;
    while let Some(view) = watch.next().await {
        last = view.unwrap();
    }
    assert!(last.r#final);
    assert_eq!(last.notifications.len(), 2);
}

#[tokio::test]
async fn all_watched_orders_are_asked_for_together() {
    let scene = scene(options());
    let ids: Vec<_> = (0..1_200).map(|_| OrderId::random()).collect();
    let watches: Vec<_> = ids.iter().map(|id| scene.hub.watch(*id).unwrap()).collect();
    for id in &ids {
        scene.backend.store(*id);
    }
    for mut watch in watches {
        watch.next().await.unwrap().unwrap();
    }
    let batches = scene.backend.state().batches.clone();
    assert_eq!(batches[..3], [500, 500, 200], "{batches:?}");
}

#[tokio::test]
async fn nobody_is_asked_while_nobody_watches() {
    let scene = scene(options());
    let watch = scene.hub.watch(OrderId::random()).unwrap();
    while scene.backend.state().batches.is_empty() {
        tokio::task::yield_now().await;
    }
    drop(watch);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let asked = scene.backend.state().batches.len();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(scene.backend.state().batches.len(), asked);
}

#[tokio::test]
async fn places_are_bounded_and_come_free_again() {
    let scene = scene(HubOptions {
        most_watchers: 1,
        ..options()
    });
    let first = scene.hub.watch(OrderId::random()).unwrap();
    let error = scene.hub.watch(OrderId::random()).unwrap_err();
    assert_eq!(error.reason(), Reason::Overloaded);
    assert!(error.retry_hint().is_some());
    drop(first);
    assert!(scene.hub.watch(OrderId::random()).is_ok());
}

#[tokio::test]
async fn an_unknown_order_is_told_so_when_patience_ends() {
    let scene = scene(HubOptions {
        patience: Duration::from_millis(50),
        ..options()
    });
    let mut watch = scene.hub.watch(OrderId::random()).unwrap();
    let error = watch.next().await.unwrap().unwrap_err();
    assert_eq!(error.reason(), Reason::NotFound);
    assert!(watch.next().await.is_none(), "told once");
}

#[tokio::test]
async fn watches_end_when_the_doors_close() {
    let scene = scene(options());
    let mut watch = scene.hub.watch(OrderId::random()).unwrap();
    scene.doors.cancel();
    let error = watch.next().await.unwrap().unwrap_err();
    assert_eq!(error.reason(), Reason::DependencyUnavailable);
}
