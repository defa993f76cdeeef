//! What operators see and do: how the services are, live figures, records and dead
//! letters.
//!
//! Invariant: looking costs the system no more the more people look. One poller asks
//! for all of them, only while somebody looks, and what it learned is written out
//! once.

mod access;
mod admins;
mod feed;
mod kafka;
mod live;
#[cfg(test)]
pub(crate) mod pretend;
pub(crate) mod search;
pub(crate) mod status;

use async_trait::async_trait;
use chassis::{
    error::Error,
    grpc::Deadline,
    kafka::{
        dead_letters::{DeadLetter, LetterId, Newest, Triage},
        lookup::{Found, Wanted},
    },
};

pub(crate) use access::{Access, OperatorToken};
pub(crate) use admins::{AdminAddresses, Admins};
pub(crate) use feed::Feed;
#[cfg(test)]
pub(crate) use feed::MOST_STREAMS;
pub(crate) use live::Live;
pub(crate) use status::Status;

/// The services that operators see, in the order in which they are shown.
pub(crate) const SERVICES: [&str; 5] = ["gateway", "payments", "history", "notifier", "analytics"];

/// Those of them that consume, and so give records up.
pub(crate) const CONSUMERS: [&str; 4] = ["payments", "history", "notifier", "analytics"];

/// What each instance of a service says of itself, or why it does not.
pub(crate) type Statuses = Vec<Result<Status, String>>;

/// What operators ask for, as a port: the doors know Kafka and the admin servers only
/// through it, so every case can be shown to them by a test.
#[async_trait]
pub(crate) trait Operations: Send + Sync + 'static {
    /// All instances of a service, asked now; at least one entry.
    async fn statuses(&self, service: &'static str) -> Statuses;

    /// The records that are wanted, as far as they are found in time.
    async fn records(&self, wanted: Vec<Wanted>, deadline: Deadline) -> Result<Found, Error>;

    /// The newest dead letters.
    async fn newest_letters(&self, query: LetterQuery, deadline: Deadline)
    -> Result<Newest, Error>;

    /// Puts dead letters back, each once; with `force` also those of events that services
    /// may have forgotten.
    async fn replay(
        &self,
        ids: Vec<LetterId>,
        force: bool,
        deadline: Deadline,
    ) -> Result<Replayed, Error>;
}

/// Which dead letters are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LetterQuery {
    /// Of these services.
    pub(crate) services: Vec<&'static str>,
    /// Of this class; `None`: of any.
    pub(crate) class: Option<String>,
    /// At most so many.
    pub(crate) count: usize,
}

/// What became of letters that were to be put back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Replayed {
    pub(crate) now: Vec<LetterId>,
    pub(crate) before: Vec<LetterId>,
    pub(crate) too_old: Vec<LetterId>,
    pub(crate) unknown: Vec<LetterId>,
}

impl Replayed {
    /// Of those that were asked for; what was not found is not known.
    pub(crate) fn of(asked: &[LetterId], triage: &Triage) -> Self {
        let ids = |letters: &[DeadLetter]| -> Vec<LetterId> {
            letters.iter().map(DeadLetter::letter_id).collect()
        };
        let (now, before, too_old) = (
            ids(&triage.waiting),
            ids(&triage.before),
            ids(&triage.too_old),
        );
        let is_known = |id: &LetterId| {
            [&now, &before, &too_old]
                .iter()
                .any(|known| known.contains(id))
        };
        let unknown = asked.iter().filter(|id| !is_known(id)).cloned().collect();
        Self {
            now,
            before,
            too_old,
            unknown,
        }
    }
}
