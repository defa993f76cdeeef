//! Reading topics beside the services: from where, how far, and at what cost. On
//! librdkafka's own broker, in this process, with the real protocol.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use chassis::kafka::{
    Admission, EmbeddedBroker, KafkaOptions, Record,
    dead_letters::{self, LetterId, Triage},
    lookup::{self, Bounds, Wanted},
    reader::{From, Read, Stretch, Then, read},
};
use rdkafka::{
    ClientConfig,
    message::{Header, OwnedHeaders},
    producer::{FutureProducer, FutureRecord},
};

const PATIENCE: Duration = Duration::from_secs(20);
/// More bytes than any test has.
const ALL: usize = 1_000_000;

struct Broker {
    options: KafkaOptions,
    producer: FutureProducer,
    _running: EmbeddedBroker,
}

impl Broker {
    fn start(topics: &[(&str, i32)]) -> Self {
        let broker = EmbeddedBroker::start(topics.iter().copied()).unwrap();
        let servers = broker.bootstrap_servers();
        let producer = ClientConfig::new()
            .set("bootstrap.servers", &servers)
            .set("partitioner", "murmur2_random")
            .create()
            .unwrap();
        Self {
            options: KafkaOptions::for_brokers(servers).with_admission(Arc::<Admission>::default()),
            producer,
            _running: broker,
        }
    }

    async fn put(&self, topic: &str, key: &str, millis: i64, headers: &[(&str, &str)]) {
        let headers = headers
            .iter()
            .fold(OwnedHeaders::new(), |all, (key, value)| {
                let value = Some(*value);
                all.insert(Header { key, value })
            });
        let record = FutureRecord::to(topic)
            .key(key)
            .payload("value")
            .timestamp(millis)
            .headers(headers);
        self.producer.send(record, PATIENCE).await.unwrap();
    }

    /// A letter of history, with its class.
    async fn give_up(&self, millis: i64, class: &str) {
        let written = millis.to_string();
        let headers = [
            ("dlq_origin_topic", "orders.v1"),
            ("dlq_origin_partition", "0"),
            ("dlq_origin_offset", &written),
            ("dlq_origin_timestamp", &written),
            ("dlq_error_class", class),
        ];
        self.put("history.dlq.v1", "key", millis, &headers).await;
    }

    /// Blocking work, as a service does it.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&KafkaOptions) -> T + Send + 'static,
    ) -> T {
        let options = self.options.clone();
        tokio::task::spawn_blocking(move || work(&options))
            .await
            .unwrap()
    }

    async fn offsets(&self, from: From) -> (Vec<i64>, Read) {
        self.blocking(move |options| {
            let mut offsets = Vec::new();
            let stretches = [Stretch::of("words.v1", from)];
            let ended = read(options, &stretches, Some(soon()), |record: Record| {
                offsets.push(record.offset());
                Then::Next
            });
            (offsets, ended.unwrap())
        })
        .await
    }
}

