//! The figures, a file each.

mod backlog;
mod checkout;
mod cost;
mod doors;
mod effects;
mod memory;
mod scale;
mod tracing;

use clap::ValueEnum;

use crate::{Plan, lab::Lab, table::Line};

/// A figure's name on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Name {
    /// Accepted orders a second, and how long one waits, against Express and limits.
    Doors,
    /// What tracing costs.
    Tracing,
    /// How fast each service works off a backlog, against the limit of its parts.
    Backlog,
    /// The answer's and the effects' times while a payment takes 3 s.
    Checkout,
    /// From accepted to all effects, at half of the peak.
    Effects,
    /// Memory of each process at full load.
    Memory,
    /// One instance against four.
    Scale,
    /// CPU time of an order, with few and with many in store.
    Cost,
}

/// What was asked for. When nothing was: all, or in short those whose ratios a
/// change could spoil unnoticed.
pub(crate) fn chosen(asked: &[Name], plan: Plan) -> Vec<Name> {
    if !asked.is_empty() {
        asked.to_vec()
    } else if plan.quick {
        vec![Name::Doors, Name::Backlog]
    } else {
        Name::value_variants().to_vec()
    }
}

pub(crate) async fn measure(name: Name, lab: &Lab) -> anyhow::Result<Vec<Line>> {
    lab.forget();
    match name {
        Name::Doors => doors::measure(lab).await,
        Name::Tracing => tracing::measure(lab).await,
        Name::Backlog => backlog::measure(lab).await,
        Name::Checkout => checkout::measure(lab).await,
        Name::Effects => effects::measure(lab).await,
        Name::Memory => memory::measure(lab).await,
        Name::Scale => scale::measure(lab).await,
        Name::Cost => cost::measure(lab).await,
    }
}

/// Counts here are far below 2^52.
#[allow(clippy::cast_precision_loss)]
fn float(count: i64) -> f64 {
    count as f64
}
