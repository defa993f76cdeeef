//! Batches that wait for the writer together.
//!
//! SQLite has one writer, so batches of several partitions wait for each other. Those
//! that wait become one transaction: a row that many of them add to is written once,
//! and one commit reaches the disk for all.
//!
//! Invariant: a batch is answered once the transaction that counted it is committed,
//! or with why it was not. What if whoever runs it is gone meanwhile: the others are
//! told that the outcome is unknown, and a batch that comes again counts once. What
//! if its own caller is gone: it waits no longer, and its records come again; one that
//! is being counted is counted.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use chassis::db::DbError;
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::batch::Batch;

/// Most rows, roughly, that one transaction writes: some tenths of a second.
const MOST_WEIGHT: usize = 60_000;

/// What became of a batch: how many of its facts were new.
pub(super) type Answer = Result<usize, DbError>;

/// The batches that wait.
#[derive(Debug, Default)]
pub(super) struct Waiting(Mutex<VecDeque<Member>>);

/// A batch that waits, and whom to tell.
#[derive(Debug)]
struct Member {
    batch: Batch,
    caller: oneshot::Sender<Answer>,
}

/// A caller's place among those who wait.
#[derive(Debug)]
pub(super) struct Place(oneshot::Receiver<Answer>);

/// Batches that are counted together.
#[derive(Debug)]
pub(super) struct Group(Vec<Member>);

impl Waiting {
    /// Adds a batch.
    pub(super) fn join(&self, batch: Batch) -> Place {
        let (caller, answer) = oneshot::channel();
        self.queue().push_back(Member { batch, caller });
        Place(answer)
    }

    /// Counts those who wait until this caller is answered. `count` counts a batch in
    /// one transaction and gives the ids that were new. The caller has the turn: nobody
    /// else counts meanwhile.
    pub(super) async fn work<Counting>(
        &self,
        mut place: Place,
        count: impl Fn(Batch) -> Counting + Sync,
    ) -> Answer
    where
        Counting: Future<Output = Result<HashSet<Uuid>, DbError>> + Send,
    {
        loop {
            if let Some(answer) = place.answer() {
                return answer;
            }
            self.take().run(&count).await;
        }
    }

    /// Takes those who wait longest, as many as make one transaction. Who is gone no
    /// longer waits.
    fn take(&self) -> Group {
        let mut queue = self.queue();
        queue.retain(|member| !member.caller.is_closed());
        let mut weight = 0;
        let fits = queue.iter().take_while(|member| {
            weight += member.batch.weight();
            weight <= MOST_WEIGHT
        });
        // One that is heavier than all should be goes alone.
        let count = fits.count().max(1).min(queue.len());
        Group(queue.drain(..count).collect())
    }

    fn queue(&self) -> MutexGuard<'_, VecDeque<Member>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// What became of the batch; `None` while it waits.
    fn answer(&mut self) -> Option<Answer> {
        match self.0.try_recv() {
            Ok(answer) => Some(answer),
            Err(oneshot::error::TryRecvError::Empty) => None,
            Err(oneshot::error::TryRecvError::Closed) => {
                let why = "whoever counted this batch with its own is gone";
                Some(Err(DbError::Unavailable(why.to_owned())))
            }
        }
    }
}

impl Group {
    async fn run<Counting>(self, count: &(impl Fn(Batch) -> Counting + Sync))
    where
        Counting: Future<Output = Result<HashSet<Uuid>, DbError>> + Send,
    {
        let Some(all) = Batch::together(self.0.iter().map(|member| &member.batch)) else {
            return;
        };
        match count(all).await {
            Ok(new) => self.counted(new),
            // One of several is to blame, and the others need not suffer for it.
            Err(DbError::Statement(_)) if self.0.len() > 1 => {
                for member in self.0 {
                    match count(member.batch.clone()).await {
                        Ok(new) => Self(vec![member]).counted(new),
                        Err(error) => Self(vec![member]).failed(error),
                    }
                }
            }
            Err(error) => self.failed(error),
        }
    }

    /// Tells everybody that all is counted, and that these ids were new. Of batches
    /// that share an id the first one had it.
    fn counted(self, mut new: HashSet<Uuid>) {
        for Member { batch, caller } in self.0 {
            let ids = batch.ids().into_iter();
            let count = ids.filter(|id| new.remove(id)).count();
            // Who is gone does not listen.
            let _ = caller.send(Ok(count));
        }
    }

