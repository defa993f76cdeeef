//! What tracing costs: the gateway as it is, against one with it switched off.

use ordermesh::load::Door;

use crate::{
    lab::Lab,
    load::{flat_out, rest},
    mesh::Mesh,
    series::Series,
    table::{Goal, Line},
};

const CALLERS: u32 = 512;
/// Of each round: a difference of a few percent shows only over many.
const PAIRS: u32 = 3;

pub(super) async fn measure(lab: &Lab) -> anyhow::Result<Vec<Line>> {
    let mut with = Mesh::prepare(lab, &[]).await?;
    let mut without = Mesh::prepare(lab, &[("OTEL_SDK_DISABLED", "true")]).await?;
    with.begin("gateway").await?;
    without.begin("gateway").await?;
    let (mut traced, mut untraced) = (Series::default(), Series::default());
    for pair in 0..lab.plan.rounds * PAIRS {
        let mut contenders = [(&with, &mut traced), (&without, &mut untraced)];
        // Who is first alternates, too.
        if pair % 2 == 1 {
            contenders.reverse();
        }
        for (mesh, rates) in contenders {
            let report = flat_out(
                mesh.addresses.rest(),
                Door::Rest,
                rest(CALLERS),
                lab.plan.turn,
            );
            rates.push(report.await?.accepted_per_second());
        }
        lab.forget();
    }
    with.end_all().await?;
    without.end_all().await?;
    Ok(vec![Line {
        what: format!("accepted orders, REST, {CALLERS} connections, traced"),
        unit: "/s".into(),
        ours: traced,
        other: Some(("not traced".to_owned(), untraced)),
        goal: Goal::RatioAtLeast(0.9),
    }])
}
