//! The real operations: the admin servers, and Kafka.

use async_trait::async_trait;
use chassis::{
    error::Error,
    grpc::Deadline,
    kafka::{
        KafkaOptions,
        dead_letters::{LetterId, Newest},
        lookup::{Found, Wanted},
    },
};

use super::{Admins, LetterQuery, Operations, Replayed, Statuses, kafka::Topics};

/// The services' admin servers, and Kafka's topics.
#[derive(Debug)]
pub(crate) struct Live {
    admins: Admins,
    topics: Topics,
}

impl Live {
    pub(crate) fn new(admins: Admins, kafka: KafkaOptions) -> Self {
        Self {
            admins,
            topics: Topics::new(kafka),
        }
    }
}

#[async_trait]
impl Operations for Live {
    async fn statuses(&self, service: &'static str) -> Statuses {
        self.admins.statuses(service).await
    }

    async fn records(&self, wanted: Vec<Wanted>, deadline: Deadline) -> Result<Found, Error> {
        self.topics.records(wanted, deadline).await
    }

    async fn newest_letters(
        &self,
        query: LetterQuery,
        deadline: Deadline,
    ) -> Result<Newest, Error> {
        self.topics.newest(query, deadline).await
    }

    async fn replay(
        &self,
        ids: Vec<LetterId>,
        force: bool,
        deadline: Deadline,
    ) -> Result<Replayed, Error> {
        self.topics.replay(ids, force, deadline).await
    }
}