    /// Tells everybody why nothing was counted.
    fn failed(self, error: DbError) {
        let others = match &error {
            DbError::Unavailable(why) | DbError::Conflict(why) => why.clone(),
            DbError::Statement(why) => why.to_string(),
        };
        let mut error = Some(error);
        for Member { caller, .. } in self.0 {
            let error = error.take();
            let error = error.unwrap_or_else(|| DbError::Unavailable(others.clone()));
            let _ = caller.send(Err(error));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use diesel::result::Error as DieselError;
    use futures::future::join_all;
    use proto::{
        event::TrackedEvent, events::v1::UserEventType, id::UserEventId, time::UnixMicros,
    };
    use tokio::sync::Mutex as Turn;

    use super::*;
    use crate::{batch::Shard, calendar::Day, fact::Fact};

    fn event() -> Arc<Fact> {
        Arc::new(Fact::Tracked(TrackedEvent {
            event_id: UserEventId::random(),
            user_id: 1.try_into().unwrap(),
            kind: UserEventType::ProductViewed,
            product_id: None,
            occurred_at: UnixMicros::from_micros(0),
        }))
    }

    fn batch(facts: &[Arc<Fact>]) -> Batch {
        let now = UnixMicros::from_micros(0);
        let day = Day::of(now);
        Batch::new(
            facts.to_vec(),
            Shard::of("user-events.v1", 0),
            now,
            day..=day,
        )
    }

    /// Counts batches that all wait before the first has its turn; gives the answers
    /// and how many facts each transaction held.
    async fn count(
        batches: Vec<Batch>,
        count: impl Fn(Batch) -> Result<HashSet<Uuid>, DbError> + Sync,
    ) -> (Vec<Answer>, Vec<usize>) {
        let (waiting, turn) = (Waiting::default(), Turn::new(()));
        let sizes = Mutex::new(Vec::new());
        let places: Vec<_> = batches.into_iter().map(|it| waiting.join(it)).collect();
        let answers = join_all(places.into_iter().map(async |place| {
            let _turn = turn.lock().await;
            let counting = |batch: Batch| {
                sizes.lock().unwrap().push(batch.ids().len());
                std::future::ready(count(batch))
            };
            waiting.work(place, counting).await
        }))
        .await;
        (answers, sizes.into_inner().unwrap())
    }

    #[tokio::test]
    async fn those_who_wait_are_counted_at_once_and_a_shared_fact_for_the_first() {
        let facts: Vec<_> = (0..10).map(|_| event()).collect();
        let batches = vec![batch(&facts[..6]), batch(&facts[4..])];
        let all_new = |batch: Batch| Ok(batch.ids().into_iter().collect());
        let (answers, sizes) = count(batches, all_new).await;
        let counts: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
        assert_eq!((counts, sizes), (vec![6, 4], vec![10]));
    }

    #[tokio::test]
    async fn one_transaction_is_bounded_and_nobody_is_left_behind() {
        let facts: Vec<_> = (0..MOST_WEIGHT / 4).map(|_| event()).collect();
        let batches = vec![batch(&facts), batch(&[event()]), batch(&facts[1..])];
        let (answers, sizes) = count(batches, |_| Ok(HashSet::new())).await;
        assert!(answers.iter().all(Result::is_ok));
        assert_eq!(sizes, [facts.len(), facts.len()]);
    }

    #[tokio::test]
    async fn a_batch_that_is_refused_takes_no_other_with_it() {
        let bad = event();
        let batches = vec![
            batch(&[event()]),
            batch(std::slice::from_ref(&bad)),
            batch(&[event()]),
        ];
        let (answers, sizes) = count(batches, |batch: Batch| {
            if batch.ids().contains(&bad.id()) {
                return Err(DbError::Statement(DieselError::NotFound));
            }
            Ok(batch.ids().into_iter().collect())
        })
        .await;
        assert_eq!(sizes, [3, 1, 1, 1]);
        let is_ok: Vec<_> = answers.iter().map(Result::is_ok).collect();
        assert_eq!(is_ok, [true, false, true]);
        assert!(matches!(answers[1], Err(DbError::Statement(_))));
    }

    #[tokio::test]
    async fn everybody_hears_that_the_database_is_away_after_one_attempt() {
        let batches = vec![batch(&[event()]), batch(&[event()])];
        let away = |_| Err(DbError::Unavailable("it is full".into()));
        let (answers, sizes) = count(batches, away).await;
        assert_eq!(sizes, [2]);
        for answer in answers {
            assert!(
                answer
                    .unwrap_err()
                    .to_string()
                    .ends_with("available: it is full")
            );
        }
    }

    #[tokio::test]
    async fn who_is_gone_is_not_waited_for() {
        let waiting = Waiting::default();
        drop(waiting.join(batch(&[event()])));
        let second = waiting.join(batch(&[event()]));
        let new = |batch: Batch| {
            assert_eq!(batch.ids().len(), 1);
            std::future::ready(Ok(batch.ids().into_iter().collect()))
        };
        assert_eq!(waiting.work(second, new).await.unwrap(), 1);
        assert!(waiting.queue().is_empty());
    }

    #[tokio::test]
    async fn who_waited_for_one_that_is_gone_is_told_to_come_again() {
        let waiting = Waiting::default();
        let first = waiting.join(batch(&[event()]));
        let mut second = waiting.join(batch(&[event()]));
        let never = waiting.work(first, |_| std::future::pending());
        assert!(futures::FutureExt::now_or_never(never).is_none());
        let answer = second.answer().unwrap();
        assert!(answer.unwrap_err().is_unavailable());
    }
}