fn soon() -> Instant {
    Instant::now() + PATIENCE
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_begins_where_it_is_told_and_ends_at_the_end() {
    let broker = Broker::start(&[("words.v1", 1)]);
    let nothing = broker.offsets(From::Beginning).await;
    assert_eq!(nothing.0, [] as [i64; 0]);
    for millis in 1..=10 {
        broker.put("words.v1", "key", millis, &[]).await;
    }
    for (from, offsets, older) in [
        (From::Beginning, 0..10, false),
        (From::Last(3), 7..10, true),
        (From::Last(10), 0..10, false),
        (From::Offset(8), 8..10, false),
        (From::Offset(10), 10..10, false),
        (From::Offset(i64::MAX), 10..10, false),
    ] {
        let (read, ended) = broker.offsets(from).await;
        assert_eq!(read, offsets.collect::<Vec<_>>(), "{from:?}");
        let complete = true;
        assert_eq!(ended, Read { complete, older }, "{from:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_ends_with_its_deadline_and_a_topic_that_is_not_there_is_told() {
    let broker = Broker::start(&[("words.v1", 1)]);
    broker.put("words.v1", "key", 1, &[]).await;
    let (late, missing) = broker
        .blocking(|options| {
            let none = |_| Then::Next;
            let words = [Stretch::of("words.v1", From::Beginning)];
            let late = read(options, &words, Some(Instant::now()), none);
            let nowhere = [Stretch::of("nowhere.v1", From::Beginning)];
            (late.unwrap(), read(options, &nowhere, Some(soon()), none))
        })
        .await;
    assert!(!late.complete);
    assert!(format!("{:#}", missing.unwrap_err()).contains("nowhere.v1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keys_records_are_found_in_its_partition_within_bounds() {
    let broker = Broker::start(&[("orders.v1", 4), ("payments.v1", 4)]);
    for index in 0..40 {
        let key = format!("other-{index}");
        broker.put("orders.v1", &key, 1_000, &[]).await;
    }
    for topic in ["orders.v1", "payments.v1", "orders.v1"] {
        broker.put(topic, "mine", 2_000, &[]).await;
    }
    // Those that come much later are not read.
    broker.put("orders.v1", "mine", 9_000, &[]).await;
    broker.put("orders.v1", "mine", 9_001, &[]).await;
    let find = async |expected: usize, read: usize, found: usize, bytes: usize| {
        let wanted = ["orders.v1", "payments.v1"].map(|topic| Wanted {
            topic,
            key: "mine".to_owned(),
            since_ms: 1_500,
            until_ms: 3_000,
            expected,
        });
        let find = move |options: &KafkaOptions| {
            let deadline = soon();
            let bounds = Bounds {
                read,
                found,
                bytes,
                deadline,
            };
            lookup::find(options, &wanted, bounds).unwrap()
        };
        let found = broker.blocking(find).await;
        let places: Vec<_> = found
            .records
            .iter()
            .map(|record| (record.topic().to_owned(), record.timestamp_ms()))
            .collect();
        (places, found.complete)
    };
    let (places, complete) = find(1, 1_000, 1_000, ALL).await;
    let topics = ["orders.v1", "orders.v1", "orders.v1", "payments.v1"];
    let times = [2_000, 2_000, 9_000, 2_000];
    let expected: Vec<_> = topics.map(str::to_owned).into_iter().zip(times).collect();
    assert_eq!((places, complete), (expected, true));
    assert!(!find(9, 1_000, 1_000, ALL).await.1, "there are not as many");
    assert!(
        !find(1, 1, 1_000, ALL).await.1,
        "one record read is too few"
    );
    assert_eq!(find(1, 1_000, 1, ALL).await.0.len(), 1);
    let large = find(9, 1_000, 1_000, 10).await;
    assert_eq!((large.0.len(), large.1), (2, false), "9 bytes each");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_letters_are_found_and_put_back_once() {
    let broker = Broker::start(&[("history.dlq.v1", 1), ("history.replay.v1", 1)]);
    let start = jiff::Timestamp::now().as_millisecond() - 60_000;
    for index in 0..10 {
        let class = if index % 5 == 0 {
            "conflict"
        } else {
            "invalid"
        };
        broker.give_up(start + index, class).await;
    }
    let newest = async |class: Option<&'static str>, count: usize| {
        let find = move |options: &KafkaOptions| {
            dead_letters::newest(options, &["history"], class, count, soon()).unwrap()
        };
        let newest = broker.blocking(find).await;
        let offsets: Vec<_> = newest
            .found
            .iter()
            .map(|found| (found.letter.record.offset(), found.is_back))
            .collect();
        (offsets, newest.truncated)
    };
    assert_eq!(newest(None, 2).await, (vec![(9, false), (8, false)], true));
    let all = newest(None, 50).await;
    assert_eq!((all.0.len(), all.1), (10, false));
    let conflicts = newest(Some("conflict"), 50).await;
    assert_eq!(conflicts, (vec![(5, false), (0, false)], false));

    let id = |offset| LetterId {
        service: "history".to_owned(),
        partition: 0,
        offset,
    };
    let triage = async || {
        let ids = [id(5), id(9), id(77)];
        let find = move |options: &KafkaOptions| dead_letters::named(options, &ids, ALL, soon());
        let found = broker.blocking(find).await.unwrap();
        let triage = Triage::of(found, jiff::Timestamp::now().as_millisecond(), false);
        let offsets = |letters: &[dead_letters::DeadLetter]| -> Vec<i64> {
            letters
                .iter()
                .map(|letter| letter.record.offset())
                .collect()
        };
        (
            offsets(&triage.waiting),
            offsets(&triage.before),
            triage.waiting,
        )
    };
    let (waiting, before, letters) = triage().await;
    assert_eq!((waiting, before), (vec![5, 9], vec![]));
    let ids = [id(5), id(9)];
    let size = letters[0].record.size();
    let find = move |options: &KafkaOptions| dead_letters::named(options, &ids, size, soon());
    let large = broker.blocking(find).await.unwrap_err();
    assert!(large.is::<dead_letters::TooLarge>(), "{large}");
    dead_letters::replay(&broker.options, "history", &letters[..1], None, || {})
        .await
        .unwrap();
    let (waiting, before, _) = triage().await;
    assert_eq!((waiting, before), (vec![9], vec![5]));
    assert_eq!(newest(Some("conflict"), 1).await, (vec![(5, true)], true));
}
