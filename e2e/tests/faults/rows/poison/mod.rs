//! Rows 11 and 12: poison is put aside byte for byte, the rest is untouched; and
//! replayed dead letters change nothing that has happened.

mod kinds;

use std::{collections::BTreeMap, time::Duration};

use anyhow::Context as _;
use chassis::{
    fault::Point,
    kafka::{
        dead_letters::{DeadLetter, Replays, find, replay},
        headers,
    },
};
use e2e::footing::STORING;
use proto::event::ORDERS;
use rdkafka::{
    ClientConfig,
    message::{Header, OwnedHeaders},
    producer::{FutureProducer, FutureRecord},
};
use testkit::wait::until;

use self::kinds::{Poison, all};
use super::{Measured, Row, Size, a_while, under_load};
use crate::{
    audit::Allowed,
    baseline::{Baseline, dead_letters},
    load::{Told, attempt},
    world::{STOP, World},
};

pub(crate) fn row() -> Row {
    Row {
        number: 11,
        fault: "poison among orders; its dead letters replayed 3 times over; a crash beside one",
        in_short: true,
        body: |world, size| Box::pin(poisoned(world, size)),
    }
}

/// Services that know another content under an order's id when they see it;
/// analytics takes its id for known.
const COMPARING: [&str; 3] = ["payments", "history", "notifier"];

async fn poisoned(world: &mut World, size: Size) -> anyhow::Result<Measured> {
    let mut measured = among_orders(world, size).await?;
    for service in &STORING[..size.of(1, STORING.len())] {
        for _ in 0..size.of(1, 5) {
            measured.add(crashed(world, service).await?);
        }
    }
    Ok(measured)
}

/// Plants poison: one record of a hundred.
async fn among_orders(world: &mut World, size: Size) -> anyhow::Result<Measured> {
    let times = size.of(2, 12);
    let known = placed(world).await?;
    let before = dead_letters(world).await?;
    let of_service = |service| {
        let poisons = all(&known)?.into_iter();
        let told = |poison: &Poison| poison.class != "conflict" || COMPARING.contains(&service);
        anyhow::Ok(poisons.filter(told).collect::<Vec<_>>())
    };
    let mut allowed = Allowed::within(15);
    for service in STORING {
        let planted = i64::try_from(times * of_service(service)?.len())?;
        allowed.dead_letters.insert(service, planted);
    }
    let since = Baseline::take(world).await?.since_ms;
    let mut planted = BTreeMap::new();
    let expected = allowed.dead_letters.clone();
    let (mut measured, _) = under_load(world, &allowed, async |world| {
        for _ in 0..times {
            planted.append(&mut plant(world, all(&known)?).await?);
            a_while(size.of(200, 4_200) as u64).await;
        }
        // They are dead letters before anybody counts.
        until("the dead letters", Duration::from_secs(30), async || {
            let now = dead_letters(world).await?;
            for service in STORING {
                let more = now[service] - before[service];
                anyhow::ensure!(more == expected[service], "{service}: {more}");
            }
            anyhow::Ok(())
        })
        .await
    })
    .await?;
    measured.count = planted.len();
    for service in STORING {
        let letters = letters(world, service, since).await?;
        let mut classes: BTreeMap<&str, usize> = BTreeMap::new();
        for letter in &letters {
            *classes.entry(letter.class.as_str()).or_default() += 1;
            is_as_planted(letter, &planted)?;
        }
        let mut expected: BTreeMap<&str, usize> = BTreeMap::new();
        for poison in of_service(service)? {
            *expected.entry(poison.class).or_default() += times;
        }
        anyhow::ensure!(classes == expected, "{service}: {classes:?}");
    }
    measured.note = replayed(world, since).await?;
    Ok(measured)
}

/// An order that has all its effects; its id.
async fn placed(world: &mut World) -> anyhow::Result<String> {
    let user = world.new_users();
    let Told::Ok(order) = attempt(&world.footing.rest, user).await else {
        anyhow::bail!("the order was not accepted");
    };
    let path = format!("/orders/{order}?wait=30s&until=final");
    let view = world.footing.rest.get(&path).await?.json();
    anyhow::ensure!(view["final"] == true, "it has not all its effects: {view}");
    // Its mails' events may still be on their way to analytics.
    until("them to be counted", Duration::from_secs(10), async || {
        let database = world.database("analytics").await?;
        let sql = "SELECT count(*) FROM inbox WHERE id::text = ANY($1)";
        let ids: Vec<String> = view["notifications"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|mail| Some(mail["notificationId"].as_str()?.to_owned()))
            .collect();
        let counted: i64 = database.query_one(sql, &[&ids]).await?.get(0);
        anyhow::ensure!(usize::try_from(counted)? == ids.len(), "{counted}");
        anyhow::Ok(())
    })
    .await?;
    Ok(order)
}

/// Where each record stands, and what it is.
type Planted = BTreeMap<(i32, i64), Poison>;

