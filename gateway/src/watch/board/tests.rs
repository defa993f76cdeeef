use std::sync::Arc;

use chassis::error::Reason;
use proto::{history::v1::OrderStatus, notifier::v1::NotificationStatus};
use tokio::sync::Semaphore;

use super::*;
use crate::{
    backend::pretend::{at, mail, payment, stored},
    watch::{
        Watch,
        pace::{QUICKEST, SLOWEST},
        watcher,
    },
};

const PATIENCE: Duration = Duration::from_secs(30);

struct Scene {
    board: Board,
    id: OrderId,
    now: Instant,
    clock: UnixMicros,
    order: Option<Order>,
    payment: Option<Payment>,
    notifications: Option<OrderNotifications>,
}

impl Scene {
    fn new() -> Self {
        Self {
            board: Board::new(PATIENCE),
            id: OrderId::random(),
            now: Instant::now(),
            clock: UnixMicros::try_from(at(0)).unwrap(),
            order: None,
            payment: None,
            notifications: None,
        }
    }

    fn watch(&mut self) -> Watch {
        let place = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        let (watcher, watch) = watcher::pair(self.id, self.now, place);
        self.board.add(self.id, watcher, self.now);
        watch
    }

    fn settle(&mut self, status: OrderStatus) {
        self.order.as_mut().unwrap().set_status(status);
        self.payment = Some(payment(self.id, status));
    }

    fn mails(&mut self, lines: u16, complete: bool) {
        self.notifications = Some(OrderNotifications {
            order_id: self.id.to_string(),
            notifications: (0..lines).map(|line| mail(self.id, line)).collect(),
            complete,
        });
    }

    /// One round of the hub, with every service answering.
    fn round(&mut self) -> Option<Look> {
        let answers = Answers {
            orders: Ok(self.order.clone().into_iter().collect()),
            payments: Ok(self.payment.clone().into_iter().collect()),
            notifications: Ok(self.notifications.clone().into_iter().collect()),
        };
        self.round_with(answers)
    }

    fn round_with(&mut self, answers: Answers) -> Option<Look> {
        self.now = self.now.max(self.board.next_due()?);
        let look = self.board.look(self.now, 10)?;
        self.board.learn(&look, answers, self.now, self.clock);
        Some(look)
    }
}

/// How a watch stands.
#[derive(Debug)]
enum End {
    Open,
    Well,
    Badly(Error),
}

impl End {
    fn reason(&self) -> Option<Reason> {
        match self {
            Self::Open | Self::Well => None,
            Self::Badly(error) => Some(error.reason()),
        }
    }
}

/// What waits for a watcher: the views' statuses, then how the watch stands.
fn seen(watch: &mut Watch) -> (Vec<OrderStatus>, End) {
    let mut statuses = Vec::new();
    loop {
        // Without tokio's budget, which would make a full queue look empty.
        let next = tokio::task::unconstrained(watch.next());
        match futures::FutureExt::now_or_never(next) {
            None => return (statuses, End::Open),
            Some(None) => return (statuses, End::Well),
            Some(Some(Err(error))) => return (statuses, End::Badly(error)),
            Some(Some(Ok(view))) => statuses.push(view.order.as_ref().unwrap().status()),
        }
    }
}

#[test]
fn a_watcher_sees_the_whole_order_then_each_change_then_the_end() {
    let mut scene = Scene::new();
    let mut watch = scene.watch();
    scene.round();
    assert_eq!(seen(&mut watch).0, [], "nothing is known yet");
    scene.order = Some(stored(scene.id));
    scene.round();
    scene.round();
    assert_eq!(seen(&mut watch).0, [OrderStatus::Accepted], "told once");
    scene.settle(OrderStatus::Paid);
    scene.round();
    scene.mails(1, false);
    scene.round();
    scene.mails(2, true);
    scene.round();
    let (statuses, end) = seen(&mut watch);
    assert_eq!(statuses, [OrderStatus::Paid; 3]);
    assert!(matches!(end, End::Well), "{end:?}");
    assert_eq!(
        scene.board.next_due(),
        None,
        "and is not asked for any more"
    );
}

#[test]
fn a_second_watcher_gets_the_whole_order_at_once_and_the_first_nothing_twice() {
    let mut scene = Scene::new();
    let mut first = scene.watch();
    scene.order = Some(stored(scene.id));
    scene.round();
    assert_eq!(seen(&mut first).0.len(), 1);
    let mut second = scene.watch();
    scene.round();
    assert_eq!(seen(&mut first).0.len(), 0);
    assert_eq!(seen(&mut second).0, [OrderStatus::Accepted]);
}

