//! Apache Kafka: what real clients see, and every way to hurt a broker.

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use testkit::harness::{Needs, Suite};
use testkit::kafka::{Builder, Cluster};
use testkit::proxy::{Direction, Link};
use testkit::wait::until;
use tokio::task::spawn_blocking;

const SOON: Duration = Duration::from_mins(1);
const PARTITIONS: usize = 3;

fn main() -> ExitCode {
    let needs = [Needs::Kafka];
    Suite::new()
        .test("one_broker_serves", needs, one_broker_serves)
        .test(
            "topics_are_not_created_by_themselves",
            needs,
            topics_are_not_created_by_themselves,
        )
        .test(
            "three_brokers_survive_the_kill_of_one",
            needs,
            three_brokers_survive_the_kill_of_one,
        )
        .test(
            "a_paused_broker_is_missed_until_it_is_resumed",
            needs,
            a_paused_broker_is_missed_until_it_is_resumed,
        )
        .test(
            "one_of_three_acknowledges_nothing",
            needs,
            one_of_three_acknowledges_nothing,
        )
        .test(
            "a_lost_acknowledgement_doubles_nothing",
            needs,
            a_lost_acknowledgement_doubles_nothing,
        )
        .run()
}

type Sender = ThreadedProducer<Acknowledged>;

/// Counts the records that the brokers acknowledged.
#[derive(Default)]
struct Acknowledged(AtomicUsize);

impl ClientContext for Acknowledged {}

impl ProducerContext for Acknowledged {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if result.is_ok() {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn acknowledged(producer: &Sender) -> usize {
    producer.context().0.load(Ordering::Relaxed)
}

/// A cluster's topic and clients for it.
#[derive(Clone)]
struct Topic {
    name: &'static str,
    client: ClientConfig,
}

impl Topic {
    async fn create(cluster: &Cluster, name: &'static str) -> anyhow::Result<Self> {
        let mut client = ClientConfig::new();
        client
            .set("bootstrap.servers", cluster.bootstrap_servers())
            .set("enable.idempotence", "true")
            .set("message.timeout.ms", "40000")
            .set("auto.offset.reset", "earliest")
            .set("group.id", name);
        let replicas = i32::try_from(cluster.brokers().len())?;
        let topic = NewTopic::new(
            name,
            i32::try_from(PARTITIONS)?,
            TopicReplication::Fixed(replicas),
        );
        let admin: AdminClient<_> = client.create()?;
        for created in admin.create_topics([&topic], &AdminOptions::new()).await? {
            created.map_err(|(topic, code)| anyhow::anyhow!("{topic}: {code}"))?;
        }
        Ok(Self { name, client })
    }

    fn producer(&self) -> anyhow::Result<Sender> {
        let acknowledged = Acknowledged::default();
        Ok(self.client.create_with_context(acknowledged)?)
    }

    /// Sends `count` records and says how many all replicas have.
    async fn send(&self, producer: &Sender, count: usize) -> anyhow::Result<usize> {
        let before = acknowledged(producer);
        for number in 0..count {
            let payload = number.to_be_bytes();
            let record = BaseRecord::to(self.name)
                .key("key")
                .payload(&payload[..])
                .partition(i32::try_from(number % PARTITIONS)?);
            producer.send(record).map_err(|(error, _)| error)?;
        }
        let flushing = producer.clone();
        spawn_blocking(move || flushing.flush(SOON)).await??;
        Ok(acknowledged(producer) - before)
    }

