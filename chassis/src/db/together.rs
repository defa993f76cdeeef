//! Work of several callers that becomes one transaction.
//!
//! A service reads each partition by a worker of its own. At a moderate rate each
//! worker has a record or two at a time, and a transaction of one record costs nearly
//! what one of a hundred does. So the workers' batches are worked on together: who is
//! alone goes at once; who comes while another's transaction runs, or a moment after
//! it began, waits with all others who do, and one of them takes them all.
//!
//! A batch that is full by itself gains nothing by waiting: it goes at once, beside
//! others. What is a quarter full gains little: it waits for no moment, only for the
//! one that runs, so a backlog is worked on without pauses.
//!
//! Invariant: a caller is answered once the transaction with its items is committed,
//! or with why it was not; items of one caller are never split. What if whoever runs
//! it is gone meanwhile: the others are told that the outcome is unknown, and do it
//! again, which is safe as for any batch. What if a caller is gone: it is not waited
//! for, and its records come again; one that is being worked on is worked on.
//!
//! The transaction is in the trace of who runs it; the others' spans link there.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use opentelemetry::trace::SpanContext;
use tokio::{
    sync::{Mutex as Turn, Notify, oneshot},
    time::{Instant, sleep_until},
};

use super::DbError;
use crate::{lock::locked, telemetry::span};

/// How long most services gather: a few round trips, which nobody feels, and 200
/// transactions a second at most.
pub const GATHER: Duration = Duration::from_millis(5);

/// Callers whose items are worked on together.
#[derive(Debug)]
pub struct Together<Item, Answer> {
    queue: Mutex<Queue<Item, Answer>>,
    /// Its holder begins what comes next, not before this moment.
    turn: Turn<Instant>,
    /// What waits is enough to begin with.
    enough: Notify,
    full_weight: usize,
    gather: Duration,
}

#[derive(Debug)]
struct Queue<Item, Answer> {
    members: VecDeque<Member<Item, Answer>>,
    /// What the next one is called.
    next: u64,
}

/// A caller who waits.
#[derive(Debug)]
struct Member<Item, Answer> {
    name: u64,
    items: Vec<Item>,
    weight: usize,
    caller: oneshot::Sender<Worked<Answer>>,
}

/// What came of a caller's items.
#[derive(Debug)]
struct Worked<Answer> {
    result: Result<Vec<Answer>, DbError>,
    /// Within which span.
    span: SpanContext,
}

impl<Answer> Worked<Answer> {
    fn here(result: Result<Vec<Answer>, DbError>) -> Self {
        Self {
            result,
            span: span::current(),
        }
    }
}

/// Callers whose items make one transaction.
struct Group<Item, Answer> {
    members: Vec<Member<Item, Answer>>,
    is_full: bool,
}

