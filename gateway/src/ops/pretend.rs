//! Operations for tests: they answer as they are told.

use std::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use chassis::{
    error::Error,
    grpc::Deadline,
    kafka::{
        Content, Record,
        dead_letters::{self, DeadLetter, LetterId, Newest, Triage},
        lookup::{Found, Wanted},
    },
};

use super::{LetterQuery, Operations, Replayed, Status, Statuses};

#[derive(Debug, Default)]
pub(crate) struct State {
    /// Services that are not to be reached.
    pub(crate) away: Vec<&'static str>,
    pub(crate) is_kafka_away: bool,
    pub(crate) records: Vec<Record>,
    /// Newest first.
    pub(crate) letters: Vec<dead_letters::Found>,
    /// What was looked for.
    pub(crate) wanted: Vec<Wanted>,
    pub(crate) queries: Vec<LetterQuery>,
}

#[derive(Debug, Default)]
pub(crate) struct Pretend {
    state: Mutex<State>,
    /// How often a status was asked for.
    pub(crate) asked: AtomicUsize,
}

impl Pretend {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn kafka(&self) -> Result<MutexGuard<'_, State>, Error> {
        let state = self.state();
        if state.is_kafka_away {
            return Err(Error::unavailable("Kafka does not answer"));
        }
        Ok(state)
    }
}

/// A dead letter at an offset, of a record that was written then.
pub(crate) fn letter(service: &str, offset: i64, written_ms: i64) -> dead_letters::Found {
    let written = written_ms.to_string();
    let headers = [
        ("ce_type", "ordermesh.events.v1.OrderPlaced"),
        ("dlq_origin_topic", "orders.v1"),
        ("dlq_origin_partition", "3"),
        ("dlq_origin_offset", "12"),
        ("dlq_origin_timestamp", &written),
        ("dlq_error_class", "exhausted"),
        ("dlq_error_message", "<b>it</b> failed"),
        ("dlq_attempts", "5"),
    ];
    let headers = headers.map(|(name, value)| (name.as_bytes(), Some(value.as_bytes())));
    let content = Content {
        key: Some(b"key"),
        payload: Some(b"\x0a\x01x"),
        headers: &headers,
    };
    let topic = format!("{service}.dlq.v1");
    let record = Record::new(topic, 0, offset, written_ms + 1_000, content);
    dead_letters::Found {
        letter: DeadLetter::of(service, record),
        is_back: false,
    }
}

#[async_trait]
impl Operations for Pretend {
    async fn statuses(&self, service: &'static str) -> Statuses {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if self.state().away.contains(&service) {
            return vec![Err("it does not take connections".to_owned())];
        }
        vec![Ok(Status {
            version: "0.1.0".to_owned(),
            uptime_seconds: 12,
            ready: true,
            ..Status::default()
        })]
    }

    async fn records(&self, wanted: Vec<Wanted>, _: Deadline) -> Result<Found, Error> {
        let mut state = self.kafka()?;
        state.wanted = wanted;
        Ok(Found {
            complete: !state.records.is_empty(),
            records: state.records.clone(),
        })
    }

    async fn newest_letters(&self, query: LetterQuery, _: Deadline) -> Result<Newest, Error> {
        let mut state = self.kafka()?;
        let found: Vec<_> = state
            .letters
            .iter()
            .filter(|found| query.services.contains(&&*found.letter.service))
            .take(query.count)
            .cloned()
            .collect();
        state.queries.push(query);
        Ok(Newest {
            truncated: found.len() < state.letters.len(),
            found,
        })
    }

    async fn replay(
        &self,
        ids: Vec<LetterId>,
        force: bool,
        _: Deadline,
    ) -> Result<Replayed, Error> {
        let mut state = self.kafka()?;
        let found = state.letters.iter();
        let found = found.filter(|found| ids.contains(&found.letter.letter_id()));
        let now = jiff::Timestamp::now().as_millisecond();
        let triage = Triage::of(found.cloned().collect(), now, force);
        for found in &mut state.letters {
            let is_back = triage
                .waiting
                .iter()
                .any(|letter| letter.id() == found.letter.id());
            found.is_back |= is_back;
        }
        Ok(Replayed::of(&ids, &triage))
    }
}
