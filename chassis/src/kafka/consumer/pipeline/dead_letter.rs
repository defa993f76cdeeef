//! Puts aside records that never will work.
//!
//! Invariant: a batch is settled only after the broker acknowledged each of its
//! dead letters. Writing one twice (after a crash) is possible and harmless: it
//! carries where it came from.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use futures::future::BoxFuture;
use tower::{Service, ServiceExt as _};

use super::{Batch, Instruments, Item, Lane, Settled, Stopped};
use crate::{
    fault::{self, Point},
    kafka::{
        KafkaOptions, Outgoing, PublishError, Publisher,
        consumer::{away::Away, handler::Poison, plan::Verdict},
        headers,
    },
    retry::Pause,
    telemetry,
};

#[derive(Clone)]
pub(super) struct DeadLetters<S> {
    inner: S,
    writer: Writer,
}

/// Writes dead letters of one service.
#[derive(Clone)]
struct Writer {
    topic: String,
    publisher: Publisher,
    away: Away,
    instruments: Arc<Instruments>,
}

impl<S> DeadLetters<S> {
    pub(super) fn new(
        inner: S,
        service: &'static str,
        publisher: Publisher,
        away: Away,
        instruments: Arc<Instruments>,
    ) -> Self {
        Self {
            inner,
            writer: Writer {
                topic: KafkaOptions::dead_letters(service),
                publisher,
                away,
                instruments,
            },
        }
    }
}

impl<S> Service<Batch> for DeadLetters<S>
where
    S: Service<Batch, Response = Vec<Verdict>, Error = Stopped> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Settled;
    type Error = Stopped;
    type Future = BoxFuture<'static, Result<Settled, Stopped>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Stopped>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, batch: Batch) -> Self::Future {
        let Self { mut inner, writer } = self.clone();
        Box::pin(async move {
            let items = batch.items.clone();
            let lane = Arc::clone(&batch.lane);
            let verdicts = inner.ready().await?.call(batch).await?;
            let mut settled = Settled { done: 0, dead: 0 };
            for (item, verdict) in items.iter().zip(verdicts) {
                match verdict {
                    Verdict::Done => settled.done += 1,
                    Verdict::Dead { poison, attempts } => {
                        let putting = writer.put_aside(item, &lane, &poison, attempts);
                        item.traced.clone().run(putting).await?;
                        settled.dead += 1;
                    }
                }
            }
            Ok(settled)
        })
    }
}

impl Writer {
    async fn put_aside(
        &self,
        item: &Item,
        lane: &Lane,
        poison: &Poison,
        attempts: u32,
    ) -> Result<(), Stopped> {
        telemetry::span::fail(item.traced.span(), poison.class.as_str(), &poison.message);
        // Not an error of ours: bad input is somebody else's, and is kept.
        tracing::warn!(
            record = ?item.record,
            class = poison.class.as_str(),
            reason = poison.message,
            attempts,
            "a record was put into the dead-letter topic"
        );
        let mut pause = Pause::default();
        loop {
            let letter = self.letter(item, lane, poison, attempts);
            let published = match self.publisher.publish(letter).await {
                Err(PublishError::TooLarge) => {
                    // It came from Kafka with less around it. Losing it would be
                    // worse than losing its value: the origin still holds that.
                    let mut letter = self.letter(item, lane, poison, attempts);
                    letter.payload = None;
                    self.publisher.publish(letter).await
                }
                published => published,
            };
            let Err(error) = published else {
                break;
            };
            let why = format!("dead letters cannot be written: {error}");
            self.away.waits(&lane.topic, lane.partition, &why);
            self.away.pause(lane, pause.next_pause()).await?;
        }
        fault::point(Point::DeadLetterWritten);
        self.away.goes_on(&lane.topic, lane.partition);
        self.instruments.dead(&lane.topic, poison.class);
        Ok(())
    }

    /// The record's own bytes, key and headers, and why it is here. One that was
    /// put back keeps what it says of where it first stood.
    fn letter(&self, item: &Item, lane: &Lane, poison: &Poison, attempts: u32) -> Outgoing {
        let record = &item.record;
        let mut all: Vec<(String, Option<Vec<u8>>)> = record
            .headers()
            .map(|(name, value)| {
                (
                    String::from_utf8_lossy(name).into_owned(),
                    value.map(<[u8]>::to_vec),
                )
            })
            .collect();
        let mut add = |name: &str, value: String| {
            all.push((name.to_owned(), Some(value.into_bytes())));
        };
        if !KafkaOptions::is_replays(record.topic()) {
            add(headers::DLQ_TOPIC, record.topic().to_owned());
            add(headers::DLQ_PARTITION, record.partition().to_string());
            add(headers::DLQ_OFFSET, record.offset().to_string());
            add(headers::DLQ_TIMESTAMP, record.timestamp_ms().to_string());
        }
        add(headers::DLQ_GROUP, lane.group.to_string());
        add(headers::DLQ_CLASS, poison.class.as_str().to_owned());
        add(headers::DLQ_MESSAGE, poison.message.clone());
        add(headers::DLQ_ATTEMPTS, attempts.to_string());
        Outgoing::raw(
            self.topic.clone(),
            record.key().map(<[u8]>::to_vec),
            record.payload().map(<[u8]>::to_vec),
            all,
        )
    }
}
