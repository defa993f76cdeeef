//! Rows 11 and 12: poison is put aside byte for byte, the rest is untouched; and
//! replayed dead letters change nothing that has happened.

use std::{collections::BTreeMap, ops::ControlFlow, time::Duration};

use chassis::kafka::{
    KafkaOptions,
    dead_letters::{DeadLetter, Replays, replay, scan},
    headers,
};
use e2e::footing::STORING;
use prost::{Message as _, Name as _};
use proto::{
    event::ORDERS,
    events::v1::{OrderLine, OrderPlaced},
};
use rdkafka::{
    ClientConfig,
    message::{Header, OwnedHeaders},
    producer::{FutureProducer, FutureRecord},
};
use testkit::wait::until;

use super::{Measured, Row, Size, a_while, under_load};
use crate::{
    audit::Allowed,
    baseline::{Baseline, dead_letters},
    world::World,
};

pub(crate) fn row() -> Row {
    Row {
        number: 11,
        fault: "poison among orders; its dead letters replayed 3 times over",
        in_short: true,
        body: |world, size| Box::pin(poisoned(world, size)),
    }
}

/// A record that never will work, and its class.
struct Poison {
    class: &'static str,
    key: Vec<u8>,
    value: Vec<u8>,
    kind: Vec<u8>,
}

fn all() -> anyhow::Result<Vec<Poison>> {
    let order = |change: fn(&mut OrderPlaced)| {
        let mut order = OrderPlaced {
            order_id: uuid::Uuid::now_v7().to_string(),
            user_id: 1,
            lines: vec![OrderLine {
                product_id: 1,
                name: "Keyboard".to_owned(),
                unit_price: 999,
                quantity: 1,
            }],
            currency_code: "USD".to_owned(),
            total: 999,
            email: "jane@example.com".to_owned(),
            placed_at: Some(proto::time::UnixMicros::now().into()),
            content_hash: vec![7; 32],
            ..OrderPlaced::default()
        };
        change(&mut order);
        order
    };
    let known = OrderPlaced::full_name();
    let valid = order(|_| {});
    // Or the row would test nothing but a mistake in its own order.
    proto::event::PlacedOrder::try_from(valid.clone())?;
    let of = |class: &'static str, order: OrderPlaced| Poison {
        class,
        key: order.order_id.clone().into_bytes(),
        value: order.encode_to_vec(),
        kind: known.clone().into_bytes(),
    };
    let bytes = |class: &'static str, value: &[u8], kind: &[u8]| Poison {
        class,
        key: b"poison".to_vec(),
        value: value.to_vec(),
        kind: kind.to_vec(),
    };
    let mut other_key = of("invalid", valid.clone());
    other_key.key = b"another order".to_vec();
    Ok(vec![
        bytes("undecodable", b"\xff\xff\xff no protobuf", known.as_bytes()),
        bytes("undecodable", b"", known.as_bytes()),
        bytes(
            "unsupported",
            &valid.encode_to_vec(),
            b"ordermesh.events.v9.OrderPlaced",
        ),
        bytes("unsupported", &valid.encode_to_vec(), b"\xff\xfe"),
        of("invalid", order(|order| order.lines[0].unit_price = -1)),
        of("invalid", order(|order| order.total = i64::MAX)),
        of(
            "invalid",
            order(|order| order.lines[0].name = "x".repeat(900 * 1024)),
        ),
        other_key,
    ])
}

async fn poisoned(world: &mut World, size: Size) -> anyhow::Result<Measured> {
    let times = size.of(2, 12);
    let before = dead_letters(world).await?;
    let kinds = all()?.len();
    let planted = i64::try_from(times * kinds)?;
    let mut allowed = Allowed::within(15);
    allowed.dead_letters = STORING
        .into_iter()
        .map(|service| (service, planted))
        .collect();
    let since = Baseline::take(world).await?.since_ms;
    let (mut measured, _) = under_load(world, &allowed, async |world| {
        for _ in 0..times {
            plant(world, all()?).await?;
            a_while(200).await;
        }
        // They are dead letters before anybody counts.
        until("the dead letters", Duration::from_secs(30), async || {
            let now = dead_letters(world).await?;
            let more: Vec<i64> = STORING.iter().map(|s| now[s] - before[s]).collect();
            anyhow::ensure!(more.iter().all(|more| *more == planted), "{more:?}");
            anyhow::Ok(())
        })
        .await
    })
    .await?;
    measured.count = times * kinds;
    for service in STORING {
        let letters = letters(world, service, since).await?;
        let mut classes: BTreeMap<&str, usize> = BTreeMap::new();
        for letter in &letters {
            *classes.entry(letter.class.as_str()).or_default() += 1;
        }
        let mut expected: BTreeMap<&str, usize> = BTreeMap::new();
        for poison in all()? {
            *expected.entry(poison.class).or_default() += times;
        }
        anyhow::ensure!(classes == expected, "{service}: {classes:?}");
        for letter in &letters {
            anyhow::ensure!(letter.origin.topic == ORDERS, "{:?}", letter.origin);
            anyhow::ensure!(!letter.message.is_empty(), "no reason");
        }
    }
    measured.note = replayed(world, since).await?;
    Ok(measured)
}

async fn plant(world: &World, poisons: Vec<Poison>) -> anyhow::Result<()> {
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", world.footing.brokers())
        .create()?;
    let topic = world.footing.topic(ORDERS);
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
        sent.map_err(|(error, _)| error)?;
    }
    Ok(())
}

async fn letters(
    world: &World,
    service: &'static str,
    since: i64,
) -> anyhow::Result<Vec<DeadLetter>> {
    let options = world.footing.kafka()?;
    tokio::task::spawn_blocking(move || {
        let mut letters = Vec::new();
        let topic = KafkaOptions::dead_letters(service);
        scan(&options, &topic, Some(since), |record| {
            letters.push(DeadLetter::of(service, record));
            ControlFlow::Continue(())
        })?;
        anyhow::Ok(letters)
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
        let replays = tokio::task::spawn_blocking(move || Replays::of(&options, of)).await??;
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
