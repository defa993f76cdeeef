//! `ordermesh load`, at the real doors.

use std::time::{Duration, Instant};

use e2e::footing::Footing;
use http::StatusCode;
use ordermesh::load::{self, Door, Misuse, Mix, Mode, Options, Report};
use testkit::{harness::Test, wait::until};

use crate::on_both;

/// Orders a second, for so long: few enough for a busy machine.
const RATE: u32 = 100;
const TIME: Duration = Duration::from_secs(2);
const ORDERS: u64 = 200;
/// Few, so that each can be asked what it ordered.
const USERS: u32 = 10;
/// Far from those of other tests, and each test has its own.
const OVER_REST: i64 = 80_000_001;
const OVER_GRPC: i64 = 80_001_001;
const REPEATED: i64 = 80_002_001;
const CLOSED: i64 = 80_003_001;

pub(crate) fn tests() -> Vec<Test> {
    let refused = Test::new("load on a system of others is refused", not_loopback);
    [
        on_both("load over REST is accepted and stored", |footing| {
            all_is_stored(footing, Door::Rest, OVER_REST)
        }),
        on_both("load over gRPC is accepted and stored", |footing| {
            all_is_stored(footing, Door::Grpc, OVER_GRPC)
        }),
        on_both("repeated orders under load make none more", repeated),
        on_both("a closed loop places one order after the other", closed),
    ]
    .into_iter()
    .flatten()
    .chain([refused])
    .collect()
}

fn options(footing: &Footing, door: Door, mode: Mode, first_user: i64) -> Options {
    let target = match door {
        Door::Rest => footing.addresses.rest().to_owned(),
        Door::Grpc => footing.addresses.grpc("gateway"),
    };
    Options {
        target,
        duration: TIME,
        mix: Mix {
            first_user,
            users: USERS,
            ..Mix::default()
        },
        ..Options::new(door, mode)
    }
}

const OPEN: Mode = Mode::Open {
    rate: RATE,
    ramp: Duration::ZERO,
};

async fn all_is_stored(
    footing: &'static Footing,
    door: Door,
    first_user: i64,
) -> anyhow::Result<()> {
    let mut seconds = 0;
    let options = options(footing, door, OPEN, first_user);
    let report = load::run(options, |_| seconds += 1).await?;
    assert!(report.is_good(), "{}", report.json());
    assert_eq!(report.accepted(), ORDERS, "{}", report.json());
    assert_eq!(report.sent(), ORDERS);
    assert_eq!(report.not_sent() + report.unanswered(), 0);
    assert!(seconds >= 1, "it is told how it goes");
    is_stored(footing, first_user, &report).await
}

async fn repeated(footing: &'static Footing) -> anyhow::Result<()> {
    let mut options = options(footing, Door::Rest, OPEN, REPEATED);
    options.mix.repeat = 0.5;
    let report = load::run(options, |_| ()).await?;
    assert!(report.is_good(), "{}", report.json());
    assert_eq!(report.accepted(), ORDERS, "{}", report.json());
    assert!(report.repeated() > ORDERS / 4, "{}", report.json());
    is_stored(footing, REPEATED, &report).await
}

async fn closed(footing: &'static Footing) -> anyhow::Result<()> {
    let mode = Mode::Closed { clients: 2 };
    let mut options = options(footing, Door::Grpc, mode, CLOSED);
    options.duration = Duration::from_millis(200);
    let report = load::run(options, |_| ()).await?;
    assert!(report.is_good(), "{}", report.json());
    assert_eq!(report.sent(), report.accepted());
    is_stored(footing, CLOSED, &report).await
}

/// Waits until history knows all that was accepted, and no order more.
async fn is_stored(footing: &Footing, first_user: i64, report: &Report) -> anyhow::Result<()> {
    let orders = usize::try_from(report.accepted() - report.repeated())?;
    let what = format!("history to know {orders} orders");
    until(&what, Duration::from_secs(20), async || {
        let stored = stored(footing, first_user).await?;
        anyhow::ensure!(stored >= orders, "{stored}");
        anyhow::Ok(())
    })
    .await?;
    // One too many would come as late as the last.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(stored(footing, first_user).await?, orders);
    Ok(())
}

async fn stored(footing: &Footing, first_user: i64) -> anyhow::Result<usize> {
    let mut stored = 0;
    for user in first_user..first_user + i64::from(USERS) {
        let path = format!("/users/{user}/orders?pageSize=1000");
        let answer = footing.rest.get(&path).await?;
        anyhow::ensure!(answer.status == StatusCode::OK, "{answer:?}");
        let orders = answer.json();
        stored += orders["orders"].as_array().map_or(0, Vec::len);
    }
    Ok(stored)
}

/// 192.0.2.1 is nobody's (RFC 5737), and does not answer: whoever connects waits.
async fn not_loopback() -> anyhow::Result<()> {
    let options = Options {
        target: "192.0.2.1:3000".to_owned(),
        ..Options::new(Door::Rest, OPEN)
    };
    let begin = Instant::now();
    let Err(error) = load::run(options, |_| ()).await else {
        anyhow::bail!("it must be refused");
    };
    assert!(error.is::<Misuse>(), "{error:#}");
    let told = error.to_string();
    assert!(told.contains("--i-own-this-target"), "{told}");
    assert!(begin.elapsed() < Duration::from_secs(1), "nobody was asked");
    Ok(())
}
