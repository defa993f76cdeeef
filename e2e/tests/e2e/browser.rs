//! The web pages in Chromium.

use std::time::Duration;

use e2e::{
    browser::{Play, play},
    footing::{Footing, Kind, SERVICES},
    process::start,
};
use testkit::{
    harness::{Needs, Test},
    process::Scratch,
};

/// Scenarios that need nothing but the system.
const SCENARIOS: [(&str, &str); 5] = [
    ("checkout", "two products, from the cart to the mails"),
    ("declined", "a declined card says why"),
    (
        "double-click",
        "impatient clicks and lost answers are one order",
    ),
    ("keyboard", "a checkout without a mouse"),
    ("accessible", "axe finds nothing on any page"),
];

pub(crate) fn tests() -> Vec<Test> {
    let mut tests: Vec<_> = SCENARIOS
        .into_iter()
        .map(|(scenario, what)| {
            let body = async move || {
                let footing = Footing::shared(Kind::Embedded).await?;
                play(scenario, footing.addresses.rest()).await
            };
            Test::new(format!("browser::{what}"), body).needs([Needs::Browser])
        })
        .collect();
    let needs = [Needs::Kafka, Needs::Postgres, Needs::Browser];
    let restart = Test::new(
        "browser::the shop outlives a restart of the gateway",
        restarted,
    );
    tests.push(restart.needs(needs));
    tests
}

async fn restarted() -> anyhow::Result<()> {
    // Long enough for the gateway to be gone and back meanwhile.
    let slow = [("PAYMENTS__PROVIDER_LATENCY", "5s")];
    let footing = Footing::prepare(Kind::Cluster, &slow).await?;
    let scratch = Scratch::new("browser")?;
    let mut others = Vec::new();
    for service in SERVICES.into_iter().filter(|name| *name != "gateway") {
        others.push(start(&footing, service, &scratch).await?);
    }
    let mut gateway = start(&footing, "gateway", &scratch).await?;
    let mut play = Play::begin("restart", footing.addresses.rest()).await?;
    while let Some(asked) = play.asked().await? {
        anyhow::ensure!(asked == "restart", "{asked}");
        gateway.kill().await?;
        gateway = start(&footing, "gateway", &scratch).await?;
        play.done()?;
    }
    others.push(gateway);
    for process in others {
        process.stop(Duration::from_secs(25)).await?;
    }
    Ok(())
}
