//! Looks into topics for operators.
//!
//! Invariant: at most two look at once, each with a client of its own that is gone
//! afterwards, and none for longer than its deadline. What they look at may be as much
//! as Kafka holds; what they cost the gateway is not: neither in time nor in memory.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use chassis::{
    error::{Error, Reason},
    grpc::Deadline,
    kafka::{
        KafkaOptions,
        dead_letters::{self, LetterId, Newest, Triage},
        lookup::{self, Bounds, Wanted},
    },
};
use tokio::{
    runtime::Handle,
    sync::{Mutex, Semaphore},
};

use super::{LetterQuery, Replayed};
use crate::place::RETRY_AFTER;

/// Clients at once. Each has threads and buffers of its own.
const AT_ONCE: usize = 2;
/// Records read to find one order's. At a few hundred bytes each this is a second's
/// work.
const MOST_READ: usize = 100_000;
/// Records of one order. The largest order has a hundred lines, each with a mail.
const MOST_FOUND: usize = 500;
/// Bytes of one order's records. The largest order is a few tens of kilobytes.
const MOST_FOUND_BYTES: usize = 4 * 1024 * 1024;
/// Bytes of letters that are put back at once: thousands of ours, or a handful of the
/// largest that a topic takes.
const MOST_REPLAYED_BYTES: usize = 8 * 1024 * 1024;
/// How long after its deadline a client may take to be gone.
const GRACE: Duration = Duration::from_secs(2);

/// Looks into topics.
#[derive(Debug)]
pub(crate) struct Topics {
    options: KafkaOptions,
    places: Arc<Semaphore>,
    /// Held while letters are put back: between looking whether one is back and putting
    /// it back, nobody else may.
    replaying: Arc<Mutex<()>>,
}

impl Topics {
    pub(crate) fn new(options: KafkaOptions) -> Self {
        Self {
            options,
            places: Arc::new(Semaphore::new(AT_ONCE)),
            replaying: Arc::default(),
        }
    }

    pub(crate) async fn records(
        &self,
        wanted: Vec<Wanted>,
        deadline: Deadline,
    ) -> Result<lookup::Found, Error> {
        self.blocking(deadline, move |options, deadline| {
            let bounds = Bounds {
                read: MOST_READ,
                found: MOST_FOUND,
                bytes: MOST_FOUND_BYTES,
                deadline,
            };
            lookup::find(options, &wanted, bounds)
        })
        .await
    }

    pub(crate) async fn newest(
        &self,
        query: LetterQuery,
        deadline: Deadline,
    ) -> Result<Newest, Error> {
        self.blocking(deadline, move |options, deadline| {
            let LetterQuery {
                services,
                class,
                count,
            } = &query;
            dead_letters::newest(options, services, class.as_deref(), *count, deadline)
        })
        .await
    }

    pub(crate) async fn replay(
        &self,
        ids: Vec<LetterId>,
        force: bool,
        deadline: Deadline,
    ) -> Result<Replayed, Error> {
        let replaying = Arc::clone(&self.replaying).lock_owned();
        let replaying = tokio::time::timeout_at(deadline.instant(), replaying);
        let replaying = replaying.await.map_err(|_| busy())?;
        self.blocking(deadline, move |options, deadline| {
            // Held until it is done, whether or not somebody still waits for it.
            let _replaying = replaying;
            let found = dead_letters::named(options, &ids, MOST_REPLAYED_BYTES, deadline)?;
            let now = jiff::Timestamp::now().as_millisecond();
            let triage = Triage::of(found, now, force);
            let mut services: Vec<&str> = triage
                .waiting
                .iter()
                .map(|letter| letter.service.as_str())
                .collect();
            services.sort_unstable();
            services.dedup();
            for service in services {
                let letters: Vec<_> = triage
                    .waiting
                    .iter()
                    .filter(|letter| letter.service == service)
                    .cloned()
                    .collect();
                let replaying = dead_letters::replay(options, service, &letters, None, || {});
                let replaying = tokio::time::timeout_at(deadline.into(), replaying);
                Handle::current()
                    .block_on(replaying)
                    .map_err(|_| dead_letters::Late)??;
            }
            Ok(Replayed::of(&ids, &triage))
        })
        .await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        deadline: Deadline,
        work: impl FnOnce(&KafkaOptions, Instant) -> anyhow::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let place = Arc::clone(&self.places).acquire_owned();
        let place = tokio::time::timeout_at(deadline.instant(), place);
        let place = place.await.map_err(|_| busy())?.map_err(Error::internal)?;
        let options = self.options.clone();
        let until = deadline.instant();
        let work = tokio::task::spawn_blocking(move || {
            let done = work(&options, until.into_std());
            drop(place);
            done
        });
        match tokio::time::timeout_at(until + GRACE, work).await {
            Ok(Ok(Ok(done))) => Ok(done),
            Ok(Ok(Err(error))) if error.is::<dead_letters::Late>() => Err(late()),
            Ok(Ok(Err(error))) if error.is::<dead_letters::TooLarge>() => Err(too_large()),
            Ok(Ok(Err(error))) => {
                let away = Error::unavailable("Kafka does not answer as it should; try again");
                Err(away.caused_by(error))
            }
            Ok(Err(panicked)) => Err(Error::internal(panicked)),
            Err(_) => Err(late()),
        }
    }
}

fn busy() -> Error {
    Error::new(
        Reason::Overloaded,
        "others look into Kafka already; try again",
    )
    .retry_after(RETRY_AFTER)
}

fn too_large() -> Error {
    let most = MOST_REPLAYED_BYTES / (1024 * 1024);
    let message = format!("these dead letters are more than {most} MiB together; name fewer");
    Error::new(Reason::TooLarge, message)
}

fn late() -> Error {
    Error::new(
        Reason::DeadlineExceeded,
        "Kafka took longer than there was time; try again, or ask for less",
    )
}
