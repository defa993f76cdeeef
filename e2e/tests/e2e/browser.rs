//! The web pages in Chromium.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Context as _;
use e2e::{
    browser::{Play, play},
    footing::{Footing, Kind, OPERATOR_TOKEN, SERVICES},
    process::start,
};
use testkit::{
    harness::{Needs, Test},
    process::Scratch,
};
use tokio::sync::OnceCell;

use crate::{
    hostile::{self, undecodable},
    operators::letters,
};

const WITHOUT_TOKEN: [(&str, &str); 1] = [("GATEWAY__OPERATOR_TOKEN", "")];

/// Scenarios that need nothing but the system.
const SCENARIOS: [(&str, &str); 8] = [
    ("checkout", "two products, from the cart to the mails"),
    ("declined", "a declined card says why"),
    (
        "double-click",
        "impatient clicks and lost answers are one order",
    ),
    ("keyboard", "a checkout without a mouse"),
    (
        "console",
        "the console follows orders that come from elsewhere",
    ),
    ("console-order", "an order in the console, to its mails"),
    ("accessible", "axe finds nothing on any page"),
    ("first-load", "every page is small and soon there"),
];

const LONG: Duration = Duration::from_mins(6);

pub(crate) fn tests() -> Vec<Test> {
    let mut tests: Vec<_> = SCENARIOS
        .into_iter()
        .map(|(scenario, what)| {
            let body = async move || {
                let footing = open().await?;
                play(scenario, footing.addresses.rest(), &[]).await
            };
            let test = Test::new(format!("browser::{what}"), body).needs([Needs::Browser]);
            match scenario {
                // Half a minute alone, with a browser at work all the time.
                "accessible" => test.timeout(LONG),
                "first-load" => test.alone(),
                _ => test,
            }
        })
        .collect();
    tests.push(Test::new("browser::an operator signs in", signed_in).needs([Needs::Browser]));
    tests.push(Test::new("browser::a dead letter is put back", replayed).needs([Needs::Browser]));
    let markup = Test::new("browser::markup is text on every page", markup);
    tests.push(markup.needs([Needs::Browser]));
    let on_cluster = [Needs::Kafka, Needs::Postgres, Needs::Browser];
    tests.push(
        Test::new(
            "browser::the shop outlives a restart of the gateway",
            restarted,
        )
        .needs(on_cluster),
    );
    tests.push(Test::new("browser::the console tells of a lost service", lost).needs(on_cluster));
    tests
}

/// Without an operator's token, as `ordermesh up` is; shared by all scenarios.
async fn open() -> anyhow::Result<&'static Footing> {
    static OPEN: OnceCell<Footing> = OnceCell::const_new();
    OPEN.get_or_try_init(|| Footing::start(Kind::Embedded, &WITHOUT_TOKEN))
        .await
}

async fn signed_in() -> anyhow::Result<()> {
    let footing = Footing::shared(Kind::Embedded).await?;
    let token = [("OPERATOR_TOKEN", OPERATOR_TOKEN)];
    play("sign-in", footing.addresses.rest(), &token).await
}

async fn replayed() -> anyhow::Result<()> {
    let mut footing = Footing::start(Kind::Embedded, &WITHOUT_TOKEN).await?;
    undecodable(&footing).await?;
    let letters = letters(&footing, "?service=history", 1).await?;
    let id = letters[0]["id"].as_str().context("an id")?;
    let given = [("DEAD_LETTER_ID", id)];
    play("dead-letters", footing.addresses.rest(), &given).await?;
    footing.down().await
}

async fn markup() -> anyhow::Result<()> {
    let mut footing = Footing::start(Kind::Embedded, &WITHOUT_TOKEN).await?;
    hostile::three(&footing).await?;
    letters(&footing, "?service=history", 3).await?;
    play("markup", footing.addresses.rest(), &[]).await?;
    footing.down().await
}

async fn restarted() -> anyhow::Result<()> {
    // Long enough for the gateway to be gone and back meanwhile.
    let slow = [("PAYMENTS__PROVIDER_LATENCY", "5s")];
    apart("restart", &slow).await
}

async fn lost() -> anyhow::Result<()> {
    apart("console-lost", &[]).await
}

/// Plays against services that are processes of their own and do as they are asked.
async fn apart(scenario: &str, settings: &[(&str, &str)]) -> anyhow::Result<()> {
    let footing = Footing::prepare(Kind::Cluster, settings).await?;
    let scratch = Scratch::new("browser")?;
    let mut running = BTreeMap::new();
    for service in SERVICES {
        running.insert(service, start(&footing, service, &scratch).await?);
    }
    let given = [("OPERATOR_TOKEN", OPERATOR_TOKEN)];
    let mut play = Play::begin(scenario, footing.addresses.rest(), &given).await?;
    while let Some(asked) = play.asked().await? {
        let (what, of) = asked.split_once(' ').unwrap_or((&asked, "gateway"));
        let service = SERVICES.into_iter().find(|service| *service == of);
        let service = service.with_context(|| asked.clone())?;
        if what != "start"
            && let Some(process) = running.remove(service)
        {
            process.kill().await?;
        }
        if what != "stop" {
            running.insert(service, start(&footing, service, &scratch).await?);
        }
        play.done()?;
    }
    for process in running.into_values() {
        process.stop(Duration::from_secs(25)).await?;
    }
    Ok(())
}
