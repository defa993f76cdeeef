//! Recording what a user did.
//!
//! An event has no key under which a retry would be the same event: where the
//! outcome is unknown, sending it again may count it twice. A figure that is
//! off by one is not worth a protocol, so the answer only tells the truth.

use chassis::{
    error::{Error, Reason},
    grpc::Deadline,
    kafka::PublishError,
};
use proto::{event::TrackedEvent, id::UserEventId};

use crate::{backend::Backend, place::RETRY_AFTER};

/// Puts a user event on Kafka, by the deadline.
pub(crate) async fn track(
    backend: &dyn Backend,
    event: &TrackedEvent,
    deadline: Deadline,
) -> Result<UserEventId, Error> {
    let id = event.event_id;
    match tokio::time::timeout_at(deadline.instant(), backend.publish_event(event)).await {
        Ok(Ok(())) => Ok(id),
        Ok(Err(failure)) => Err(not_recorded(failure, id)),
        Err(_) => Err(Error::new(Reason::DeadlineExceeded, DOUBT).with("event_id", id.to_string())),
    }
}

const DOUBT: &str = "no acknowledgement came in time, so the event may be recorded or not";

fn not_recorded(failure: PublishError, id: UserEventId) -> Error {
    let error = match failure {
        PublishError::QueueFull => Error::new(
            Reason::Overloaded,
            "more events wait for Kafka than may; this one was not recorded, try again",
        )
        .retry_after(RETRY_AFTER),
        PublishError::Unavailable(_) => Error::new(
            Reason::KafkaUnavailable,
            "Kafka does not take events right now; this one was not recorded, try again",
        )
        .retry_after(RETRY_AFTER),
        PublishError::OutcomeUnknown(_) => {
            Error::new(Reason::OutcomeUnknown, DOUBT).with("event_id", id.to_string())
        }
        PublishError::TooLarge => Error::new(
            Reason::TooLarge,
            "the event is larger than Kafka takes; it was not recorded",
        ),
    };
    error.caused_by(failure)
}