/// The letter holds the record byte for byte, and why it is one.
fn is_as_planted(letter: &DeadLetter, planted: &Planted) -> anyhow::Result<()> {
    let origin = &letter.origin;
    anyhow::ensure!(origin.topic == ORDERS, "{origin:?}");
    let poison = planted
        .get(&(origin.partition, origin.offset))
        .with_context(|| format!("nobody planted {origin}"))?;
    let record = &letter.record;
    let same = record.key() == Some(&poison.key)
        && record.payload() == Some(&poison.value)
        && record.header(headers::CE_TYPE) == Some(&poison.kind);
    anyhow::ensure!(same, "{origin} was changed on its way");
    anyhow::ensure!(!letter.message.is_empty(), "{origin} has no reason");
    Ok(())
}

/// Dies between a dead letter and its record's offset: the record comes again, and
/// is the same letter again.
async fn crashed(world: &mut World, service: &'static str) -> anyhow::Result<Measured> {
    let before = dead_letters(world).await?;
    let since = Baseline::take(world).await?.since_ms;
    world.process(service)?.stop(STOP).await?;
    let point = format!("{}:1", Point::DeadLetterWritten.name());
    world.launch(service, &[("FAULT_CRASH", point)]).await?;
    let mut allowed = Allowed {
        // The others of notifier's mails may be anywhere.
        mails_twice: service == "notifier",
        ..Allowed::within(15)
    };
    for other in STORING {
        let times = if other == service { 2 } else { 1 };
        allowed.dead_letters.insert(other, times);
    }
    let mut planted = BTreeMap::new();
    let (measured, _) = under_load(world, &allowed, async |world| {
        let mut poisons = all("")?;
        poisons.retain(|poison| poison.class == "undecodable" && !poison.value.is_empty());
        planted = plant(world, poisons).await?;
        until("the service to die", Duration::from_secs(30), async || {
            let is_running = world.process(service)?.is_running();
            anyhow::ensure!(!is_running, "it runs");
            anyhow::Ok(())
        })
        .await?;
        world.begin(service, &[]).await?;
        until("the letter again", Duration::from_secs(30), async || {
            let now = dead_letters(world).await?;
            let more = now[service] - before[service];
            anyhow::ensure!(more == 2, "{more}");
            anyhow::Ok(())
        })
        .await
    })
    .await?;
    for letter in letters(world, service, since).await? {
        is_as_planted(&letter, &planted)?;
    }
    Ok(measured)
}

async fn plant(world: &World, poisons: Vec<Poison>) -> anyhow::Result<Planted> {
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", world.footing.brokers())
        .create()?;
    let topic = world.footing.topic(ORDERS);
    let mut planted = BTreeMap::new();
    for poison in poisons {
        let headers = OwnedHeaders::new().insert(Header {
            key: headers::CE_TYPE,
            value: Some(&poison.kind),
        });
        let record = FutureRecord::to(&topic)
            .key(&poison.key)
            .payload(&poison.value)
            .headers(headers);
        let sent = producer.send(record, Duration::from_secs(10)).await;
        let delivery = sent.map_err(|(error, _)| error)?;
        planted.insert((delivery.partition, delivery.offset), poison);
    }
    Ok(planted)
}

async fn letters(
    world: &World,
    service: &'static str,
    since: i64,
) -> anyhow::Result<Vec<DeadLetter>> {
    let options = world.footing.kafka()?;
    tokio::task::spawn_blocking(move || {
        let found = find(&options, &[service], Some(since), |_| true)?;
        anyhow::Ok(found.into_iter().map(|found| found.letter).collect())
    })
    .await?
}

/// Puts each service's letters back, three times over. They fail again, as the
/// same letters; orders stay as they were.
async fn replayed(world: &World, since: i64) -> anyhow::Result<String> {
    let baseline = Baseline::take(world).await?;
    let options = world.footing.kafka()?;
    let mut count = 0;
    for service in STORING {
        let letters = letters(world, service, since).await?;
        for _ in 0..3 {
            replay(&options, service, &letters, None, || count += 1).await?;
        }
        let expected = i64::try_from(letters.len() * 3)?;
        until(
            "the letters to come back",
            Duration::from_secs(30),
            async || {
                let now = dead_letters(world).await?;
                let more = now[service] - baseline.dead_letters[service];
                anyhow::ensure!(more == expected, "{service}: {more} of {expected}");
                anyhow::Ok(())
            },
        )
        .await?;
        let again = self::letters(world, service, baseline.since_ms).await?;
        let (options, of) = (options.clone(), service);
        let of = [(of.to_owned(), 0)].into();
        let replays =
            tokio::task::spawn_blocking(move || Replays::since(&options, &of, None)).await??;
        for letter in &letters {
            anyhow::ensure!(replays.contain(letter), "{} is back", letter.id());
            let same = again.iter().filter(|one| one.origin == letter.origin);
            anyhow::ensure!(
                same.count() == 3,
                "{}: it is the same letter",
                letter.origin
            );
        }
    }
    Ok(format!("{count} replays"))
}