#[test]
fn what_cannot_change_any_more_is_not_asked_for_again() {
    let mut scene = Scene::new();
    let _watch = scene.watch();
    scene.order = Some(stored(scene.id));
    scene.settle(OrderStatus::Paid);
    scene.mails(1, false);
    scene.round();
    let look = scene.round().unwrap();
    assert_eq!(look.orders, [scene.id]);
    assert_eq!(
        (look.payments, look.notifications),
        (vec![], vec![scene.id])
    );
}

#[test]
fn an_order_without_watchers_is_not_asked_for() {
    let mut scene = Scene::new();
    let watch = scene.watch();
    scene.round();
    drop(watch);
    assert_eq!(scene.round(), None);
    assert_eq!(scene.board.next_due(), None);
    assert!(scene.board.orders.is_empty());
}

#[test]
fn an_order_that_stays_unknown_is_told_so() {
    let mut scene = Scene::new();
    let mut watch = scene.watch();
    let start = scene.now;
    while scene.now + SLOWEST < start + PATIENCE {
        scene.round();
    }
    assert!(matches!(seen(&mut watch).1, End::Open), "patience lasts");
    scene.round();
    scene.round();
    assert_eq!(seen(&mut watch).1.reason(), Some(Reason::NotFound));
    assert!(scene.now < start + PATIENCE + SLOWEST);
}

#[test]
fn nobody_says_unknown_while_history_is_away() {
    let mut scene = Scene::new();
    let mut watch = scene.watch();
    scene.now += PATIENCE;
    scene.round_with(Answers {
        orders: Err(Error::unavailable("away")),
        payments: Ok(Vec::new()),
        notifications: Ok(Vec::new()),
    });
    assert_eq!(
        seen(&mut watch).1.reason(),
        Some(Reason::DependencyUnavailable)
    );
}

#[tokio::test]
async fn a_part_that_was_read_once_is_kept_while_its_service_is_away() {
    let mut scene = Scene::new();
    let mut watch = scene.watch();
    scene.order = Some(stored(scene.id));
    scene.mails(1, false);
    let orders = || Ok(vec![stored(OrderId::from_uuid(*scene.id.as_uuid()))]);
    let away = || Answers {
        orders: orders(),
        payments: Err(Error::unavailable("away")),
        notifications: Err(Error::unavailable("away")),
    };
    let (first, second) = (away(), away());
    scene.round_with(first);
    let view = watch.next().await.unwrap().unwrap();
    assert_eq!(view.unavailable, ["payments", "notifications"]);
    scene.round();
    let view = watch.next().await.unwrap().unwrap();
    assert_eq!((view.unavailable.len(), view.notifications.len()), (0, 1));
    scene.round_with(second);
    assert_eq!(seen(&mut watch).0, [], "nothing changed");
}

#[test]
fn a_watcher_that_does_not_read_is_cut_off_and_the_others_go_on() {
    let mut scene = Scene::new();
    let (mut slow, mut quick) = (scene.watch(), scene.watch());
    scene.order = Some(stored(scene.id));
    for attempts in 0..100 {
        scene.mails(1, false);
        let part = scene.notifications.as_mut().unwrap();
        part.notifications[0].attempts = attempts;
        part.notifications[0].set_status(NotificationStatus::Pending);
        scene.round();
        assert_eq!(seen(&mut quick).0.len(), 1, "attempt {attempts}");
    }
    let (statuses, end) = seen(&mut slow);
    assert_eq!(statuses.len(), 32, "what was queued is delivered");
    assert_eq!(end.reason(), Some(Reason::Overloaded));
}

#[test]
fn closing_ends_every_watch_and_takes_no_new_ones() {
    let mut scene = Scene::new();
    let mut watch = scene.watch();
    scene.board.close();
    let mut late = scene.watch();
    for watch in [&mut watch, &mut late] {
        assert_eq!(seen(watch).1.reason(), Some(Reason::DependencyUnavailable));
    }
    assert_eq!(scene.board.next_due(), None);
}

#[test]
fn a_change_makes_the_next_look_quick() {
    let mut scene = Scene::new();
    let _watch = scene.watch();
    scene.now += Duration::from_secs(10);
    scene.round();
    scene.order = Some(stored(scene.id));
    scene.round();
    assert_eq!(scene.board.next_due(), Some(scene.now + QUICKEST));
}

#[test]
fn an_old_order_is_looked_at_rarely_until_it_changes() {
    let mut scene = Scene::new();
    let _watch = scene.watch();
    scene.clock = scene.clock.saturating_add(Duration::from_secs(3_600));
    scene.order = Some(stored(scene.id));
    scene.round();
    assert_eq!(scene.board.next_due(), Some(scene.now + SLOWEST));
    scene.settle(OrderStatus::Paid);
    scene.round();
    assert_eq!(scene.board.next_due(), Some(scene.now + QUICKEST));
}