impl<Item, Answer> Together<Item, Answer>
where
    Item: Clone + Send,
    Answer: Send,
{
    /// Items of so much weight make a transaction that is full; each weighs what its
    /// caller says. `gather` is the time from the beginning of one transaction to the
    /// next that is not a quarter full: it bounds how many small ones there are a
    /// second, and how long one waits for others.
    pub fn new(full_weight: usize, gather: Duration) -> Self {
        Self {
            queue: Mutex::new(Queue {
                members: VecDeque::new(),
                next: 0,
            }),
            turn: Turn::new(Instant::now()),
            enough: Notify::new(),
            full_weight,
            gather,
        }
    }

    /// Works on items, maybe with those of others. `work` does it in one transaction,
    /// for all callers alike, and gives an answer for each item, in their order.
    ///
    /// When it fails with [`DbError::Statement`], each caller's items are tried by
    /// themselves, so that nobody suffers for another.
    pub async fn run<Work, Working>(
        &self,
        items: Vec<Item>,
        weight: usize,
        work: Work,
    ) -> Result<Vec<Answer>, DbError>
    where
        Work: Fn(Vec<Item>) -> Working + Send + Sync,
        Working: Future<Output = Result<Vec<Answer>, DbError>> + Send,
    {
        let (name, mut answer) = self.join(items, weight);
        loop {
            let mut next = tokio::select! {
                biased;
                answer = &mut answer => return received(answer),
                next = self.turn.lock() => next,
            };
            if !self.waits(name) {
                drop(next);
                return received(answer.await);
            }
            self.due(*next).await;
            let group = self.take();
            *next = Instant::now() + self.gather;
            // Beside one that is full others may begin.
            let _turn = (!group.is_full).then_some(next);
            group.run(&work).await;
        }
    }

    fn join(&self, items: Vec<Item>, weight: usize) -> (u64, oneshot::Receiver<Worked<Answer>>) {
        let (caller, answer) = oneshot::channel();
        let mut queue = self.queue();
        let name = queue.next;
        queue.next += 1;
        queue.members.push_back(Member {
            name,
            items,
            weight,
            caller,
        });
        if queue.weight() >= self.enough_weight() {
            self.enough.notify_one();
        }
        (name, answer)
    }

    /// Whether nobody has taken this member yet.
    fn waits(&self, name: u64) -> bool {
        let queue = self.queue();
        queue.members.iter().any(|member| member.name == name)
    }

    /// Waits for the moment, or until enough waits.
    async fn due(&self, moment: Instant) {
        while Instant::now() < moment && self.queue().weight() < self.enough_weight() {
            tokio::select! {
                () = sleep_until(moment) => {}
                () = self.enough.notified() => {}
            }
        }
    }

    fn enough_weight(&self) -> usize {
        self.full_weight.div_ceil(4)
    }

    /// Takes those who wait longest, as many as make one transaction, and one at
    /// least.
    fn take(&self) -> Group<Item, Answer> {
        let mut queue = self.queue();
        queue.members.retain(|member| !member.caller.is_closed());
        let mut weight = 0;
        let fits = queue.members.iter().take_while(|member| {
            weight += member.weight;
            weight <= self.full_weight
        });
        let count = fits.count().max(1).min(queue.members.len());
        Group {
            is_full: weight >= self.full_weight,
            members: queue.members.drain(..count).collect(),
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue<Item, Answer>> {
        locked(&self.queue)
    }
}

impl<Item, Answer> Queue<Item, Answer> {
    fn weight(&self) -> usize {
        self.members.iter().map(|member| member.weight).sum()
    }
}

impl<Item: Clone, Answer> Group<Item, Answer> {
    async fn run<Working>(self, work: &impl Fn(Vec<Item>) -> Working)
    where
        Working: Future<Output = Result<Vec<Answer>, DbError>>,
    {
        if self.members.len() < 2 {
            return self.run_each(work).await;
        }
        let items = |member: &Member<Item, Answer>| member.items.clone();
        let all: Vec<Item> = self.members.iter().flat_map(items).collect();
        match work(all).await {
            Ok(answers) => self.done(answers),
            // One of several is to blame, and the others need not suffer for it.
            Err(DbError::Statement(_)) => self.run_each(work).await,
            Err(error) => self.failed(error),
        }
    }

    async fn run_each<Working>(self, work: &impl Fn(Vec<Item>) -> Working)
    where
        Working: Future<Output = Result<Vec<Answer>, DbError>>,
    {
        for Member { items, caller, .. } in self.members {
            // Who is gone does not listen; here and below.
            let _ = caller.send(Worked::here(work(items).await));
        }
    }

    fn done(self, answers: Vec<Answer>) {
        let mut answers = answers.into_iter();
        for member in self.members {
            let own = answers.by_ref().take(member.items.len()).collect();
            let _ = member.caller.send(Worked::here(Ok(own)));
        }
    }

    fn failed(self, error: DbError) {
        let others = match &error {
            DbError::Unavailable(why) | DbError::Conflict(why) => why.clone(),
            DbError::Statement(why) => why.to_string(),
        };
        let mut error = Some(error);
        for Member { caller, .. } in self.members {
            let error = error.take();
            let error = error.unwrap_or_else(|| DbError::Unavailable(others.clone()));
            let _ = caller.send(Worked::here(Err(error)));
        }
    }
}

fn received<Answer>(
    answer: Result<Worked<Answer>, oneshot::error::RecvError>,
) -> Result<Vec<Answer>, DbError> {
    let Ok(Worked { result, span }) = answer else {
        let why = "whoever worked on this with its own is gone";
        return Err(DbError::Unavailable(why.to_owned()));
    };
    span::link(span);
    result
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use diesel::result::Error as DieselError;
    use futures::{FutureExt as _, future::join_all};
    use tokio::sync::Barrier;

    use super::*;

    const FULL: usize = 100;
    const GATHER: Duration = Duration::from_millis(50);

    /// What the transactions held, in their order.
    type Log = Mutex<Vec<Vec<u32>>>;

    /// Runs batches that come while a first transaction, of item 0, is under way.
    /// Gives their answers, and what each transaction after it held.
    async fn behind(
        batches: &[&[u32]],
        work: impl Fn(&[u32]) -> Result<Vec<u32>, DbError> + Sync,
    ) -> (Vec<Result<Vec<u32>, DbError>>, Vec<Vec<u32>>) {
        let together = Together::new(FULL, GATHER);
        let log = Log::default();
        let all_wait = Barrier::new(2);
        let work = async |items: Vec<u32>| {
            if items == [0] {
                all_wait.wait().await;
                return Ok(items);
            }
            log.lock().unwrap().push(items.clone());
            work(&items)
        };
        let first = together.run(vec![0], 1, &work);
        let others = async {
            let others = batches
                .iter()
                .map(|items| together.run(items.to_vec(), items.len(), &work));
            let (answers, ()) = tokio::join!(join_all(others), all_wait.wait().map(drop));
            answers
        };
        let (first, answers) = tokio::join!(first, others);
        assert_eq!(first.unwrap(), [0]);
        let log = log.into_inner().unwrap();
        (answers, log)
    }

    // What callers do can fail, though this cannot.
    #[allow(clippy::unnecessary_wraps)]
    fn twice(items: &[u32]) -> Result<Vec<u32>, DbError> {
        Ok(items.iter().map(|item| item * 2).collect())
    }

    #[tokio::test]
    async fn who_is_alone_goes_at_once_and_the_next_a_moment_later() {
        // Longer than a busy machine stalls.
        let gather = Duration::from_millis(500);
        let together = Together::new(FULL, gather);
        let begin = Instant::now();
        for has_waited in [false, true] {
            let answer = together.run(vec![7], 1, async |items: Vec<u32>| twice(&items));
            assert_eq!(answer.await.unwrap(), [14]);
            assert_eq!(begin.elapsed() >= gather, has_waited);
        }
    }

    #[tokio::test]
    async fn a_quarter_of_a_full_one_waits_for_no_moment() {
        // Longer than any test may take.
        let together = Together::new(FULL, Duration::from_secs(600));
        let quarter: Vec<u32> = (0..25).collect();
        for items in [&[7][..], &quarter] {
            let work = async |items: Vec<u32>| twice(&items);
            let answer = together.run(items.to_vec(), items.len(), work);
            let answer = tokio::time::timeout(Duration::from_secs(30), answer).await;
            assert_eq!(answer.unwrap().unwrap(), twice(items).unwrap());
        }
        // As do several, when the last of them comes.
        let few = |items: &[u32]| {
            let items = items.to_vec();
            together.run(items, 13, async |items: Vec<u32>| twice(&items))
        };
        let both = async { tokio::join!(few(&[1]), few(&[2])) };
        let both = tokio::time::timeout(Duration::from_secs(30), both).await;
        assert!(both.is_ok());
    }

    #[tokio::test]
    async fn those_who_wait_go_together_and_each_has_its_own_answers() {
        let (answers, log) = behind(&[&[1, 2], &[], &[3]], twice).await;
        let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
        assert_eq!(answers, [vec![2, 4], vec![], vec![6]]);
        assert_eq!(log, [[1, 2, 3]]);
    }

    #[tokio::test]
    async fn one_transaction_is_bounded_and_nobody_is_left_behind() {
        let many: Vec<u32> = (1..=60).collect();
        let (answers, log) = behind(&[&many, &many, &many, &[1]], twice).await;
        assert!(answers.iter().all(Result::is_ok));
        assert_eq!(log.iter().map(Vec::len).collect::<Vec<_>>(), [60, 60, 61]);
    }

    #[tokio::test]
    async fn one_that_is_full_by_itself_goes_beside_one_that_runs() {
        let together = Arc::new(Together::new(FULL, GATHER));
        let full: Vec<u32> = (0..100).collect();
        let both = Barrier::new(2);
        let work = async |items: Vec<u32>| {
            both.wait().await;
            twice(&items)
        };
        let one = together.run(full.clone(), 100, &work);
        let other = together.run(full, 100, &work);
        let (one, other) = tokio::join!(one, other);
        assert!(one.is_ok() && other.is_ok());
    }

    #[tokio::test]
    async fn one_that_is_refused_takes_no_other_with_it() {
        let refuse_two = |items: &[u32]| {
            if items.contains(&2) {
                return Err(DbError::Statement(DieselError::NotFound));
            }
            twice(items)
        };
        let (answers, log) = behind(&[&[1], &[2], &[3]], refuse_two).await;
        let is_ok: Vec<_> = answers.iter().map(Result::is_ok).collect();
        assert_eq!(is_ok, [true, false, true]);
        assert!(matches!(answers[1], Err(DbError::Statement(_))));
        assert_eq!(log, [vec![1, 2, 3], vec![1], vec![2], vec![3]]);
    }

    #[tokio::test]
    async fn everybody_hears_that_the_database_is_away_after_one_attempt() {
        let away = |_: &[u32]| Err(DbError::Unavailable("it is full".into()));
        let (answers, log) = behind(&[&[1], &[2]], away).await;
        assert_eq!(log.len(), 1);
        for answer in answers {
            let error = answer.unwrap_err();
            assert!(error.is_unavailable());
            assert!(error.to_string().ends_with("it is full"), "{error}");
        }
    }

    #[tokio::test]
    async fn who_is_gone_is_not_worked_for_and_who_waited_for_it_hears_of_it() {
        let together = Together::new(FULL, GATHER);
        let never = together.run(vec![1], 1, |_| std::future::pending());
        let mut never = Box::pin(never);
        assert!((&mut never).now_or_never().is_none());
        let mut gone = Box::pin(together.run(vec![2], 1, async |items: Vec<u32>| twice(&items)));
        assert!((&mut gone).now_or_never().is_none());
        drop(gone);
        let (_, waiting) = together.join(vec![3], 1);
        // Whoever has the turn takes all, and is gone then.
        drop(never);
        let leader = together.run(vec![4], 1, |items| {
            assert_eq!(items, [3, 4]);
            std::future::pending()
        });
        assert!(tokio::time::timeout(GATHER * 2, leader).await.is_err());
        assert!(received(waiting.await).unwrap_err().is_unavailable());
    }
}
