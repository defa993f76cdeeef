//! The consumer loop and the publisher against a broker: librdkafka's own, in
//! this process, with the real protocol.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use chassis::{
    config::Config,
    kafka::{
        ConsumerOptions, Delivery, EmbeddedBroker, Handler, HandlerError, Outgoing, Poison,
        PublishError, Publisher, Record, Settlement, headers,
    },
    service::{Context, Running, Service, prepare},
};
use rdkafka::{
    ClientConfig, Message as _,
    consumer::{BaseConsumer, Consumer as _},
    message::Headers as _,
};
use tokio::sync::oneshot;

const TOPIC: &str = "words.v1";

/// A dead letter's value, and its headers.
type DeadLetter = (Vec<u8>, HashMap<String, Vec<u8>>);

/// What a test sees of its service, and tells it to do.
#[derive(Default)]
struct Script {
    seen: Mutex<Vec<String>>,
    away: Mutex<bool>,
    batches: Mutex<Vec<usize>>,
    publisher: Mutex<Option<oneshot::Sender<Publisher>>>,
}

/// Services are made from settings alone, so a test finds its own by name.
static SCRIPTS: LazyLock<Mutex<HashMap<String, Arc<Script>>>> = LazyLock::new(Mutex::default);

struct Words(Arc<Script>);

#[async_trait]
impl Handler for Words {
    type Event = String;

    fn decode(&self, record: &Record) -> Result<String, Poison> {
        let bytes = record.payload().unwrap_or_default();
        assert!(bytes != b"riddle", "as told");
        String::from_utf8(bytes.to_vec()).map_err(|_| Poison::invalid("not a word"))
    }

    async fn handle(&self, batch: &[Delivery<String>]) -> Result<Vec<Settlement>, HandlerError> {
        if *self.0.away.lock().unwrap() {
            return Err(HandlerError::Unavailable("told to be away".into()));
        }
        if batch.iter().any(|delivery| delivery.event == "guilty") {
            return Err(HandlerError::failed("a word of this batch breaks a rule"));
        }
        assert!(
            batch.iter().all(|delivery| delivery.event != "panic"),
            "as told"
        );
        self.0.batches.lock().unwrap().push(batch.len());
        let mut settlements = Vec::new();
        for delivery in batch {
            if delivery.event == "again" {
                settlements.push(Settlement::Retry("not yet".into()));
            } else {
                self.0.seen.lock().unwrap().push(delivery.event.clone());
                settlements.push(Settlement::Done);
            }
        }
        Ok(settlements)
    }
}

struct Reader;

impl Service for Reader {
    const NAME: &'static str = "reader";
    const SECTION: &'static str = "READER";
    const ADMIN_ADDRESS: &'static str = "127.0.0.1:0";
    type Options = String;

    fn options(config: &mut Config) -> String {
        config
            .section("READER")
            .get("SCRIPT", "", "which test this is")
    }

    async fn start(script: String, context: &mut Context) -> anyhow::Result<()> {
        let script = Arc::clone(&SCRIPTS.lock().unwrap()[&script]);
        let publisher = context.publisher()?;
        if let Some(sender) = script.publisher.lock().unwrap().take() {
            let _ = sender.send(publisher);
        }
        let options = ConsumerOptions {
            batch_max: 100,
            ..ConsumerOptions::new(&[TOPIC])
        };
        context.consume(options, Arc::new(Words(script)))
    }
}

struct Fixture {
    broker: EmbeddedBroker,
    script: Arc<Script>,
    name: String,
}

impl Fixture {
    fn new(name: &str, partitions: i32) -> Self {
        Self::with(name, Some((TOPIC, partitions)))
    }

