//! A payment that takes 3 s, as in the demo that this began with: how long the
//! buyer waits for an answer, and when everything has happened.

use std::time::Duration;

use anyhow::Context as _;
use testkit::{rest::Rest, wait::until};

use super::effects::{last_placed, percentile, place, times};
use crate::{
    lab::Lab,
    load::{RAMP, millis, steady},
    mesh::Mesh,
    peers,
    progress::until_settled,
    series::Series,
    table::{Goal, Line},
};

/// The demo's payment.
const PAYMENT: Duration = Duration::from_secs(3);
/// Orders a second, of ours and of the other: what the other keeps up with, since how long
/// one waits for an overloaded checkout says nothing.
const RATE: u32 = 50;
/// So few that none waits for another.
const ORDERS: i64 = 5;
/// What may come on top of the slowest step, in milliseconds.
const ON_TOP: f64 = 100.0;

pub(super) async fn measure(lab: &Lab) -> anyhow::Result<Vec<Line>> {
    let latency = format!("{}ms", PAYMENT.as_millis());
    let mut mesh = Mesh::prepare(lab, &[("PAYMENTS__PROVIDER_LATENCY", &latency)]).await?;
    mesh.begin_all().await?;
    let sequential = peers::sequential(lab, PAYMENT).await?;
    let door = mesh.addresses.rest().to_owned();
    let mut ours = Series::default();
    let mut theirs = Series::default();
    let mut everything = Series::default();
    for _ in 0..lab.plan.rounds {
        for (address, waited) in [(&sequential.address, &mut theirs), (&door, &mut ours)] {
            let answers = steady(address, RATE, lab.plan.turn, RAMP).await;
            let answers = answers.with_context(|| address.clone())?;
            waited.push(millis(&answers, 50.0));
        }
        // What the buyers before have ordered is done by then.
        until_settled(&mesh).await?;
        everything.push(some_orders(&mesh, &door).await?);
        lab.forget();
    }
    mesh.end_all().await?;
    let at_most = PAYMENT.as_secs_f64() * 1e3 + ON_TOP;
    Ok(vec![
        Line {
            what: "p50 of the answer, payment of 3 s".to_owned(),
            unit: "ms".into(),
            ours: ours.clone(),
            other: Some(("one after the other".to_owned(), theirs)),
            goal: Goal::RatioAtMost(1.0 / 300.0),
        },
        Line {
            what: "p50 of the answer, payment of 3 s".to_owned(),
            unit: "ms".into(),
            ours,
            other: None,
            goal: Goal::AtMost(10.0),
        },
        Line {
            what: "stored, paid and mailed, payment of 3 s".to_owned(),
            unit: "ms".into(),
            ours: everything,
            other: None,
            goal: Goal::AtMost(at_most),
        },
    ])
}

/// Places a few orders and waits until nothing more will happen to them. Gives what the
/// slowest of them took, in milliseconds.
async fn some_orders(mesh: &Mesh<'_>, door: &str) -> anyhow::Result<f64> {
    let door = Rest::new(door);
    let from = last_placed(mesh).await?;
    for _ in 0..ORDERS {
        place(&door).await?;
    }
    let since = format!("SELECT count(*) FROM orders WHERE placed_at > {from}");
    until("the orders", Duration::from_secs(30), async || {
        let came = mesh.count("history", &since).await?;
        anyhow::ensure!(came == ORDERS, "{came} of {ORDERS}");
        anyhow::Ok(())
    })
    .await?;
    until_settled(mesh).await?;
    percentile(&times(mesh, from).await?, 100)
}