    /// Reads with a new consumer group until nothing comes for a second.
    async fn read_all(&self, at_least: usize) -> anyhow::Result<usize> {
        let consumer: BaseConsumer = self.client.create()?;
        consumer.subscribe(&[self.name])?;
        spawn_blocking(move || {
            let deadline = Instant::now() + SOON;
            let mut count = 0;
            loop {
                match consumer.poll(Duration::from_secs(1)) {
                    Some(record) => {
                        record?.payload().context("a record without a value")?;
                        count += 1;
                    }
                    None if count >= at_least || Instant::now() > deadline => return Ok(count),
                    None => {}
                }
            }
        })
        .await?
    }
}

async fn one_broker_serves() -> anyhow::Result<()> {
    let cluster = Cluster::shared(1).await?;
    let topic = Topic::create(cluster, "serves").await?;
    ensure!(topic.send(&topic.producer()?, 100).await? == 100);
    let read = topic.read_all(100).await?;
    ensure!(read == 100, "{read} records");
    Ok(())
}

async fn topics_are_not_created_by_themselves() -> anyhow::Result<()> {
    let cluster = Cluster::shared(1).await?;
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", cluster.bootstrap_servers());
    let consumer: BaseConsumer = client.create()?;
    let metadata = spawn_blocking(move || consumer.fetch_metadata(Some("unheard-of"), SOON));
    ensure!(metadata.await??.topics()[0].partitions().is_empty());
    Ok(())
}

async fn three_brokers_survive_the_kill_of_one() -> anyhow::Result<()> {
    let cluster = impatient().launch().await?;
    let topic = Topic::create(&cluster, "survives").await?;
    let producer = topic.producer()?;
    let send = async |when| {
        let sent = topic.send(&producer, 30).await?;
        ensure!(sent == 30, "{sent} of 30 were acknowledged {when}");
        Ok(())
    };
    send("at first").await?;
    cluster.broker(2).kill().await?;
    send("after a kill").await?;
    cluster.broker(2).start().await?;
    until_live(&cluster, 1, &[1, 2, 3]).await?;
    cluster.broker(3).stop().await?;
    send("after a stop").await?;
    cluster.broker(3).start().await?;
    let read = topic.read_all(90).await?;
    ensure!(read == 90, "{read} records");
    Ok(())
}

async fn a_paused_broker_is_missed_until_it_is_resumed() -> anyhow::Result<()> {
    let cluster = impatient().launch().await?;
    cluster.broker(1).pause().await?;
    until_live(&cluster, 2, &[2, 3]).await?;
    cluster.broker(1).resume().await?;
    until_live(&cluster, 2, &[1, 2, 3]).await
}

/// Three brokers that miss one of them after 3 s rather than Kafka's 9.
fn impatient() -> Builder {
    Cluster::builder(3)
        .setting("broker.session.timeout.ms", "3000")
        .setting("broker.heartbeat.interval.ms", "500")
}

async fn until_live(cluster: &Cluster, asked: usize, expected: &[usize]) -> anyhow::Result<()> {
    let what = format!("broker {asked} to see {expected:?}");
    until(&what, SOON, || async {
        let live = cluster.broker(asked).live_brokers().await?;
        ensure!(live == expected, "{live:?}");
        Ok(())
    })
    .await
}

async fn one_of_three_acknowledges_nothing() -> anyhow::Result<()> {
    let cluster = Cluster::launch(3).await?;
    let mut topic = Topic::create(&cluster, "refused").await?;
    topic.client.set("message.timeout.ms", "3000");
    let producer = topic.producer()?;
    ensure!(topic.send(&producer, 3).await? == 3);

    let (two, three) = (cluster.broker(2), cluster.broker(3));
    tokio::try_join!(two.kill(), three.kill())?;
    ensure!(topic.send(&producer, 3).await? == 0);

    tokio::try_join!(two.start(), three.start())?;
    // What timed out has made the idempotent producer's state uncertain, so a
    // new one stands for the service's rebuilt one.
    topic.client.set("message.timeout.ms", "40000");
    ensure!(topic.send(&topic.producer()?, 3).await? == 3);
    Ok(())
}

async fn a_lost_acknowledgement_doubles_nothing() -> anyhow::Result<()> {
    let cluster = Cluster::builder(1).proxied().launch().await?;
    let topic = Topic::create(&cluster, "lost").await?;
    let producer = topic.producer()?;
    ensure!(topic.send(&producer, 1).await? == 1);

    let proxy = cluster.broker(1).proxy().context("no proxy")?;
    proxy.set(Link::Swallow(Direction::ToClient));
    let sending = topic.send(&producer, 1);
    let losing = async {
        until("the acknowledgement to be swallowed", SOON, || async {
            proxy.swallowed() > 0
        })
        .await?;
        proxy.set(Link::Cut);
        proxy.set(Link::Open);
        Ok(())
    };
    let (acknowledged, ()) = tokio::try_join!(sending, losing)?;
    ensure!(acknowledged == 1);
    let read = topic.read_all(2).await?;
    ensure!(read == 2, "{read} records");
    Ok(())
}