    /// With these topics besides the service's own.
    fn with(name: &str, topics: impl IntoIterator<Item = (&'static str, i32)>) -> Self {
        let own = [("reader.dlq.v1", 1), ("reader.replay.v1", 1)];
        let topics = own.into_iter().chain(topics);
        let script = Arc::new(Script::default());
        SCRIPTS
            .lock()
            .unwrap()
            .insert(name.into(), Arc::clone(&script));
        Self {
            broker: EmbeddedBroker::start(topics).unwrap(),
            script,
            name: name.into(),
        }
    }

    fn start(&self) -> (Running, Publisher) {
        let (sender, receiver) = oneshot::channel();
        *self.script.publisher.lock().unwrap() = Some(sender);
        let mut config = Config::load(
            None,
            [
                ("KAFKA__BROKERS".to_owned(), self.broker.bootstrap_servers()),
                ("KAFKA__FETCH_WAIT_MAX_MS".to_owned(), "10".to_owned()),
                ("READER__SCRIPT".to_owned(), self.name.clone()),
                ("TELEMETRY__LOG".to_owned(), "off".to_owned()),
            ],
        );
        let prepared = prepare::<Reader>(&mut config);
        config.finish().unwrap();
        let running = prepared.start().unwrap();
        (running, receiver.blocking_recv().unwrap())
    }

    fn seen(&self) -> Vec<String> {
        let mut seen = self.script.seen.lock().unwrap().clone();
        seen.sort();
        seen
    }

    fn until_seen(&self, count: usize) -> Vec<String> {
        until(|| self.script.seen.lock().unwrap().len() >= count);
        self.seen()
    }

    /// Everything in the dead-letter topic: value, and headers by name.
    fn dead_letters(&self, count: usize) -> Vec<DeadLetter> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", self.broker.bootstrap_servers())
            .set("group.id", "test")
            .set("auto.offset.reset", "earliest")
            .set("fetch.wait.max.ms", "10")
            .create()
            .unwrap();
        consumer.subscribe(&["reader.dlq.v1"]).unwrap();
        let mut letters = Vec::new();
        until(|| {
            if let Some(Ok(message)) = consumer.poll(Duration::from_millis(50)) {
                let headers = message.headers().map_or_else(HashMap::new, |headers| {
                    headers
                        .iter()
                        .map(|header| {
                            (header.key.into(), header.value.unwrap_or_default().to_vec())
                        })
                        .collect()
                });
                letters.push((message.payload().unwrap_or_default().to_vec(), headers));
            }
            letters.len() >= count
        });
        letters
    }
}

fn until(mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "waited 30 s in vain"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn word(text: &[u8]) -> Outgoing {
    let headers = vec![("kept".to_owned(), Some(b"as it was".to_vec()))];
    Outgoing::raw(
        TOPIC.into(),
        Some(text.to_vec()),
        Some(text.to_vec()),
        headers,
    )
}

fn publish(running: &Running, publisher: &Publisher, words: impl IntoIterator<Item = String>) {
    running.handle().block_on(async {
        let sent = words
            .into_iter()
            .map(|text| publisher.publish(word(text.as_bytes())));
        for result in futures::future::join_all(sent).await {
            result.unwrap();
        }
    });
}

fn words(range: std::ops::Range<usize>) -> impl Iterator<Item = String> {
    range.map(|number| format!("word {number:05}"))
}

#[test]
fn a_missing_topic_is_named_until_it_is_there() {
    let fixture = Fixture::with("missing", None);
    let (running, _publisher) = fixture.start();
    let topics = || {
        let conditions = running.health().conditions();
        conditions
            .into_iter()
            .find(|of| of.name == "topics")
            .unwrap()
    };
    until(|| !topics().ready);
    let reason = topics().reason;
    assert!(reason.starts_with("words.v1 does not exist"), "{reason}");
    // The broker makes a topic for a client that asks for it and does not forbid that.
    let client: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", fixture.broker.bootstrap_servers())
        .set("allow.auto.create.topics", "true")
        .create()
        .unwrap();
    let asked = client.fetch_metadata(Some(TOPIC), Duration::from_secs(10));
    asked.unwrap();
    // Without any record.
    until(|| topics().ready);
    running.drain().unwrap();
}

#[test]
fn every_record_is_handled_once_and_batches_grow_with_the_load() {
    let fixture = Fixture::new("once", 4);
    let (running, publisher) = fixture.start();
    publish(&running, &publisher, words(0..2_000));
    assert_eq!(
        fixture.until_seen(2_000),
        words(0..2_000).collect::<Vec<_>>()
    );
    let largest = fixture.script.batches.lock().unwrap().iter().max().copied();
    assert!(largest > Some(1), "a backlog is taken in batches");
    running.drain().unwrap();
}

#[test]
fn a_drained_consumer_committed_all_and_the_next_reads_on() {
    let fixture = Fixture::new("drain", 2);
    let (running, publisher) = fixture.start();
    publish(&running, &publisher, words(0..500));
    fixture.until_seen(500);
    running.drain().unwrap();

    let (running, publisher) = fixture.start();
    publish(&running, &publisher, words(500..600));
    assert_eq!(
        fixture.until_seen(600),
        words(0..600).collect::<Vec<_>>(),
        "none came twice"
    );
    running.drain().unwrap();
}

#[test]
fn poison_is_put_aside_as_it_was_and_the_rest_goes_on() {
    let fixture = Fixture::new("poison", 1);
    let (running, publisher) = fixture.start();
    running.handle().block_on(async {
        publisher.publish(word(b"before")).await.unwrap();
        publisher
            .publish(word(b"\xff\xfe not utf-8"))
            .await
            .unwrap();
        publisher.publish(word(b"guilty")).await.unwrap();
        publisher.publish(word(b"panic")).await.unwrap();
        publisher.publish(word(b"riddle")).await.unwrap();
        publisher.publish(word(b"again")).await.unwrap();
        publisher.publish(word(b"after")).await.unwrap();
    });
    fixture.until_seen(2);
    let mut letters = fixture.dead_letters(5);
    letters.sort_by(|a, b| a.0.cmp(&b.0));
    let classes: Vec<_> = letters
        .iter()
        .map(|(value, headers)| (value.clone(), headers[headers::DLQ_CLASS].clone()))
        .collect();
    let expected: [(&[u8], &[u8]); 5] = [
        (b"again", b"exhausted"),
        (b"guilty", b"exhausted"),
        (b"panic", b"exhausted"),
        (b"riddle", b"undecodable"),
        (b"\xff\xfe not utf-8", b"invalid"),
    ];
    assert_eq!(
        classes,
        expected.map(|(value, class)| (value.to_vec(), class.to_vec()))
    );
    for (_, headers) in &letters {
        assert_eq!(headers["kept"], b"as it was");
        assert_eq!(headers[headers::DLQ_TOPIC], TOPIC.as_bytes());
        assert_eq!(headers[headers::DLQ_GROUP], b"ordermesh.reader");
    }
    assert_eq!(letters[0].1[headers::DLQ_ATTEMPTS], b"5");
    assert_eq!(fixture.seen(), ["after", "before"]);
    running.drain().unwrap();
}

#[test]
fn a_dependency_away_pauses_and_makes_no_dead_letter() {
    let fixture = Fixture::new("away", 2);
    *fixture.script.away.lock().unwrap() = true;
    let (running, publisher) = fixture.start();
    publish(&running, &publisher, words(0..50));
    let ready = |running: &Running| {
        running
            .health()
            .conditions()
            .iter()
            .all(|c| c.name != "dependencies" || c.ready)
    };
    until(|| !ready(&running));
    *fixture.script.away.lock().unwrap() = false;
    assert_eq!(fixture.until_seen(50).len(), 50);
    until(|| ready(&running));
    running.drain().unwrap();
}

/// The embedded broker refuses commits while a group rebalances, so some records
/// may come twice here; that none is lost must hold all the same.
#[test]
fn no_record_is_lost_when_partitions_move_between_members() {
    let fixture = Fixture::new("rebalance", 4);
    let distinct = || {
        let mut seen = fixture.seen();
        seen.dedup();
        seen
    };
    let (first, publisher) = fixture.start();
    publish(&first, &publisher, words(0..1_000));
    let (second, _) = fixture.start();
    publish(&first, &publisher, words(1_000..2_000));
    until(|| distinct().len() == 2_000);
    first.drain().unwrap();
    let (third, publisher) = fixture.start();
    publish(&third, &publisher, words(2_000..2_100));
    until(|| distinct().len() == 2_100);
    second.drain().unwrap();
    third.drain().unwrap();
}

#[test]
fn a_record_that_is_too_large_is_refused_and_surely_not_there() {
    let fixture = Fixture::new("large", 1);
    let (running, publisher) = fixture.start();
    let large = vec![b'x'; 3 * 1024 * 1024];
    let result = running.handle().block_on(publisher.publish(word(&large)));
    assert_eq!(result, Err(PublishError::TooLarge));
    running.drain().unwrap();
}

#[test]
fn without_a_broker_publishing_fails_and_says_that_nothing_was_taken() {
    let fixture = Fixture::new("gone", 1);
    let (running, publisher) = fixture.start();
    publish(&running, &publisher, words(0..1));
    drop(fixture.broker);
    let start = Instant::now();
    let result = running.handle().block_on(publisher.publish(word(b"late")));
    assert!(matches!(
        result,
        Err(PublishError::Unavailable(_) | PublishError::OutcomeUnknown(_))
    ));
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "within the gateway's deadline"
    );
    assert!(!running.health().is_ready());
    running.drain().unwrap();
}
